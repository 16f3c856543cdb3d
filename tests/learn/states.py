"""A checkpoint in memory, stored as a run stores it: tensors and JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from safetensors.torch import load, save

from spa_lab.learn.checkpoint import LearnerState


def stored(state: LearnerState) -> LearnerState:
    """What comes back of `state` from safetensors and JSON."""
    return LearnerState(load(save(dict(state.tensors))), json.loads(json.dumps(state.facts)))


@dataclass
class KeptStates:
    """Keeps every state; gives the last."""

    states: Sequence[LearnerState] = field(default_factory=list)

    def load(self) -> LearnerState | None:
        return self.states[-1] if self.states else None

    def save(self, state: LearnerState) -> None:
        self.states = [*self.states, stored(state)]
