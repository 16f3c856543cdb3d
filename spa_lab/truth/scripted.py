"""A scripted player: an expert that slips. It plays, continues from any step, and measures its own values.

Each of its steps is, with a fixed probability, a careless reader's mistake, so its values are not trivial.
A continuation costs milliseconds: a tour, a lesson or a test gets live Monte Carlo values without a model.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spa_lab.envs.base import Environment, Task
from spa_lab.envs.episode import RunningEpisode
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import Trajectory, ValueTruth


@dataclass(frozen=True)
class ScriptedPlayer:
    """The policy and its environment."""

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
        return self._play(task, (), seed, id or f"careless/{task.id}/{seed}")

    def outcomes(
        self, task: Task, trajectory: Trajectory, step: int, n: int, *, rng: random.Random
    ) -> list[float]:
        """Outcomes of `n` independent continuations from before `step` of an episode of `task`.

        Raises:
            ValueError: there is no such step (after the last one there is nothing to play), the episode is
                longer than `step_cap`, or the world replies something else than was recorded.
        """
        if not 0 <= step < len(trajectory):
            raise ValueError(f"{trajectory.id!r}: no step {step}, there are {len(trajectory)}")
        if len(trajectory) > self.step_cap:
            raise ValueError(
                f"{trajectory.id!r} has {len(trajectory)} steps, episodes of this player at most "
                f"{self.step_cap}"
            )
        self._check_replay(task, trajectory, step)
        actions = [taken.action for taken in trajectory.steps[:step]]
        return [self._play(task, actions, rng.randrange(2**31), "branch").known_outcome for _ in range(n)]

    def what_if(self, task: Task, trajectory: Trajectory, step: int, action: str) -> Trajectory:
        """The episode with another action at `step`, continued from there."""
        actions = [*(taken.action for taken in trajectory.steps[:step]), action]
        return self._play(task, actions, trajectory.seed, f"{trajectory.id}/{step}: {action}")

    def admissible(self, task: Task, trajectory: Trajectory, step: int) -> list[str]:
        """The actions that the world could execute before `step`, sorted; [] if it does not list them."""
        episode = RunningEpisode(self.environment, task, step_limit=self.step_cap)
        for taken in trajectory.steps[:step]:
            episode.act(taken.thought, taken.action)
        return episode.world.admissible()

    def measure(self, task: Task, trajectory: Trajectory, branches: int, *, rng: random.Random) -> ValueTruth:
        """Values before every step by `branches` continuations each; the last value is the outcome."""
        outcomes = tuple(
            np.array(self.outcomes(task, trajectory, step, branches, rng=rng))
            for step in range(len(trajectory))
        )
        measured = BranchOutcomes(trajectory.id, trajectory.known_outcome, outcomes, self.name, self.step_cap)
        return measured.to_truth()

    def _check_replay(self, task: Task, trajectory: Trajectory, steps: int) -> None:
        """Raise ValueError if the first steps, played again, are not the recorded ones."""
        episode = RunningEpisode(self.environment, task, step_limit=self.step_cap)
        seen, recorded = episode.initial_observation, trajectory.initial_observation
        for taken in trajectory.steps[:steps]:
            if seen != recorded:
                break
            seen, recorded = episode.act(taken.thought, taken.action).observation, taken.observation
        if seen != recorded:
            raise ValueError(
                f"{trajectory.id!r} is no episode of task {task.id!r}: recorded {recorded!r:.100}, "
                f"the world replies {seen!r:.100}"
            )

    def _play(self, task: Task, actions: Sequence[str], seed: int, id: str) -> Trajectory:
        """First the given actions, then its own, until the episode ends."""
        episode, rng = RunningEpisode(self.environment, task, step_limit=self.step_cap), random.Random(seed)
        expert = self.environment.expert_for(task, episode.initial_observation)
        while episode.ended is None:
            if len(episode.steps) < len(actions):
                thought, action = "", actions[len(episode.steps)]
            else:
                thought, action = expert.slip(rng) if rng.random() < self.slips else expert.act()
            reply = episode.act(thought, action)
            expert.observe(action, reply.observation)
        return episode.trajectory(id=id, policy=self.name, seed=seed)
