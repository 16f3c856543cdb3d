"""Six text worlds so small that every value is a finite sum: what a credit method is tried on first.

| probe | where the credit lies |
|---|---|
| key | taking the key at the start, paid at a door many steps later |
| fork | the first step alone; after it nothing that is done matters |
| distractor | the second of three steps; a loud step before it and one after it change nothing |
| lamp | a mistake costs something, and undoing it gives that back |
| vase | a mistake costs everything, and nothing after it matters |
| corridor | evenly on every step of a long way; a step back takes it away again |

Each has two actions. What an action does is a pure function of a small state, so the expert can follow it.
Values depend on the policy; `spa_lab.credit.exact` computes them.
"""

import random
from collections.abc import Sequence

from spa_lab.envs.base import Environment, Reply, Task
from spa_lab.envs.probe_rules import PROBES, Advice, Move, Probe, State


class ProbeWorld:
    """Plays one probe; anything but its actions is refused. Call `reset` first."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.state: State
        self.variant: str

    def reset(self, task: Task) -> str:
        """Start `task`; returns what is seen and the task sentence.

        Raises:
            ValueError: the payload is no variant of this probe.
        """
        if task.payload not in self.probe.variants:
            raise ValueError(
                f"task {task.id!r}: payload must be one of {self.probe.variants}, got {task.payload!r}"
            )
        self.state, self.variant = self.probe.start, task.payload
        return " ".join(self.probe.opening(self.variant))

    def step(self, action: str) -> Reply:
        """Execute one action given as free text."""
        move = _move(self.probe, self.state, action, self.variant)
        self.state = move.state
        reason = "" if move.grounded else "not possible"
        return Reply(move.observation, move.grounded, move.done, move.outcome, reason)

    def snapshot(self) -> tuple[str, State]:
        """The present moment."""
        return self.variant, self.state

    def restore(self, token: object) -> None:
        """Go back to the moment of `token`.

        Raises:
            ValueError: the token is not a snapshot of this task.
        """
        if not isinstance(token, tuple) or len(token) != 2 or token[0] != self.variant:
            raise ValueError(f"probe {self.probe.name!r}: the token is not a snapshot of this task")
        self.state = token[1]

    def admissible(self) -> list[str]:
        """The actions that are not refused now, sorted."""
        allowed = [a for a in self.probe.actions if self.probe.move(self.state, a, self.variant).grounded]
        return sorted(allowed)


class ProbeExpert:
    """Follows the state by the actions that it is told of, and knows the way from everywhere."""

    def __init__(self, probe: Probe, variant: str) -> None:
        self.probe, self.variant, self.state = probe, variant, probe.start

    def observe(self, action: str, observation: str) -> None:
        """Takes in one executed action."""
        self.state = _move(self.probe, self.state, action, self.variant).state

    def act(self) -> Advice:
        """The next (thought, action) on the shortest way."""
        return self.probe.advise(self.state, self.variant)[0]

    def slip(self, rng: random.Random) -> Advice:
        """The one careless thing to do here; nothing is drawn."""
        return self.probe.advise(self.state, self.variant)[1]


def probe_environment(name: str) -> Environment:
    """One of `probe_rules.PROBES` as a world with tasks "train", "seen" and "unseen", its variants in reply.

    Raises:
        ValueError: there is no such probe.
    """
    if name not in PROBES:
        raise ValueError(f"no probe {name!r}; there are: {', '.join(PROBES)}")
    probe = PROBES[name]

    def tasks(split: str, n: int) -> Sequence[Task]:
        return [_task(probe, split, i) for i in range(n)]

    return Environment(
        name=f"probe-{name}",
        make_world=lambda: ProbeWorld(probe),
        make_expert=lambda task, opening: ProbeExpert(probe, task.payload),
        tasks=tasks,
        step_limit=probe.step_limit,
        manual=f"Each step, write one action: {' or '.join(probe.actions)}.",
    )


def _task(probe: Probe, split: str, index: int) -> Task:
    variant = probe.variants[index % len(probe.variants)]
    name = f"probe-{probe.name}-{split}-{index:03d}"
    instruction = probe.opening(variant)[1]
    return Task(name, f"probe-{probe.name}", split, probe.name, instruction, probe.expert_length, variant)


def _move(probe: Probe, state: State, action: str, variant: str) -> Move:
    if action not in probe.actions:
        return Move(state, "You cannot do that.", grounded=False)
    return probe.move(state, action, variant)
