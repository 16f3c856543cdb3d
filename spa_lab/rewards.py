"""Rewards of steps: grounding, fusion with a credit, and the credits that need no model.

PPO is trained on the fused reward r_t = alpha * c_t + beta * g_t (arXiv:2505.20732). Where the paper and its
released code differ, the paper's behaviour is the default and the released one a named option. Rewards are
per step; `spa_lab.advantages` places them on tokens.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import get_args

import numpy as np

from spa_lab.configs.checks import check_choice
from spa_lab.configs.reward import GroundingRule, RewardConfig, StepWeight
from spa_lab.types import Credit, FloatArray, Trajectory


def fuse(trajectory: Trajectory, credit: Credit, config: RewardConfig) -> FloatArray:
    """Training reward of each step: the weighted contribution plus the grounding term.

    r_t = w_t * (alpha * c_t + beta * g_t), w_t = 1                                   SPA, fused reward
    with `residual="last"`: c_{T-1} + e in place of c_{T-1}, e = R - base_value - sum_k c_k
    with `residual="spread"`: c_t + e / T in place of c_t

    The credit's `base_value` belongs to no step and is not paid. With "last", what a step is paid wrongly is
    charged back after it: at gamma = lambda = 1 its advantage does not gain. With "spread" it gains, see
    `RewardConfig.residual`.

    Args:
        trajectory: T steps.
        credit: contributions c (T,), outcome units, of the same trajectory.
        config: alpha, beta and the variants.

    Returns:
        (T,) float64, outcome units.

    Raises:
        ValueError: `credit` belongs to another trajectory or has another length; or the grounding (with
            beta other than 0) or the outcome (with a residual) is unknown.

    Departs from the released code, where c_t is R minus the mean of the other rollouts (`leave_one_out`)
    and w_t = T - t - 1 (`step_weight="remaining"`).
    """
    _check_same(trajectory, credit)
    contributions = credit.contributions
    if config.residual == "spread":
        error = trajectory.known_outcome - credit.predicted_outcome
        contributions = contributions + error / len(trajectory)
    elif config.residual == "last":
        error = trajectory.known_outcome - credit.predicted_outcome
        contributions = contributions + np.append(np.zeros(len(trajectory) - 1), error)
    reward = config.alpha * contributions
    if config.beta:
        executable = grounding(trajectory, config.grounding_rule)
        reward = reward + config.beta * (executable if config.grounding_form == "bonus" else executable - 1.0)
    return reward * step_weights(len(trajectory), config.step_weight)


def step_weights(n_steps: int, weight: StepWeight) -> FloatArray:
    """(T,) w_t: 1, or T - t - 1 (the released ppo/step_ppotrainer.py:396)."""
    return np.arange(n_steps - 1.0, -1.0, -1.0) if weight == "remaining" else np.ones(n_steps)


def grounding(trajectory: Trajectory, rule: GroundingRule = "world") -> FloatArray:
    """g_t of each step: 1 if the world could execute the action, else 0.

    Args:
        trajectory: T steps.
        rule: "world" takes what the world reported. "substring" is the released prm/rl_data_org.py:77-90:
            0 only where the reply contains "Nothing happens", and always 1 on the last step, whose reply
            the released data lack. It counts unreadable actions, and every WebShop step, as grounded.

    Returns:
        (T,) float64, each 0 or 1.

    Raises:
        ValueError: unknown rule.
    """
    check_choice("rule", rule, get_args(GroundingRule))
    if rule == "world":
        return trajectory.grounded.astype(np.float64)
    refused = ["Nothing happens" in step.observation for step in trajectory.steps[:-1]]
    return 1.0 - np.array([*refused, False], dtype=np.float64)


def terminal(trajectory: Trajectory) -> Credit:
    """All of R on the last step: what PPO with a terminal reward sees."""
    contributions = np.zeros(len(trajectory))
    contributions[-1] = trajectory.known_outcome
    return Credit(trajectory.id, "terminal", contributions)


def mean(trajectory: Trajectory) -> Credit:
    """R / T on every step: the paper's "Mean" arm.

    Not causal: a step that is summed up with all later ones sees the share 1 - t / T of R, late steps nearly
    nothing, and of two successes the later one pays its steps more.
    """
    n_steps = len(trajectory)
    return Credit(trajectory.id, "mean", np.full(n_steps, trajectory.known_outcome / n_steps))


MODEL_FREE: Mapping[str, Callable[[Trajectory], Credit]] = MappingProxyType(
    {"terminal": terminal, "mean": mean}
)
"""Credits that need nothing but the outcome, so that every trajectory with a known one has them."""


def random(trajectory: Trajectory, *, rng: np.random.Generator) -> Credit:
    """R split at random: the paper's "Random" arm, whose distribution is not published.

    Here the shares are uniform over all splits into T parts >= 0 (flat Dirichlet) and sum to R.

    Args:
        trajectory: T steps.
        rng: source of the split; advanced by one draw.

    Returns:
        Contributions (T,) in [0, R], outcome units.
    """
    shares = rng.dirichlet(np.ones(len(trajectory)))
    return Credit(trajectory.id, "random", trajectory.known_outcome * shares)


def leave_one_out(trajectories: Sequence[Trajectory]) -> list[Credit]:
    """R minus the mean R of the other rollouts of the same task, the same on every step.

    This is what the released PPO trains on in place of the estimator's output (prm/rl_data_org.py:36-43,73);
    a task with one rollout gives its raw R there and here. It is an advantage, not a split of R: the
    contributions do not sum to the outcome.

    Args:
        trajectories: any number of rollouts of any tasks, in any order.

    Returns:
        One credit per trajectory, in the given order, contributions (T,) in [-1, 1], outcome units.
    """
    outcomes: dict[tuple[str, str], list[float]] = defaultdict(list)
    for trajectory in trajectories:
        outcomes[trajectory.env, trajectory.task_id].append(trajectory.known_outcome)
    credits = []
    for trajectory in trajectories:
        group = outcomes[trajectory.env, trajectory.task_id]
        others = len(group) - 1
        baseline = (math.fsum(group) - trajectory.known_outcome) / others if others else 0.0
        advantage = np.full(len(trajectory), trajectory.known_outcome - baseline)
        credits.append(Credit(trajectory.id, "leave_one_out", advantage))
    return credits


def _check_same(trajectory: Trajectory, credit: Credit) -> None:
    if credit.trajectory_id != trajectory.id:
        raise ValueError(
            f"credit by {credit.source!r} belongs to {credit.trajectory_id!r}, not to {trajectory.id!r}"
        )
    if len(credit) != len(trajectory):
        raise ValueError(
            f"credit of {trajectory.id!r} by {credit.source!r} has {len(credit)} contributions, "
            f"the trajectory has {len(trajectory)} steps"
        )


NO_SPLIT = frozenset(
    {
        "critic_gae", "gigpo", "gigpo_progress", "leave_one_out", "occlusion", "ipr", "math_shepherd",
        "grounding",
    }
)  # fmt: skip
"""Built-in sources of advantages, of differences that are no split, of values, which `ipr` and
`math_shepherd` give, and of marks."""


def predicts_outcome(source: str) -> bool:
    """Whether the contributions of a source are parts of the outcome, so that their sum says something of R.

    False for the built-in sources that are no split of R, such as the advantages of GiGPO, whose sum over an
    episode may be -20; a number of continuations at the end of the name makes no difference. Sources from
    elsewhere are taken to predict R.
    """
    return re.sub(r"_\d+$", "", source) not in NO_SPLIT


EXACT = 1e-9
"""Outcome units: a sum that is nowhere further from R is R by construction."""


def is_prediction(credit: Credit, outcome: float | None) -> bool:
    """Whether base value and contributions predict R, rather than add up to R by construction or to no R.

    Args:
        credit: of an episode.
        outcome: of the episode, None if unknown; a source that divides it, such as `terminal`, was told it.
    """
    told = outcome is not None and abs(credit.predicted_outcome - outcome) < EXACT
    return predicts_outcome(credit.source) and not told
