"""A judge's numbers from a file as step rewards: PPO in one pass over the explorations that were scored.

    # my_judge.py
    from spa_lab.pipeline.judged import judged

    METHOD = judged("scores.jsonl")        # then: spa-lab run --method my_judge:METHOD ...

The explorations are in the run folder, `trajectories/explore.jsonl`, once another method has trained there.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from spa_lab.agent.codec import TokenRow
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.ppo import ppo
from spa_lab.learn.recorded import recorded_explorations
from spa_lab.learn.step_rewards import paid_as_it_is
from spa_lab.pipeline.labels import recorded_scores
from spa_lab.types import Credit, Trajectory


def judged(path: str | Path, name: str = "judge") -> TrainingMethod:
    """A training method that pays each step what a file says, and grounding.

    A judge's numbers need not add up to the outcome: the error of their sum is kept, nothing is clipped.

    Args:
        path: see `importers.scores`; must score every exploration that the method learns from.
        name: of the method in runs and tables.
    """
    method, file = recorded_scores(str(path)), Path(path)

    def scores(trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None) -> list[Credit]:
        return method(trajectories)

    def make(inputs: TrainingInputs) -> Learner:
        scores(inputs.explored)  # a missing score is an error before the training, not in its midst
        reward = paid_as_it_is(inputs.preset.reward, scores)
        return ppo(inputs, reward, recorded=recorded_explorations(inputs))

    return TrainingMethod(
        name=name, title=f"scores of {file.name}", origin="a file", make=make,
        needs=frozenset({"explored"}),
        facts=lambda: {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
    )  # fmt: skip
