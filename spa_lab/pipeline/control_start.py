"""What all arms of one control probe and seed start from: a small cloned policy and what was made of it."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from spa_lab.agent.codec import Codec
from spa_lab.agent.models import copy_policy, tiny_model
from spa_lab.agent.rollout import EpisodeSpec, Policy, rollout
from spa_lab.agent.tokenizer import build_tokenizer
from spa_lab.configs.settings import updated
from spa_lab.envs.base import Demonstration, Environment, Task
from spa_lab.envs.control_probes import PROBES, WALKS, control_environment
from spa_lab.learn.cloning import clone
from spa_lab.learn.estimator import ProgressEstimator, fit_estimator
from spa_lab.learn.method import Learner, TrainingInputs
from spa_lab.learn.methods import find_method
from spa_lab.pipeline.control_arms import ARMS, EXACT, EXPLORED, PRESET, SHUFFLED, Arm, exact_method
from spa_lab.pipeline.value_tree import ValueTree
from spa_lab.react import write
from spa_lab.truth.scripted import ScriptedPlayer
from spa_lab.types import Trajectory

SLIPS: Mapping[str, float] = MappingProxyType(
    {
        "gates": 0.35, "signs": 0.35, "search": 0.6, "last": 0.2,
        **{probe.name: 0.35 for probe in WALKS.values()},
    }
)  # fmt: skip
"""Probability that a step of the cloned demonstrations is a slip, by probe."""
HIDDEN, LAYERS, CONTEXT = 64, 2, 128
"""Width, layers and context of the model: the architecture of the embedded base models, smaller."""


def start_facts(probes: Iterable[str]) -> dict[str, object]:
    """What a folder of results keeps of these probes beside the preset; others do not fit into it."""
    slips = {probe: SLIPS[probe] for probe in probes}
    return {"hidden": HIDDEN, "layers": LAYERS, "slips": slips, "explored": EXPLORED}


@dataclass(frozen=True)
class ControlStart:
    """One probe and seed; what several arms need is made when the first one asks for it."""

    probe: str
    seed: int

    @cached_property
    def environment(self) -> Environment:
        """The world."""
        return control_environment(self.probe)

    @cached_property
    def tasks(self) -> list[Task]:
        """All of its tasks: the same are trained on and evaluated."""
        return list(self.environment.tasks("train", len(PROBES[self.probe].variants)))

    @cached_property
    def cloned(self) -> Policy:
        """A model that was cloned, from random weights, from an expert that slips."""
        shown = self._played(SLIPS[self.probe], "cloned")
        texts = {step.observation for trajectory in shown for step in trajectory.steps}
        texts |= {trajectory.initial_observation for trajectory in shown} | set(self._texts)
        tokenizer = build_tokenizer(sorted(texts), ["no name"], at_least=1)  # a token for each text
        seed = self._rng("weights").randrange(2**31)
        model = tiny_model(tokenizer, seed=seed, hidden=HIDDEN, layers=LAYERS, context=CONTEXT)
        policy = Policy("cloned", model.eval(), Codec(tokenizer))
        demonstrations = [Demonstration(trajectory, (True,) * len(trajectory)) for trajectory in shown]
        clone(policy, demonstrations, PRESET.clone, rng=self._rng("clone"))
        return policy

    @cached_property
    def tree(self) -> ValueTree:
        """Exact values of any policy."""
        return ValueTree(self.environment, self.tasks, self._texts, self.cloned.codec)

    @cached_property
    def explored(self) -> list[Trajectory]:
        """Episodes of the cloned policy."""
        rng = self._rng("explore")
        specs = [
            EpisodeSpec(f"explored/{i:04d}", self.tasks[i % len(self.tasks)], rng.randrange(2**31))
            for i in range(EXPLORED)
        ]
        played = rollout(self.cloned, self.environment, specs, PRESET.explore_rollout)
        return [episode.trajectory for episode in played]

    @cached_property
    def estimator(self) -> ProgressEstimator:
        """The progress estimator of SPA-RL, fitted to the explorations."""
        return fit_estimator(self.cloned, self.explored, PRESET.estimator, rng=self._rng("estimator"))

    @cached_property
    def demonstrations(self) -> list[Demonstration]:
        """Episodes of the expert without slips, for the methods that need some."""
        return [Demonstration(shown, (True,) * len(shown)) for shown in self._played(0.0, "expert")]

    def learner(self, name: str, arm: Arm | None = None) -> Learner:
        """The learner of an arm, with a copy of the cloned policy.

        Args:
            name: of the copy.
            arm: what is trained; None: the entry of `ARMS` under this name.

        Raises:
            ValueError: there is no such entry.
        """
        if arm is None:
            if name not in ARMS:
                raise ValueError(f"no arm {name!r}; there are: {', '.join(ARMS)}")
            arm = ARMS[name]
        exact = arm.method in (EXACT, SHUFFLED)
        method = exact_method(arm.method, self.tree) if exact else find_method(arm.method)
        inputs = TrainingInputs(
            copy_policy(self.cloned, name=name),
            self.environment,
            updated(PRESET, arm.settings),
            self._rng("training"),
            explored=self.explored if "explored" in method.needs else (),
            estimator=self.estimator if "estimator" in method.needs else None,
            demonstrations=self.demonstrations if "demonstrations" in method.needs else (),
            seed=self.seed,
        )
        return method.make(inputs)

    def values(self, policy: Policy) -> dict[str, float]:
        """Task id -> exact probability of success of a policy at the temperature of training."""
        values = self.tree.values(policy, [task.id for task in self.tasks])
        return {task_id: float(of_histories[0]) for task_id, of_histories in values.items()}

    @property
    def _texts(self) -> list[str]:
        return [write("", action) for action in PROBES[self.probe].actions]

    def _played(self, slips: float, purpose: str) -> list[Trajectory]:
        player, rng = ScriptedPlayer(self.environment, slips, self.environment.step_limit), self._rng(purpose)
        return [
            player.play(self.tasks[i % len(self.tasks)], seed=rng.randrange(2**31), id=f"{purpose}/{i:04d}")
            for i in range(PRESET.demonstrations)
        ]

    def _rng(self, purpose: str) -> random.Random:
        return random.Random(f"{self.probe}/{self.seed}/{purpose}")
