"""What a training method is: a name, what it needs, and a function that makes its learner.

A method outside the package is a `TrainingMethod` in any module, named as "package.module:attribute" wherever
a method's name is expected; `spa_lab.learn.methods` lists the built-in ones.
"""

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, get_args

import numpy as np

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.rollout import Policy
from spa_lab.configs.checks import SettingError
from spa_lab.configs.presets import Preset
from spa_lab.configs.settings import list_settings
from spa_lab.envs.base import Demonstration, Environment, Task
from spa_lab.learn.checkpoint import LearnerState
from spa_lab.learn.estimator import ProgressEstimator
from spa_lab.plugins import load_object
from spa_lab.types import Trajectory

__all__ = ["Learner", "LearnerState", "Need", "TrainingInputs", "TrainingMethod", "check_gae", "check_groups"]

Need = Literal["explored", "estimator", "demonstrations"]
"""Result of an earlier stage: trajectories explored by the cloned policy, the progress estimator, the expert
episodes that the policy was cloned from."""
_NEEDS: tuple[Need, ...] = get_args(Need)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED = ("base", "cloned", "estimator", "reference", "sft")


@dataclass(frozen=True, eq=False)
class TrainingInputs:
    """What a method receives. A method may train `policy` and advance `rng`; the rest is read only."""

    policy: Policy
    """A copy of the cloned policy, with adapters if the preset trains adapters; in eval mode."""
    environment: Environment
    preset: Preset
    rng: random.Random
    """The method's own random numbers; what all methods draw comes from `stream`."""
    explored: Sequence[Trajectory] = ()
    """Trajectories of the cloned policy that models may be fitted to; empty unless needed."""
    explored_rows: Sequence[TokenRow] | None = None
    """The tokens that each of them was sampled as; None unless the run kept them (`Preset.keep_tokens`)."""
    estimator: ProgressEstimator | None = None
    """None unless needed."""
    demonstrations: Sequence[Demonstration] = ()
    """The expert episodes that the policy was cloned from; empty unless needed."""
    seed: int = 0
    """Seed of the run, of which `stream` makes the random numbers that all methods share."""
    generator: np.random.Generator = field(init=False)
    """The method's own numpy random numbers, seeded from `rng`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "generator", np.random.default_rng(self.rng.randrange(2**31)))

    def stream(self, purpose: str) -> random.Random:
        """Random numbers for one purpose, from the seed of the run: the same for every training method."""
        return random.Random(f"{self.seed}/{purpose}")


class Learner(Protocol):
    """A policy under training."""

    @property
    def policy(self) -> Policy:
        """The trained policy, in eval mode between iterations."""

    def iterate(self, tasks: Sequence[Task]) -> dict[str, float]:
        """Play episodes of `tasks`, update once over them, and return the metrics of this iteration.

        A method that spends more than that says so in the metrics `extra_rollouts` and `extra_updates`, see
        `learn.extra_cost`.
        """

    def state(self) -> LearnerState:
        """A snapshot of everything that changes from iteration to iteration."""

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`; the learner must have been made with the same inputs.

        Raises:
            ValueError: the state is of another kind or shape.
        """


def check_groups(preset: Preset, *, settings: str, least: int = 1) -> None:
    """Check that an iteration's episodes form groups of one size.

    Args:
        preset: all settings.
        settings: the group of settings that has the `group_size`, such as "ppo".
        least: smallest size.

    Raises:
        ValueError: the size is too small or does not divide `ppo.episodes`.
    """
    size, episodes = getattr(preset, settings).group_size, preset.ppo.episodes
    if size < least:
        raise ValueError(f"{settings}.group_size: expected at least {least}, got {size}")
    if episodes % size:
        raise ValueError(
            f"ppo.episodes: expected a multiple of {settings}.group_size, {size}, got {episodes}"
        )


def check_gae(preset: Preset) -> None:
    """Check that no setting of GAE is given where another one makes it without effect.

    Raises:
        SettingError: one is.
    """
    ppo = preset.ppo
    if ppo.gae_level == "step":
        if ppo.gamma_step is not None:
            raise SettingError("ppo.gamma_step", 'none where ppo.gae_level is "step"', ppo.gamma_step)
        if ppo.gae_over == "all_tokens":
            raise SettingError("ppo.gae_over", 'action_tokens where ppo.gae_level is "step"', ppo.gae_over)
    elif ppo.gamma_step is not None and ppo.gae_over == "all_tokens":
        raise SettingError("ppo.gae_over", "action_tokens where ppo.gamma_step is given", ppo.gae_over)


def _no_check(preset: Preset) -> None:
    """All settings will do."""


def _any_world(environment: Environment) -> None:
    """All worlds will do."""


@dataclass(frozen=True, eq=False)
class TrainingMethod:
    """One way to improve a cloned policy."""

    name: str
    """Names the model, curves and evaluations in a run: lower case letters, digits, "_"."""
    title: str
    """As shown in tables and figures."""
    origin: str
    """Where the method comes from: paper, public code, or "ours"."""
    make: Callable[[TrainingInputs], Learner]
    needs: frozenset[Need] = frozenset()
    """What must have been done before."""
    check: Callable[[Preset], object] = _no_check
    """Raises ValueError for settings that the method cannot work with; called before anything is trained."""
    check_world: Callable[[Environment], object] = _any_world
    """The same for worlds."""
    reads: frozenset[str] | None = None
    """Settings of training that change what it learns, dotted (`learn.settings_read`); None: nobody says."""
    facts: Callable[[], Mapping[str, object]] = dict
    """What it learns from that neither its name nor the settings tell, such as the content of a file; plain
    JSON values. Asked when training starts: a run is not continued under other facts."""
    path: str | None = None
    """The "package.module:attribute" that `find_method` found it by: worker processes load it again by that,
    so that its functions may be lambdas."""

    def __reduce__(self) -> str | tuple[Any, ...]:
        return super().__reduce__() if self.path is None else (_loaded, (self.path,))

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in _RESERVED:
            raise ValueError(
                f"training method {self.name!r}: the name must be of the form {_NAME.pattern} "
                f"and none of {', '.join(_RESERVED)}"
            )
        unknown = self.needs - set(_NEEDS)
        if unknown:
            raise ValueError(
                f"training method {self.name!r}: needs {', '.join(sorted(unknown))}; "
                f"only {', '.join(_NEEDS)} can be needed"
            )
        if no_settings := (self.reads or frozenset()) - {setting.key for setting in list_settings(Preset)}:
            raise ValueError(
                f"training method {self.name!r}: reads {', '.join(sorted(no_settings))}, which is no setting"
            )


def method_facts(methods: Iterable[TrainingMethod]) -> dict[str, Any]:
    """What methods learn from besides the settings, for the config of a run; nothing if none says so."""
    facts = {method.name: dict(method.facts()) for method in methods}
    known = {name: each for name, each in facts.items() if each}
    return {"method_facts": known} if known else {}


def _loaded(path: str) -> TrainingMethod:
    """The method that `find_method` found there before."""
    return replace(load_object(path, "training method"), path=path)
