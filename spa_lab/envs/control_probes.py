"""Probe worlds for positive controls of training: what each method must learn there is known in advance.

| probe | where the outcome is decided | what the agent sees of a mistake |
|---|---|---|
| gates | at four signs, between steps that change nothing; one mistake loses all | at once: a swamp |
| signs | the same | nothing: the signs go on |
| search | by opening the right box often enough; failures run into the step limit | nothing |
| last | at the sign of the last step alone | nothing |

The rules are those of `envs.probes`. A step that is none of a probe's actions ends the episode with outcome
0, so that the values of an unrestricted language model are finite sums, too (`pipeline.value_tree`).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from spa_lab.envs.base import Environment, Reply, Task
from spa_lab.envs.probes import Advice, Move, Probe, ProbeExpert, ProbeWorld, State

LEFT, RIGHT, LOOK = "go left", "go right", "look"
SIGNS = MappingProxyType({"sun": LEFT, "moon": RIGHT, "star": LEFT, "rain": RIGHT})
"""Sign -> the action that it asks for; nothing tells the agent."""
N_GATES, N_VARIANTS = 4, 8
FREE_BETWEEN = 1
"""Steps after each gate that change nothing."""
FREE_STEPS = 5
"""Steps before the last one in "last"."""
SEARCH_LIMIT = 6
"""Longest episode of "search", steps. The expert needs 4 in the variants with three boxes, the length that
all of its tasks name, and 5 in those with four."""


def _gate_variants() -> tuple[str, ...]:
    """Distinct sequences of signs."""
    rng, found = random.Random("gates"), dict[str, None]()
    while len(found) < N_VARIANTS:
        found[" ".join(rng.choice(list(SIGNS)) for _ in range(N_GATES))] = None
    return tuple(found)


@dataclass(frozen=True)
class _Walk:
    """Past gates, each followed by steps that change nothing; one mistake loses all."""

    visible: bool
    """A mistake shows at once."""
    between: int = FREE_BETWEEN
    """Steps after each gate that change nothing."""

    @property
    def length(self) -> int:
        """Steps of every episode."""
        return (1 + self.between) * N_GATES

    def place(self, position: int, variant: str) -> str:
        """What is seen at a position."""
        gate, after = divmod(position, 1 + self.between)
        return f"Path {gate + 1}." if after else f"Gate {gate + 1} shows the {variant.split()[gate]}."

    def right_way(self, position: int, variant: str) -> str | None:
        """The action that a gate asks for; None where none is."""
        gate, after = divmod(position, 1 + self.between)
        return None if after else SIGNS[variant.split()[gate]]

    def move(self, state: State, action: str, variant: str) -> Move:
        """The effect of an action."""
        position, dry = state
        if self.right_way(position, variant) not in (None, action):
            dry = 0
        position += 1
        if position == self.length:
            return Move((position, dry), "The end.", True, float(dry))
        seen = self.place(position, variant) if dry or not self.visible else f"Swamp {position}."
        return Move((position, dry), seen)

    def advise(self, state: State, variant: str) -> tuple[Advice, Advice]:
        """The expert's move, and a mistake."""
        right = self.right_way(state[0], variant) or LEFT
        return ("", right), ("", RIGHT if right == LEFT else LEFT)

    def probe(self, name: str) -> Probe:
        """The rules under a name."""
        return Probe(
            name, (LEFT, RIGHT), _gate_variants(), (0, 1), self.length,
            lambda variant: (self.place(0, variant), "Pass every gate."),
            self.move, self.advise, self.length,
        )  # fmt: skip


def _search_move(state: State, action: str, variant: str) -> Move:
    opened, _ = state
    side, needed = variant.split()
    if action == LOOK:
        return Move((opened, 1), f"Two boxes, and a note: {side}.")
    opened += action == f"go {side}"
    if opened == int(needed):
        return Move((opened, 1), "The coin.", True, 1.0)
    return Move((opened, 1), f"Empty; the note: {side}.")


def _search_advice(state: State, variant: str) -> tuple[Advice, Advice]:
    """The first step is always a look. It changes nothing, and no later step is one."""
    _, looked = state
    if not looked:
        return ("", LOOK), ("", LOOK)
    side = f"go {variant.split()[0]}"
    return ("", side), ("", RIGHT if side == LEFT else LEFT)


def _last_move(state: State, action: str, variant: str) -> Move:
    (position,) = state
    if position == FREE_STEPS:
        return Move((position + 1,), "The end.", True, float(action == SIGNS[variant]))
    seen = f"Path {position + 1}." if position + 1 < FREE_STEPS else f"A gate shows the {variant}."
    return Move((position + 1,), seen)


def _last_advice(state: State, variant: str) -> tuple[Advice, Advice]:
    right = SIGNS[variant] if state[0] == FREE_STEPS else LEFT
    return ("", right), ("", RIGHT if right == LEFT else LEFT)


CONTROL_PROBES = MappingProxyType(
    {
        probe.name: probe
        for probe in (
            _Walk(visible=True).probe("gates"),
            _Walk(visible=False).probe("signs"),
            Probe(
                "search", (LOOK, LEFT, RIGHT),
                tuple(f"{side} {needed}" for needed in (3, 4) for side in ("left", "right")),
                (0, 0), SEARCH_LIMIT,
                lambda variant: (f"A note: {variant.split()[0]}.", "Find the coin."),
                _search_move, _search_advice, 4,
            ),
            Probe(
                "last", (LEFT, RIGHT), tuple(SIGNS), (0,), FREE_STEPS + 1,
                lambda variant: ("Path 0.", "Pass the gate."), _last_move, _last_advice, FREE_STEPS + 1,
            ),
        )
    }
)  # fmt: skip
"""Name -> probe."""
WALKS = MappingProxyType(
    {
        walk.length: walk.probe(f"gates_{walk.length}")
        for walk in (_Walk(visible=True, between=between) for between in (0, 1, 2))
    }
)
"""Length in steps -> "gates" with more or fewer steps that change nothing. The gates, and so what a policy
must learn, stay the same."""
PROBES = MappingProxyType({**CONTROL_PROBES, **{probe.name: probe for probe in WALKS.values()}})
"""Name -> control probe or walk."""


class StrictProbeWorld(ProbeWorld):
    """A probe that ends with outcome 0 at a step that is none of its actions. Call `reset` first."""

    def step(self, action: str) -> Reply:
        """Execute one action given as free text."""
        if action not in self.probe.actions:
            return Reply("This is no action.", False, True, 0.0, f"possible: {', '.join(self.admissible())}")
        return super().step(action)


def control_environment(name: str) -> Environment:
    """A probe of `PROBES` as a world; its tasks are its variants, the same in every split.

    Raises:
        ValueError: there is no such probe.
    """
    if name not in PROBES:
        raise ValueError(f"no control probe {name!r}; there are: {', '.join(PROBES)}")
    probe = PROBES[name]

    def tasks(split: str, n: int) -> Sequence[Task]:
        return [
            Task(
                f"control-{name}-{i:02d}", f"control-{name}", split, name, probe.opening(variant)[1],
                probe.expert_length, variant,
            )
            for i, variant in enumerate(probe.variants[:n])
        ]  # fmt: skip

    return Environment(
        name=f"control-{name}",
        make_world=lambda: StrictProbeWorld(probe),
        make_expert=lambda task, opening: ProbeExpert(probe, task.payload),
        tasks=tasks,
        step_limit=probe.step_limit,
    )
