"""A fit to the explorations that is made once in a run, also if the run is killed and resumed."""

from collections.abc import Callable

from spa_lab.learn.checkpoint import LearnerState


class FirstFit:
    """Makes the fit at the first call; none after a state was loaded in which it was made.

    A learner is made again when a run is resumed, and what it had fitted comes from the saved state: a fit in
    its constructor would be thrown away.

    Args:
        fit: makes it; its result must not depend on when it is made.
    """

    def __init__(self, fit: Callable[[], object]) -> None:
        self._fit = fit
        self.is_made = False

    def __call__(self) -> None:
        """Make the fit, unless it is made."""
        if not self.is_made:
            self.is_made = True
            self._fit()

    def state(self) -> LearnerState:
        """Whether it is made; its result is saved by whoever has it."""
        return LearnerState(facts={"is_made": self.is_made})

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`."""
        self.is_made = bool(state.facts["is_made"])
