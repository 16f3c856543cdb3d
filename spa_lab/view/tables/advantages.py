"""From credit to reward and advantage: every step of one trajectory under given settings.

Uses the functions that training uses. Advantages are before normalisation and without the KL term; for those
in a real update see `learn.update_audit`.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from spa_lab.advantages import gae
from spa_lab.configs.reward import GroundingForm, Residual, RewardConfig
from spa_lab.rewards import fuse, grounding, terminal
from spa_lab.types import Credit, FloatArray, Trajectory, ValueTruth

Placement = Literal["last token", "first token", "all tokens"]
Granularity = Literal["token", "step"]
Critic = Literal["none", "truth"]


@dataclass(frozen=True)
class AdvantageSettings:
    """How a credit becomes an advantage; the defaults are those of the PPO preset."""

    alpha: float = 1.0
    """Weight of the contribution, >= 0."""
    beta: float = 0.5
    """Weight of grounding, outcome units, >= 0."""
    gamma: float = 0.99
    """Discount per action, in [0, 1]; an action is a token or a step, see `granularity`."""
    lam: float = 0.95
    """GAE's trace decay per action, in [0, 1]."""
    placement: Placement = "last token"
    """Token of a step that receives its reward; "all tokens": equal parts."""
    granularity: Granularity = "token"
    """"step": the whole step is one action, and all of its tokens get its advantage."""
    grounding_form: GroundingForm = "bonus"
    residual: Residual = "kept"
    """What happens to the credit's error, see `RewardConfig.residual`."""
    critic: Critic = "none"
    """"none": V = 0 everywhere, an untrained critic. "truth": the measured V(h_t) before every step."""

    def __post_init__(self) -> None:
        self.as_fused()  # checks its own fields
        if not (0 <= self.gamma <= 1 and 0 <= self.lam <= 1):
            raise ValueError(f"gamma and lam must lie in [0, 1], got {self.gamma} and {self.lam}")
        for name, kind in (("placement", Placement), ("granularity", Granularity), ("critic", Critic)):
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name} must be one of {get_args(kind)}, got {getattr(self, name)!r}")

    def as_fused(self) -> RewardConfig:
        """The part that `rewards.fuse` takes."""
        return RewardConfig(self.alpha, self.beta, self.grounding_form, residual=self.residual)


def advantage_table(
    trajectory: Trajectory,
    credit: Credit,
    settings: AdvantageSettings,
    *,
    truth: ValueTruth | None = None,
    n_tokens: list[int] | None = None,
) -> pd.DataFrame:
    """One row per step: its reward and its advantage.

    Columns:
        step: int64; n_tokens: int64, tokens written in the step.
        contribution, grounding: float64, c_t and g_t; g_t is NaN where it is unknown and beta is 0.
        grounding_form: str, "bonus" or "penalty", the same in every row.
        residual: str, "kept", "spread" or "last", the same in every row.
        from_error: float64, outcome units, the step's part of the residual, times alpha; 0 if it is kept.
        from_credit, from_grounding: float64, outcome units, the two parts of the reward; the first includes
            `from_error`.
        reward: float64, outcome units, their sum r_t.
        advantage: float64, outcome units, mean over the step's tokens.
        terminal: float64, outcome units, the advantage if R on the last step were the only reward.
        reach: float64, share of a reward at the end of the last step that reaches this step.

    Args:
        trajectory: T steps.
        credit: of this trajectory.
        settings: weights, discounts, placement, critic.
        truth: needed for `critic="truth"`.
        n_tokens: (T,) tokens of each step, >= 1; estimated by `word_count` if None.

    Raises:
        ValueError: the credit or the token counts do not fit the trajectory, the truth is missing, or the
            outcome, or the grounding with beta other than 0, is unknown.
    """
    counts = [word_count(step.text) for step in trajectory.steps] if n_tokens is None else n_tokens
    if len(counts) != len(trajectory) or min(counts) < 1:
        raise ValueError(f"{trajectory.id!r}: needs {len(trajectory)} token counts >= 1, got {counts}")
    return _frame(trajectory, credit, settings, _values(trajectory, settings, truth), counts)


