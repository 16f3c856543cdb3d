"""What is trained on the control probes: every training method, exact credit, and the released settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from spa_lab.configs.cloning import CloneConfig
from spa_lab.configs.estimator import EstimatorConfig
from spa_lab.configs.hindsight import HindsightConfig
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.presets import Preset
from spa_lab.configs.progress import ProgressConfig
from spa_lab.configs.reward import RewardConfig
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import Estimate, step_credit
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.methods import METHODS
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.pipeline.value_tree import ValueTree
from spa_lab.types import Credit, FloatArray

EXACT, SHUFFLED = "exact", "shuffled"
DISCOUNTED = MappingProxyType(
    {"ppo.gae_level": "token", "ppo.gae_over": "all_tokens", "ppo.gamma": 0.99, "ppo.lam": 0.95}
)
"""Discount and trace decay of the released code: over all tokens, those of observations included."""
PUBLISHED = MappingProxyType(
    {
        "reward.beta": 0.5,
        "reward.grounding_form": "bonus",
        "reward.residual": "kept",
        "reward.clip": False,
        **DISCOUNTED,
    }
)
"""The paper's reward and the released discounts."""
LONGER_FIT = MappingProxyType({"estimator.epochs": 24, "estimator.lr": 2e-3})
"""For language models of their own that grade steps (`learn.step_network`): more passes than `PRESET` has, at
a quarter of its rate. With those of `PRESET` such a model gives both actions of a gate the same number."""
PRESET = Preset(
    name="controls",
    demonstrations=128,
    clone=CloneConfig(epochs=14, lr=2e-2, muon_lr=2e-2, batch_tokens=800),
    explore_rollout=RolloutConfig(temperature=1.0, max_new_tokens=2, parallel=256),
    estimator=EstimatorConfig(width=64, epochs=8, lr=8e-3, batch_tokens=500),
    progress=ProgressConfig(group_size=8),
    hindsight=HindsightConfig(
        epochs=8, refit_epochs=2, lr=5e-3, muon_lr=5e-3, batch_tokens=800, group_size=8
    ),
    reward=RewardConfig(beta=0.0, grounding_form="penalty", residual="last", clip=True),
    ppo=PPOConfig(
        iterations=6, episodes=64, group_size=8, branches=2, batch_tokens=700, lr=2e-3,
        gae_level="step", gamma=1.0, lam=0.95,
    ),
)  # fmt: skip
"""Scale of the controls; chosen on seeds from 100 on, the same for every arm but for what `ARMS` changes."""
EXPLORED = 256
"""Explorations of the cloned policy, the same for every arm that needs some."""


@dataclass(frozen=True)
class Arm:
    """One way to train, with what it changes of `PRESET`."""

    method: str
    """Name in `METHODS`, `EXACT` or `SHUFFLED`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """By dotted key."""

    @property
    def facts(self) -> dict[str, Any]:
        """What is kept beside a curve, which is not to be taken for that of another arm of the same name."""
        return {"method": self.method, **self.settings}


ARMS: Mapping[str, Arm] = MappingProxyType(
    {
        EXACT: Arm(EXACT),
        SHUFFLED: Arm(SHUFFLED),
        **{name: Arm(name) for name, entry in METHODS.items() if entry.factory},
        "prm4a": Arm("prm4a", {**LONGER_FIT, "estimator.epochs": 40}),
        "archer": Arm("archer", LONGER_FIT),
        "stepagent_inverse": Arm("stepagent_inverse", LONGER_FIT),
        "ragen_s": Arm("ragen_s", {"ppo.group_size": 4}),
        "spa_published": Arm("spa", PUBLISHED),
        "spa_kept": Arm("spa", {"reward.residual": "kept", "reward.clip": False}),
        "spa_offline": Arm("spa_offline", PUBLISHED),
        "spa_released": Arm("spa_released", PUBLISHED),
        "terminal_discounted": Arm("terminal", DISCOUNTED),
        "spa_progress_discounted": Arm("spa_progress", DISCOUNTED),
        "spa_hindsight_discounted": Arm("spa_hindsight", DISCOUNTED),
        "spa_progress_hindsight": Arm("spa_progress", {"progress.hindsight": True, "progress.state": False}),
        "spa_progress_siblings": Arm("spa_progress", {"progress.state": False}),
        "spa_progress_own": Arm("spa_progress", {"progress.lam": 0.0}),
    }
)
"""In the order of tables."""

_COMPARED = (EXACT, "terminal", "rloo", "gigpo", "spa_progress", "spa_hindsight")
_FURTHER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "signs": ("spa",),
        "search": ("spa", "spa_published", "spa_kept", "spa_offline", "spa_released"),
        "last": ("mean",),
    }
)


def arms_of(probe: str) -> tuple[str, ...]:
    """The arms that are trained on a probe: all on "gates", those that its predictions name elsewhere."""
    return (*_COMPARED, *_FURTHER[probe]) if probe in _FURTHER else tuple(ARMS)


def exact_method(name: str, tree: ValueTree) -> TrainingMethod:
    """Exact progress of the current policy as the advantage of each step.

    Args:
        name: `EXACT`, or `SHUFFLED`: the contributions of all steps of an iteration in random order, a credit
            with the right distribution that belongs to no step.
        tree: of the tasks that are trained on.
    """

    def make(inputs: TrainingInputs) -> Learner:
        def estimate(collected: Collected) -> list[Estimate]:
            trajectories = [episode.trajectory for episode in collected.episodes]
            values = tree.values(
                learner.policy,
                [task.id for task in collected.tasks],
                temperature=inputs.preset.ppo.temperature,
            )
            progress = [np.diff(tree.along(values[t.task_id], t)) for t in trajectories]
            if name == SHUFFLED:
                progress = _shuffled(progress, inputs.generator)
            credits = [Credit(t.id, name, c) for t, c in zip(trajectories, progress, strict=True)]
            return step_credit(collected, credits)

        learner = OnPolicyLearner(inputs, estimate)
        return learner

    return TrainingMethod(name=name, title=f"{name} credit", origin="ours", make=make)


def _shuffled(progress: list[FloatArray], generator: np.random.Generator) -> list[FloatArray]:
    ends = np.cumsum([len(per_step) for per_step in progress])[:-1]
    return np.split(generator.permutation(np.concatenate(progress)), ends)
