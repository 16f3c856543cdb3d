"""States of interrupted training: everything that is needed to continue bit for bit.

A state holds tensors and JSON facts only, so it can be stored as safetensors and JSON; where and how is the
caller's choice (`Checkpoint`).
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class LearnerState:
    """A snapshot; later training does not change it."""

    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    """By dotted name; on the CPU, contiguous, none shares memory with another."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Values that JSON can hold: counters and the states of random generators."""


class Stateful(Protocol):
    """An object whose state can be saved and restored."""

    def state(self) -> LearnerState:
        """A snapshot of everything that changes during training."""

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`, taken from an object that was built with the same arguments.

        Raises:
            ValueError: the state is of another kind or shape.
        """


class Checkpoint(Protocol):
    """Where a long fit saves its state at the end of each epoch."""

    def load(self) -> LearnerState | None:
        """The last state saved, or None to start from the beginning."""

    def save(self, state: LearnerState) -> None:
        """Replace the saved state by `state`, atomically."""


def snapshot(tensor: Tensor) -> Tensor:
    """A contiguous copy on the CPU."""
    return tensor.detach().cpu().clone().contiguous()


def merge_states(parts: Mapping[str, LearnerState]) -> LearnerState:
    """One state of several named parts, as `split_state` takes apart."""
    tensors = {f"{part}/{name}": t for part, state in parts.items() for name, t in state.tensors.items()}
    return LearnerState(tensors, {part: dict(state.facts) for part, state in parts.items()})


def split_state(state: LearnerState, part: str) -> LearnerState:
    """The part that `merge_states` stored under the name `part`.

    Raises:
        ValueError: there is none.
    """
    if part not in state.facts:
        raise ValueError(f"state: no part {part!r}; there are: {', '.join(map(str, state.facts)) or 'none'}")
    start = f"{part}/"
    tensors = {name.removeprefix(start): t for name, t in state.tensors.items() if name.startswith(start)}
    return LearnerState(tensors, state.facts[part])


def weights_state(module: nn.Module) -> LearnerState:
    """The parameters of `module` that are trained; frozen ones are not saved."""
    return LearnerState({name: snapshot(p) for name, p in _trained(module).items()})


def load_weights(module: nn.Module, state: LearnerState) -> None:
    """Set the trained parameters of `module`, in place.

    Raises:
        ValueError: names or shapes differ.
    """
    parameters = _trained(module)
    if parameters.keys() != state.tensors.keys():
        differing = sorted(parameters.keys() ^ state.tensors.keys())
        raise ValueError(f"state: the trained weights differ in {', '.join(differing[:3])}")
    for name, parameter in parameters.items():
        saved = state.tensors[name]
        if saved.shape != parameter.shape:
            raise ValueError(f"state: {name} has shape {tuple(saved.shape)}, not {tuple(parameter.shape)}")
        parameter.data.copy_(saved)


def training_state(
    policy: nn.Module, parts: Mapping[str, Stateful], streams: Mapping[str, random.Random], **facts: Any
) -> LearnerState:
    """The state of a policy under training.

    Args:
        policy: its trained weights are saved.
        parts: what changes with it, by name: optimizer, critic.
        streams: random numbers that are drawn from, by name.
        facts: further values that JSON can hold, such as the number of iterations.
    """
    drawn = {name: random_state(rng) for name, rng in streams.items()}
    states = {name: part.state() for name, part in parts.items()}
    learner = LearnerState(facts=facts | drawn)
    return merge_states(states | {"policy": weights_state(policy), "learner": learner})


def load_training_state(
    state: LearnerState,
    policy: nn.Module,
    parts: Mapping[str, Stateful],
    streams: Mapping[str, random.Random],
) -> Mapping[str, Any]:
    """Continue from `training_state` with the same arguments; returns its facts.

    Raises:
        ValueError: the state is of another kind or shape.
    """
    load_weights(policy, split_state(state, "policy"))
    for name, part in parts.items():
        part.load_state(split_state(state, name))
    facts = split_state(state, "learner").facts
    for name, rng in streams.items():
        set_random_state(rng, facts[name])
    return facts


def random_state(rng: random.Random) -> Any:
    """The state of `rng` as JSON."""
    version, words, gauss = rng.getstate()
    return [version, list(words), gauss]


def set_random_state(rng: random.Random, state: Any) -> None:
    """Continue `rng` from `random_state`."""
    version, words, gauss = state
    rng.setstate((version, tuple(words), gauss))


def _trained(module: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
