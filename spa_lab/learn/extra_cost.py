"""What a method spends in an iteration beside the episodes and the policy updates that every method has."""


class ExtraCost:
    """Counts continuations and gradient steps until the learner reports them, once an iteration."""

    def __init__(self) -> None:
        self._rollouts, self._updates = 0, 0

    def add(self, *, rollouts: int = 0, updates: int = 0) -> None:
        """Count more.

        Args:
            rollouts: episodes or continuations that were played and are not learnt from themselves.
            updates: optimiser steps of other models than the policy and its critic.
        """
        self._rollouts += rollouts
        self._updates += updates

    def taken(self) -> dict[str, float]:
        """The metrics `extra_rollouts` and `extra_updates` since the last call; starts again from 0."""
        metrics = {"extra_rollouts": float(self._rollouts), "extra_updates": float(self._updates)}
        self._rollouts, self._updates = 0, 0
        return metrics
