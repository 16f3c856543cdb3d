"""Branch outcomes on disk: one file for each trajectory, so that a measurement can be resumed and extended.

A file names the settings it was measured under (policy, weights, prompt, sampling, step cap, text of the
trajectory). A settings mismatch raises; results are never silently recomputed or merged.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from spa_lab.agent.codec import Codec
from spa_lab.agent.player import Player
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment
from spa_lab.store.files import read_text, write_text
from spa_lab.store.lines import SCHEMA, dump, load
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import Trajectory

_HOLDS = "branch outcomes"
_MAX_NAME_LENGTH = 200

_SINCE_LATER = ("prompt", "context")
"""Settings that files of earlier versions do not name; they are taken as they are."""

Settings = Mapping[str, Any]
"""What two measurements must share to be joined, as plain JSON values."""


def settings_of(
    policy: Player, environment: Environment, config: RolloutConfig, allowed: AllowedTexts | None
) -> Settings:
    """The settings of a measurement."""
    return {
        "policy": policy.name,
        "weights": policy.weights_digest(),
        "prompt": _prompt_digest(policy.codec),
        "context": policy.context,
        "step_cap": environment.step_limit,
        "temperature": config.temperature,
        "max_new_tokens": config.max_new_tokens,
        "allowed": None if allowed is None else list(allowed.texts),
    }


def save_outcomes(folder: Path, outcomes: BranchOutcomes, trajectory: Trajectory, settings: Settings) -> None:
    """Replace the file of this trajectory; the folder must exist or be creatable.

    Raises:
        StoreError: the file cannot be written; an earlier one is still complete.
    """
    record = {
        "schema": SCHEMA,
        "holds": _HOLDS,
        "trajectory_id": outcomes.trajectory_id,
        "outcome": outcomes.outcome,
        "outcomes": [x.tolist() for x in outcomes.outcomes],
        "policy": outcomes.policy,
        "step_cap": outcomes.step_cap,
        "seed": outcomes.seed,
        "settings": {**settings, "text": _digest(trajectory)},
    }
    write_text(_path(folder, trajectory.id), dump(record) + "\n")


def load_outcomes(folder: Path, trajectory: Trajectory, settings: Settings) -> BranchOutcomes | None:
    """The saved outcomes of this trajectory, or None if there is no file.

    Raises:
        StoreError: the file cannot be read.
        ValueError: the file is broken, or was measured under other settings (names each with both values).
    """
    path = _path(folder, trajectory.id)
    if not path.exists():
        return None
    record = load(read_text(path), str(path))
    expected = {**settings, "text": _digest(trajectory)}
    saved = record.get("settings") or {}
    differences = [
        f"{name} {saved.get(name)!r:.40}, now {expected[name]!r:.40}"
        for name in expected
        if saved.get(name) != expected[name] and (name in saved or name not in _SINCE_LATER)
    ]
    if differences:
        raise ValueError(f"{path}: measured under other settings: {'; '.join(differences)}")
    about = {"holds": _HOLDS, "trajectory_id": trajectory.id, "outcome": trajectory.known_outcome}
    for name, value in about.items():
        if record.get(name) != value:
            raise ValueError(f"{path}: {name} is {record.get(name)!r:.60}, expected {value!r:.60}")
    try:
        if len(record["outcomes"]) != len(trajectory):
            raise ValueError(f"{len(record['outcomes'])} steps, the trajectory has {len(trajectory)}")
        return BranchOutcomes(
            trajectory_id=trajectory.id,
            outcome=trajectory.known_outcome,
            outcomes=tuple(np.array(x, dtype=np.float64) for x in record["outcomes"]),
            policy=record["policy"],
            step_cap=record["step_cap"],
            seed=record["seed"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a file of branch outcomes: {error!r}") from error


def n_saved(folder: Path, trajectory: Trajectory) -> int:
    """Continuations from all histories of this trajectory that are saved, under whatever settings.

    Raises:
        StoreError: the file cannot be read.
        ValueError: it is broken.
    """
    path = _path(folder, trajectory.id)
    return sum(map(len, load(read_text(path), str(path)).get("outcomes") or ())) if path.exists() else 0


def _path(folder: Path, trajectory_id: str) -> Path:
    name = quote(trajectory_id, safe="#@+=, ")
    if len(name) > _MAX_NAME_LENGTH:
        name = f"{name[:_MAX_NAME_LENGTH]}-{hashlib.sha256(trajectory_id.encode()).hexdigest()[:16]}"
    return folder / f"{name}.json"


def _prompt_digest(codec: Codec) -> str:
    """Of the tokens around the texts of the world and the policy, and of those that end a step."""
    parts = (codec.opening_ids(""), codec.reply_ids(""), sorted(codec.stop_ids))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _digest(trajectory: Trajectory) -> str:
    texts = [trajectory.initial_observation]
    for step in trajectory.steps:
        texts += [step.text, step.observation]
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
