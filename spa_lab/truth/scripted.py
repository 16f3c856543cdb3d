"""An expert that slips: a policy without a model, to play, to play on from any moment, and to measure.

Its every step is, with a fixed probability, a careless reader's mistake. So its values are not trivial, and
a continuation costs milliseconds: a tour, a lesson or a test gets live Monte Carlo without any training.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spa_lab.envs.base import Environment, Reply, Task
from spa_lab.react import write
from spa_lab.types import Ended, Step, Trajectory, ValueTruth


@dataclass(frozen=True)
class ScriptedPlayer:
    """The policy and its world."""

    environment: Environment
    slips: float = 0.3
    """Probability in [0, 1) that a step is a slip."""
    step_cap: int = 20
    """Longest episode, steps."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.slips < 1.0 or self.step_cap < 1:
            raise ValueError(f"needs slips in [0, 1) and step_cap >= 1, got {self.slips} and {self.step_cap}")

    @property
    def name(self) -> str:
        """The policy's name in trajectories and truths."""
        return f"careless expert ({self.slips:g})"

    def play(self, task: Task, *, seed: int, id: str | None = None) -> Trajectory:
        """One episode of `task`."""
        return self._play_on(task, (), seed, id or f"careless/{task.id}/{seed}")

    def outcomes(
        self, task: Task, trajectory: Trajectory, step: int, n: int, *, rng: random.Random
    ) -> list[float]:
        """Outcomes of `n` fresh continuations from before `step` of an episode of `task`.

        Raises:
            ValueError: there is no such step (the moment after the last one has nothing to play).
        """
        if not 0 <= step < len(trajectory):
            raise ValueError(f"{trajectory.id!r}: no step {step}, there are {len(trajectory)}")
        actions = [one.action for one in trajectory.steps[:step]]
        return [self._play_on(task, actions, rng.randrange(2**31), "branch").outcome for _ in range(n)]

    def what_if(self, task: Task, trajectory: Trajectory, step: int, action: str) -> Trajectory:
        """The episode with another action at `step`, played on from there."""
        actions = [*(one.action for one in trajectory.steps[:step]), action]
        return self._play_on(task, actions, trajectory.seed, f"{trajectory.id}/{step}: {action}")

    def measure(self, task: Task, trajectory: Trajectory, branches: int, *, rng: random.Random) -> ValueTruth:
        """Values before every step by `branches` continuations each; the last value is the outcome.

        Standard errors are those of outcomes with one 0 and one 1 put in (Agresti & Caffo 2000): where all
        continuations end alike, the error is small and not 0.
        """
        values, errors = np.zeros(len(trajectory) + 1), np.zeros(len(trajectory) + 1)
        for step in range(len(trajectory)):
            found = np.array(self.outcomes(task, trajectory, step, branches, rng=rng))
            values[step], errors[step] = found.mean(), (np.append(found, (0, 1)).var() / branches) ** 0.5
        values[-1] = trajectory.outcome
        return ValueTruth(trajectory.id, values, errors, branches, self.name, self.step_cap)

    def _play_on(self, task: Task, actions: Sequence[str], seed: int, id: str) -> Trajectory:
        """First the given actions, then its own, until the end or the step cap."""
        world, rng = self.environment.make_world(), random.Random(seed)
        opening = world.reset(task)
        expert = self.environment.expert_for(task, opening)
        steps: list[Step] = []
        reply: Reply | None = None
        while len(steps) < self.step_cap and not (reply and reply.done):
            if len(steps) < len(actions):
                thought, action = "", actions[len(steps)]
            else:
                thought, action = expert.slip(rng) if rng.random() < self.slips else expert.act()
            reply = world.step(action)
            expert.observe(action, reply.observation)
            steps.append(Step(write(thought, action), thought, action, reply.observation, reply.grounded))
        assert reply is not None
        ended: Ended = "done" if reply.done else "step_limit"
        return Trajectory(
            id, task.id, task.env, task.split, task.instruction, opening, tuple(steps), reply.outcome,
            reply.outcome == 1.0, ended, self.name, seed,
        )  # fmt: skip
