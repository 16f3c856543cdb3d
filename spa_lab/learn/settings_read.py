"""Which settings training methods read, so that a setting without effect is said and not ignored.

Settings of training are the groups `GROUPS` and what only the explorations depend on, `EXPLORING`. A method
names those of the groups that change what it learns, as a union of the sets of this module; the rest follows
from its needs. All other settings count for every run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields

from spa_lab.configs.hindsight import HindsightConfig
from spa_lab.configs.progress import ProgressConfig
from spa_lab.learn.method import TrainingMethod

GROUPS = ("ppo", "reward", "progress", "hindsight", "estimator")
EXPLORING = frozenset(
    {"rollouts_per_task", "held_out_fraction", "keep_tokens", "explore_rollout.temperature"}
)
"""Read where a method needs explorations; training samples at `ppo.temperature`."""


def _of(group: str, names: str) -> frozenset[str]:
    return frozenset(f"{group}.{name}" for name in names.split())


PLAYED = _of("ppo", "episodes")
"""Episodes, or demonstrations, of an iteration."""
PASSES = _of("ppo", "iterations temperature epochs batch_tokens micro_tokens lr")
"""How an update passes over them."""
UPDATE = PASSES | _of("ppo", "similar_lengths clip kl_coef")
"""The clipped update of `learn.on_policy`."""
DISCOUNT = _of("ppo", "gae_level gamma")
GAE = DISCOUNT | _of("ppo", "gae_over gamma_step")
"""GAE without a critic; the trace decay is the method's."""
CRITIC = GAE | _of("ppo", "lam vf_coef")
"""GAE with a critic, as by `learn.ppo`."""
GROUP_SIZE = _of("ppo", "group_size")
BRANCHES = _of("ppo", "branches")
GROUNDED = _of("reward", "alpha beta grounding_form grounding_rule step_weight")
"""The reward of a credit without an error, such as the outcome at the last step."""
SPLIT = GROUNDED | _of("reward", "residual")
"""The reward of a credit whose sum may miss the outcome."""
FITTED = SPLIT | _of("reward", "clip")
"""The reward of a credit that was fitted to the explorations."""
NETWORK = _of("estimator", "width train_backbone epochs lr batch_tokens micro_tokens")
"""A model of the method's own, see `learn.step_network`."""
PROGRESS = frozenset(f"progress.{field.name}" for field in fields(ProgressConfig))
HINDSIGHT = frozenset(f"hindsight.{field.name}" for field in fields(HindsightConfig)) - {
    "hindsight.group_size",
    "hindsight.lam",
}
"""The model that is told the outcome."""


def unread(keys: Iterable[str], methods: Sequence[TrainingMethod]) -> list[str]:
    """Those of some settings that none of the methods reads.

    A method that does not say what it reads, such as one of the user's, may read everything.

    Args:
        keys: dotted.
        methods: of a run; without any, all settings of training are unread.
    """
    return [key for key in keys if _of_training(key) and not any(_reads(method, key) for method in methods)]


def _of_training(key: str) -> bool:
    return key in EXPLORING or key.partition(".")[0] in GROUPS


def _reads(method: TrainingMethod, key: str) -> bool:
    if method.reads is None or key in method.reads:
        return True
    if key in EXPLORING:
        return bool({"explored", "estimator"} & method.needs)
    return "estimator" in method.needs and key.startswith("estimator.")
