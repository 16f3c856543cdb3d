"""Advantages by name; importing this module needs no torch.

An advantage is what a training method or a credit source would multiply the log-probabilities of a step's
tokens by.

A name is an entry of `ADVANTAGES`, a training method (a name in `METHODS` or "package.module:attribute"), or
"step:" and a credit source, whose contribution is the advantage of its own step. Grounding is not paid: the
measured progress is that of the outcome. What a method learns from is chosen as in training: of episodes that
it leaves out (three quarters of the groups of `ragen_s`) the advantage is 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from spa_lab.learn.methods import METHODS, check_method_name, find_method
from spa_lab.pipeline.sources import SOURCES, find_source

if TYPE_CHECKING:
    from spa_lab.store import Run

STEP = "step:"
"""Before the name of a credit source."""
RELEASED = MappingProxyType({"ppo.gae_level": "token", "ppo.gamma": 0.99, "ppo.lam": 0.95})
"""Discount and trace decay of the released code."""
PUBLISHED = MappingProxyType({"reward.residual": "kept", "reward.clip": False, **RELEASED})
"""What the released code makes of contributions, the error of their sum included."""


@dataclass(frozen=True)
class AdvantageEntry:
    """How an advantage is made."""

    title: str
    summary: str
    """One line for `--help`."""
    method: str = ""
    """Name of the training method; empty: a credit source."""
    source: str = ""
    """Name of the credit source, or "package.module:attribute"."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Dotted settings of the preset that it changes."""
    in_sample: bool = False
    """Whether the critic is fitted to the very episodes that it is asked about, as in the first update;
    otherwise to those of the other half of the tasks, as in a later one."""
    unbiased: bool = False
    """Whether its expected gradient is the policy gradient by construction."""


ADVANTAGES: Mapping[str, AdvantageEntry] = MappingProxyType(
    {
        "terminal": AdvantageEntry(
            "terminal reward, GAE", "outcome, GAE of the preset, critic fitted to other tasks", "terminal"
        ),
        "terminal_in_sample": AdvantageEntry(
            "terminal, critic in sample", "the same, critic fitted to these episodes", "terminal",
            in_sample=True,
        ),
        "released": AdvantageEntry(
            "terminal, γ .99, λ .95", "outcome, discounts of the released code per token", "terminal",
            settings=RELEASED,
        ),
        "rloo": AdvantageEntry("RLOO", "leave-one-out within the task", "rloo", unbiased=True),
        "grpo": AdvantageEntry("GRPO", "outcome standardised within the task", "grpo"),
        "gigpo": AdvantageEntry("GiGPO", "returns compared in groups of a task and of a state", "gigpo"),
        "spa": AdvantageEntry("SPA-RL, GAE", "contributions, reward and GAE of the preset", "spa"),
        "spa_published": AdvantageEntry(
            "SPA-RL, published", "contributions as they are, discounts of the released code", "spa",
            settings=PUBLISHED,
        ),
        "step:spa": AdvantageEntry("SPA-RL, own step", "contribution of its own step", source="spa"),
        "step:critic": AdvantageEntry("critic, own step", "TD error of the ensemble critic", source="critic"),
    }
)  # fmt: skip
"""What is compared if no names are given, as far as the run has the models; in the order of tables."""


def entry_of(name: str) -> AdvantageEntry:
    """The entry of a name.

    Raises:
        ValueError: there is no such advantage, or it would play continuations.
    """
    if name in ADVANTAGES:
        return ADVANTAGES[name]
    if name.startswith(STEP):
        source = name.removeprefix(STEP)
        find_source(source)
        if source in SOURCES and SOURCES[source].plays:
            raise ValueError(
                f"advantage {name!r}: Monte Carlo credit is compared for every number of continuations"
            )
        title = SOURCES[source].title if source in SOURCES else source
        return AdvantageEntry(f"{title}, own step", "", source=source)
    check_method_name(name)
    title = METHODS[name].title if name in METHODS else find_method(name).title
    return AdvantageEntry(title, "", name)


def is_built_in(name: str) -> bool:
    """Whether a name always means the same; what is outside the package may change under one name."""
    return name in ADVANTAGES or name in METHODS or name.removeprefix(STEP) in SOURCES


def default_names(run: "Run") -> list[str]:
    """Those of `ADVANTAGES` whose models and explorations the run has."""
    estimated = {"spa", "spa_published", "step:spa"}
    missing = set() if "estimator" in run.names("models") else set(estimated)
    if not any(entry.role == "explored" for entry in run.trajectory_sets()):
        missing |= {*estimated, "step:critic"}
    return [name for name in ADVANTAGES if name not in missing]


def label_of(name: str) -> str:
    """What an advantage is called in tables and figures, exact and Monte Carlo credit included."""
    if name.startswith("monte_carlo_"):
        return f"Monte Carlo, {name.rpartition('_')[2]}"
    return "exact credit" if name == "exact" else entry_of(name).title