def _frame(
    trajectory: Trajectory, credit: Credit, settings: AdvantageSettings, values: FloatArray, counts: list[int]
) -> pd.DataFrame:
    config = settings.as_fused()
    from_credit = fuse(trajectory, credit, replace(config, beta=0.0))
    kept = fuse(trajectory, credit, replace(config, beta=0.0, residual="kept"))
    reward = fuse(trajectory, credit, config)
    last = np.zeros(len(trajectory))
    last[-1] = 1.0
    at_end = AdvantageSettings(gamma=settings.gamma, lam=settings.lam, granularity=settings.granularity)
    return pd.DataFrame(
        {
            "step": np.arange(len(trajectory)),
            "n_tokens": np.array(counts, dtype=np.int64),
            "contribution": credit.contributions,
            "grounding": _grounding(trajectory, settings),
            "grounding_form": settings.grounding_form,
            "residual": settings.residual,
            "from_error": from_credit - kept,
            "from_credit": from_credit,
            "from_grounding": fuse(trajectory, credit, replace(config, alpha=0.0)),
            "reward": reward,
            "advantage": step_advantages(reward, values, counts, settings),
            "terminal": step_advantages(terminal(trajectory).contributions, values, counts, at_end),
            "reach": step_advantages(last, np.zeros(len(trajectory)), counts, at_end),
        }
    )


def _grounding(trajectory: Trajectory, settings: AdvantageSettings) -> FloatArray:
    """g_t of each step; where it is not paid it may be unknown."""
    if settings.beta:
        return grounding(trajectory)
    return np.array([np.nan if step.grounded is None else float(step.grounded) for step in trajectory.steps])


def step_advantages(
    rewards: FloatArray, values: FloatArray, counts: list[int], settings: AdvantageSettings
) -> FloatArray:
    """(T,) float64, outcome units: generalised advantage of each step, the mean over its tokens.

    Args:
        rewards: (T,) of the steps.
        values: (T,) V before each step, the same for all of its tokens.
        counts: (T,) tokens of each step, >= 1.
        settings: discounts, placement and granularity.
    """
    if settings.granularity == "step":
        return gae(rewards, values, gamma=settings.gamma, lam=settings.lam)
    step_of = np.repeat(np.arange(len(counts)), counts)
    ends = np.cumsum(counts)
    tokens = np.zeros(len(step_of))
    if settings.placement == "last token":
        tokens[ends - 1] = rewards
    elif settings.placement == "first token":
        tokens[ends - np.array(counts)] = rewards
    else:
        tokens = (rewards / np.array(counts))[step_of]
    advantages = gae(tokens, values[step_of], gamma=settings.gamma, lam=settings.lam)  # (tokens,)
    return np.bincount(step_of, weights=advantages) / np.array(counts)


def word_count(text: str) -> int:
    """Words and punctuation marks of a text plus 1 for its end: roughly its tokens.

    Steps in the household have 20; the tokenizer of SmolLM2 gives 26 and that of the small agents, which has
    frequent phrases as single tokens, 7.
    """
    return len(re.findall(r"\w+|[^\w\s]", text)) + 1


def credit_term(frame: pd.DataFrame) -> str:
    """The credit's part of the reward as a formula, with e = R - base_value - sum_k c_k if it is paid."""
    if not frame["from_error"].any():
        return "α·ĉ"
    return "α·(ĉ + e/T)" if frame["residual"].iloc[0] == "spread" else "α·(ĉ + e at the last step)"


def grounding_term(frame: pd.DataFrame) -> str:
    """Grounding's part of the reward as a formula."""
    return "β·g" if frame["grounding_form"].iloc[0] == "bonus" else "β·(g − 1)"


def half_reach(frame: pd.DataFrame) -> int | None:
    """Steps from the last one back to the nearest that less than half of a final reward reaches, or None."""
    below = np.flatnonzero(frame["reach"].to_numpy() < 0.5)
    return int(len(frame) - 1 - below[-1]) if len(below) else None


def _values(trajectory: Trajectory, settings: AdvantageSettings, truth: ValueTruth | None) -> FloatArray:
    if settings.critic == "none":
        return np.zeros(len(trajectory))
    if truth is None or truth.trajectory_id != trajectory.id or len(truth.progress) != len(trajectory):
        raise ValueError(f"{trajectory.id!r}: the critic 'truth' needs a measurement of this trajectory")
    return truth.values[:-1]
