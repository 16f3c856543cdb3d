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
from types import MappingProxyType

from spa_lab.envs.base import Environment, Reply, Task
from spa_lab.envs.probes import Advice, Move, Probe, ProbeExpert, ProbeWorld, State

LEFT, RIGHT, LOOK = "go left", "go right", "look"
SIGNS = MappingProxyType({"sun": LEFT, "moon": RIGHT, "star": LEFT, "rain": RIGHT})
"""Sign -> the action that it asks for; nothing tells the agent."""
N_GATES, N_VARIANTS = 4, 8
FREE_STEPS = 5
"""Steps before the last one in "last"."""
SEARCH_LIMIT = 6
"""Longest episode of "search", steps."""


def _gate_variants() -> tuple[str, ...]:
    """Distinct sequences of signs."""
    rng, found = random.Random("gates"), dict[str, None]()
    while len(found) < N_VARIANTS:
        found[" ".join(rng.choice(list(SIGNS)) for _ in range(N_GATES))] = None
    return tuple(found)


def _place(position: int, variant: str) -> str:
    """Even positions are gates, odd ones lie between them."""
    sign = variant.split()[position // 2]
    number = position // 2 + 1
    return f"Gate {number} shows the {sign}." if position % 2 == 0 else f"Path {number}."


def _right_way(position: int, variant: str) -> str | None:
    return SIGNS[variant.split()[position // 2]] if position % 2 == 0 else None


def _gates_move(state: State, action: str, variant: str) -> Move:
    return _walk(state, action, variant, visible=True)


def _signs_move(state: State, action: str, variant: str) -> Move:
    return _walk(state, action, variant, visible=False)


def _walk(state: State, action: str, variant: str, *, visible: bool) -> Move:
    position, dry = state
    if _right_way(position, variant) not in (None, action):
        dry = 0
    position += 1
    if position == 2 * N_GATES:
        return Move((position, dry), "The end.", True, float(dry))
    seen = _place(position, variant) if dry or not visible else f"Swamp {position}."
    return Move((position, dry), seen)


def _walk_advice(state: State, variant: str) -> tuple[Advice, Advice]:
    right = _right_way(state[0], variant) or LEFT
    return ("", right), ("", RIGHT if right == LEFT else LEFT)


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


def _walk_probe(name: str, visible: bool) -> Probe:
    return Probe(
        name, (LEFT, RIGHT), _gate_variants(), (0, 1), 2 * N_GATES,
        lambda variant: (_place(0, variant), "Pass every gate."),
        _gates_move if visible else _signs_move, _walk_advice, 2 * N_GATES,
    )  # fmt: skip


CONTROL_PROBES = MappingProxyType(
    {
        probe.name: probe
        for probe in (
            _walk_probe("gates", True),
            _walk_probe("signs", False),
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


class StrictProbeWorld(ProbeWorld):
    """A probe that ends with outcome 0 at a step that is none of its actions. Call `reset` first."""

    def step(self, action: str) -> Reply:
        """Execute one action given as free text."""
        if action not in self.probe.actions:
            return Reply("This is no action.", False, True, 0.0, f"possible: {', '.join(self.admissible())}")
        return super().step(action)


def control_environment(name: str) -> Environment:
    """A control probe as a world; its tasks are its variants, the same in every split.

    Raises:
        ValueError: there is no such probe.
    """
    if name not in CONTROL_PROBES:
        raise ValueError(f"no control probe {name!r}; there are: {', '.join(CONTROL_PROBES)}")
    probe = CONTROL_PROBES[name]

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
