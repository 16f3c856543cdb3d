"""An episode in progress: reset, then step after step until the world, the step limit or the player ends it.

Rollouts of language models, expert demonstrations, scripted players and exact enumeration all play through
`RunningEpisode`, so that a step is executed, an episode ended and a `Trajectory` built in one place.
"""

from spa_lab import react
from spa_lab.envs.base import Environment, Reply, Task
from spa_lab.types import Ended, Step, Trajectory


def end_of_episode(reply: Reply, n_steps: int, step_limit: int) -> Ended | None:
    """Why an episode is over after `n_steps` steps and this reply; None while it goes on."""
    if reply.done:
        return "done"
    return "step_limit" if n_steps >= step_limit else None


class RunningEpisode:
    """One episode of a task in a world of its own.

    Args:
        environment: makes the world.
        task: is reset to.
        step_limit: longest episode, steps; the environment's own limit if None.
    """

    def __init__(self, environment: Environment, task: Task, *, step_limit: int | None = None) -> None:
        self.environment = environment
        self.task = task
        self.step_limit = environment.step_limit if step_limit is None else step_limit
        self.world = environment.make_world()
        self.initial_observation = self.world.reset(task)
        self.steps: list[Step] = []
        self.ended: Ended | None = None
        """Why the episode is over; None while it goes on."""
        self.outcome = 0.0
        """R so far, outcome units."""
        self.success = False
        """The world ended the episode with outcome 1."""

    def take(self, text: str) -> Reply:
        """Execute a step given as ReAct text, as a language model writes it."""
        thought, action = react.parse(text)
        return self._execute(text, thought, action)

    def act(self, thought: str, action: str) -> Reply:
        """Execute a step given as thought and action, as an expert chooses it."""
        return self._execute(react.write(thought, action), thought, action)

    def stop(self) -> None:
        """End the episode in error: the player cannot go on."""
        self.ended = "error"

    def trajectory(self, *, id: str, policy: str, seed: int) -> Trajectory:
        """The finished episode as a record.

        Args:
            id: unique within a run.
            policy: name of the policy that wrote the steps.
            seed: of the generator that sampled the steps.

        Raises:
            ValueError: the episode is not over.
        """
        if self.ended is None:
            raise ValueError(f"episode {id!r} is not over: {len(self.steps)} of {self.step_limit} steps")
        return Trajectory(
            id=id,
            task_id=self.task.id,
            env=self.environment.name,
            split=self.task.split,
            instruction=self.task.instruction,
            initial_observation=self.initial_observation,
            steps=tuple(self.steps),
            outcome=self.outcome,
            success=self.success,
            ended=self.ended,
            policy=policy,
            seed=seed,
        )

    def _execute(self, text: str, thought: str, action: str) -> Reply:
        reply = self.world.step(action)
        self.steps.append(Step(text, thought, action, reply.observation, reply.grounded))
        self.outcome = reply.outcome
        self.success = reply.done and reply.outcome == 1.0
        self.ended = end_of_episode(reply, len(self.steps), self.step_limit)
        return reply
