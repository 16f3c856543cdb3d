"""Outcomes of branches on the disk: one file for each trajectory, to be taken up again.

A file says under what it was measured (policy, weights, sampling, text of the trajectory). Other settings are
no reason to measure anew in silence, and never a reason to mix: they are an error.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from spa_lab.agent.rollout import Policy
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.store.files import read_text, write_text
from spa_lab.store.lines import SCHEMA, dump, load
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import Trajectory

_LONGEST_NAME = 200
_SAMPLES = 256
"""Numbers of each weight matrix that its fingerprint is taken of: training changes all of them."""

Settings = Mapping[str, Any]


def settings_of(policy: Policy, config: RolloutConfig, menu: AllowedTexts | None) -> Settings:
    """What two measurements must share to be put together, as plain JSON values."""
    return {
        "policy": policy.name,
        "weights": _fingerprint(policy),
        "temperature": config.temperature,
        "max_new_tokens": config.max_new_tokens,
        "menu": None if menu is None else list(menu.texts),
    }


def save_outcomes(folder: Path, outcomes: BranchOutcomes, trajectory: Trajectory, settings: Settings) -> None:
    """Replace the file of this trajectory.

    Raises:
        StoreError: the disk refused; what was saved before is still there.
    """
    record = {
        "schema": SCHEMA,
        "trajectory_id": outcomes.trajectory_id,
        "outcome": outcomes.outcome,
        "outcomes": [x.tolist() for x in outcomes.outcomes],
        "policy": outcomes.policy,
        "step_cap": outcomes.step_cap,
        "common": outcomes.common,
        "seed": outcomes.seed,
        "settings": {**settings, "text": _digest(trajectory)},
    }
    write_text(_path(folder, trajectory.id), dump(record) + "\n")


def load_outcomes(folder: Path, trajectory: Trajectory, settings: Settings) -> BranchOutcomes | None:
    """What was saved for this trajectory, or None.

    Raises:
        StoreError: the file cannot be read.
        ValueError: the file is broken, or measured under other settings (names each and both values).
    """
    path = _path(folder, trajectory.id)
    if not path.exists():
        return None
    record = load(read_text(path), str(path))
    wanted = {**settings, "text": _digest(trajectory)}
    there = record.get("settings", {})
    other = [f"{k} {there.get(k)!r:.40}, now {wanted[k]!r:.40}" for k in wanted if there.get(k) != wanted[k]]
    if other:
        raise ValueError(f"{path}: measured with other settings: {'; '.join(other)}")
    try:
        vectors = tuple(np.array(x, dtype=np.float64) for x in record["outcomes"])
        return BranchOutcomes(
            record["trajectory_id"], record["outcome"], vectors, record["policy"], record["step_cap"],
            record["common"], record["seed"],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: no outcomes of branches: {error!r}") from error


def _path(folder: Path, trajectory_id: str) -> Path:
    name = quote(trajectory_id, safe="#@+=, ")
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{hashlib.sha256(trajectory_id.encode()).hexdigest()[:16]}"
    return folder / f"{name}.json"


def _fingerprint(policy: Policy) -> str:
    digest = hashlib.sha256()
    for name, weight in policy.model.named_parameters():
        few = weight.detach().flatten()[:: max(1, weight.numel() // _SAMPLES)]
        digest.update(name.encode())
        digest.update(few.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _digest(trajectory: Trajectory) -> str:
    told = [trajectory.initial_observation]
    for step in trajectory.steps:
        told += [step.text, step.observation]
    return hashlib.sha256("\0".join(told).encode("utf-8", "surrogatepass")).hexdigest()[:16]
