"""A hindsight model that learns during training: explorations first, then the episodes of each iteration."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from spa_lab.agent.codec import TokenRow
from spa_lab.learn.checkpoint import LearnerState, merge_states, split_state
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.first_fit import FirstFit
from spa_lab.learn.graded_rows import GradedRow, graded, graded_state, load_graded
from spa_lab.learn.hindsight import HindsightModel
from spa_lab.learn.method import TrainingInputs
from spa_lab.types import FloatArray, Trajectory


class HindsightFits:
    """The model, and the episodes of the last iterations, which it is fitted to after each iteration.

    Args:
        inputs: of the method; explorations that the model is fitted to before it is first read.
        extra: counts the updates.
    """

    def __init__(self, inputs: TrainingInputs, extra: ExtraCost) -> None:
        self.inputs, self.extra, self.config = inputs, extra, inputs.preset.hindsight
        self.model = HindsightModel(inputs.policy, self.config)
        self.recent: deque[list[GradedRow]] = deque(maxlen=self.config.replay)
        self.n_added = 0
        """Iterations that were learnt from."""
        self.first_fit = FirstFit(self._fit_explored)

    def explored_rows(self) -> list[TokenRow]:
        """The tokens of the explorations."""
        return self.inputs.policy.codec.rows_of(self.inputs.explored, self.inputs.explored_rows)

    def log_ratios(self, rows: Sequence[TokenRow]) -> list[FloatArray]:
        """(T,) of each episode by the present model, see `HindsightModel.log_ratios`."""
        self.first_fit()
        return self.model.log_ratios(rows)

    def learn(self, rows: Sequence[TokenRow], trajectories: Sequence[Trajectory]) -> None:
        """Fit the model to the episodes of an iteration and of those before it that are kept."""
        self.first_fit()
        self.recent.append(_with_outcomes(rows, trajectories))
        self.n_added += 1
        self._fit([row for iteration in self.recent for row in iteration], self.config.refit_epochs)

    def state(self) -> LearnerState:
        """Weights of the model and the kept episodes."""
        kept = [graded_state(rows) for rows in self.recent]
        counted = LearnerState(facts={"added": self.n_added, "kept": len(kept)})
        parts = {f"iteration {i}": part for i, part in enumerate(kept)}
        first_fit = self.first_fit.state()
        return merge_states(parts | {"model": self.model.state(), "counted": counted, "first fit": first_fit})

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`; raises ValueError if a part is missing."""
        facts = split_state(state, "counted").facts
        self.model.load_state(split_state(state, "model"))
        self.first_fit.load_state(split_state(state, "first fit"))
        self.n_added = int(facts["added"])
        self.recent.clear()
        self.recent.extend(
            load_graded(split_state(state, f"iteration {i}")) for i in range(int(facts["kept"]))
        )

    def _fit_explored(self) -> None:
        rows = self.explored_rows()
        self._fit(_with_outcomes(rows, self.inputs.explored), self.config.epochs)

    def _fit(self, rows: Sequence[GradedRow], epochs: int) -> None:
        rng = self.inputs.stream(f"hindsight {self.n_added}")
        outcomes = [float(row.target[0]) for row in rows]
        self.extra.add(updates=self.model.fit([row.row for row in rows], outcomes, epochs=epochs, rng=rng))


def _with_outcomes(rows: Sequence[TokenRow], trajectories: Sequence[Trajectory]) -> list[GradedRow]:
    """Every step has its episode's outcome as target."""
    return graded(rows, [np.full(len(trajectory), trajectory.known_outcome) for trajectory in trajectories])
