"""Titles of the arms of the positive controls, for figures; needs no torch."""

from collections.abc import Mapping
from types import MappingProxyType

from spa_lab.learn.methods import METHODS

ARM_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "exact": "exact credit",
        "shuffled": "exact credit, shuffled",
        **{name: entry.title for name, entry in METHODS.items() if entry.factory},
        "spa_published": "SPA-RL as published",
        "spa_kept": "SPA-RL, error kept",
        "terminal_discounted": "terminal reward, discounted",
        "spa_progress_discounted": "SPA-RL, progress, discounted",
        "spa_hindsight_discounted": "SPA-RL, hindsight, discounted",
        "spa_progress_hindsight": "SPA-RL, progress in hindsight",
        "spa_progress_siblings": "SPA-RL, progress by siblings",
        "spa_progress_own": "SPA-RL, progress, λ = 0",
    }
)
"""Arm in `control_arms.ARMS` -> title; "discounted": with the released discounts."""
