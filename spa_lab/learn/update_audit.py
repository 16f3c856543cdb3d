"""What the gradient saw: rewards, advantages and KL per token and step, as PPO really used them.

Between a credit and a gradient stand masks, a value head, discounts per token, a normalisation over the batch
and a KL term, and each of them can undo the credit without a word. The tables show what was left of it; the
alarms say it in plain words. At the start of an update the ratio is 1, and then both parts of the loss push
the log-probability of a token in the same unit:

push of the advantage = (A - mean) / std over the batch,  push of KL = kl_coef * log(pi_ref / pi_old)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spa_lab.agent.rollout import Episode
from spa_lab.credit.methods.readers import decayed
from spa_lab.types import FloatArray


class SeenRow(Protocol):
    """One episode as an update sees it, such as `learn.ppo.PPORows`; arrays over its L tokens."""

    @property
    def episode(self) -> Episode:
        """The episode with its tokens."""

    @property
    def reference(self) -> FloatArray:
        """(L,) log-probability under the cloned policy, nats."""

    @property
    def rewards(self) -> FloatArray:
        """(L,) outcome units."""

    @property
    def values(self) -> FloatArray:
        """(L,) value head, outcome units."""

    @property
    def advantages(self) -> FloatArray:
        """(L,) before normalisation, outcome units."""


@dataclass(frozen=True)
class Rules:
    """How rewards became advantages; the fields of the same names in `learn.ppo.PPOConfig`."""

    gamma: float
    """Discount per token."""
    lam: float
    """Trace decay per token."""
    kl_coef: float
    """Weight of KL to the cloned policy, per nat."""
    all_tokens: bool = False
    """GAE runs over observation tokens, too (`gae_over="all_tokens"`, released code)."""


class Alarm(NamedTuple):
    """One thing that can go wrong, looked for."""

    name: str
    raised: bool
    share: float
    """How much of what was looked at is concerned, in [0, 1]; see the text."""
    text: str
    """In plain words, with numbers."""


@dataclass(frozen=True, eq=False)
class GradientView:
    """Everything that one update saw."""

    tokens: pd.DataFrame
    """See `token_table`."""
    steps: pd.DataFrame
    """See `step_table`."""
    alarms: tuple[Alarm, ...]

    def render(self) -> str:
        """The alarms as lines of text, the raised ones first."""
        ordered = sorted(self.alarms, key=lambda alarm: not alarm.raised)
        return "\n".join(f"{'ALARM' if one.raised else 'fine':<6} {one.text}" for one in ordered)


def what_the_gradient_saw(rows: Sequence[SeenRow], rules: Rules) -> GradientView:
    """Tables and alarms of the rows of one update.

    Args:
        rows: all episodes of the update, e.g. of `PPOTrainer.prepare`: the normalisation is over all of them.
        rules: how the advantages were made.

    Raises:
        ValueError: no rows.
    """
    if not rows:
        raise ValueError("needs at least 1 row to look at, got 0")
    tokens = token_table(rows, rules)
    steps = step_table(rows, tokens)
    alarms = (
        *_zero(steps), _flat(steps), _drowned(tokens, steps), _border(rows, rules),
        _observations(rows, rules), _ungrounded(steps), _failures(steps), _mask(rows), _other(rows, rules),
    )  # fmt: skip
    return GradientView(tokens, steps, alarms)


def token_table(rows: Sequence[SeenRow], rules: Rules) -> pd.DataFrame:
    """One row per token that the policy wrote.

    Columns:
        trajectory_id: str; step, position: int64, the token's step and its place in the episode.
        token: int64, its id.
        reward, value, advantage: float64, outcome units.
        push: float64, the normalised advantage: what the surrogate multiplies the ratio by.
        kl: float64, nats, log-probability when sampled less that under the cloned policy.
        kl_push: float64, in the unit of `push`.
    """
    wrote = [_wrote(row) for row in rows]
    lengths = [int(one.sum()) for one in wrote]

    def flat(arrays: Sequence[NDArray]) -> NDArray:
        return np.concatenate([array[one] for array, one in zip(arrays, wrote, strict=True)])

    advantage = flat([row.advantages for row in rows])
    kl = flat([np.array(row.episode.logprobs) - row.reference for row in rows])
    return pd.DataFrame(
        {
            "trajectory_id": np.repeat([row.episode.trajectory.id for row in rows], lengths),
            "step": flat([np.array(row.episode.row.step) for row in rows]),
            "position": flat([np.arange(len(one)) for one in wrote]),
            "token": flat([np.array(row.episode.row.ids) for row in rows]),
            "reward": flat([row.rewards for row in rows]),
            "value": flat([row.values for row in rows]),
            "advantage": advantage,
            "push": (advantage - advantage.mean()) / (advantage.std() + 1e-8),
            "kl": kl,
            "kl_push": -rules.kl_coef * kl,
        }
    )


def step_table(rows: Sequence[SeenRow], tokens: pd.DataFrame) -> pd.DataFrame:
    """One row per step, in the order of the rows.

    Columns:
        trajectory_id: str; step: int64; grounded, success: bool; n_tokens: int64, written.
        reward: float64, outcome units, what the step was paid.
        advantage, push, kl_push: float64, means over its tokens; `largest`: the largest |advantage|.
        kl: float64, nats, sum over its tokens.
    """
    grouped = tokens.groupby(["trajectory_id", "step"], sort=False)
    table = grouped.agg(
        n_tokens=("token", "size"),
        reward=("reward", "sum"),
        advantage=("advantage", "mean"),
        largest=("advantage", lambda own: float(own.abs().max())),
        push=("push", "mean"),
        kl=("kl", "sum"),
        kl_push=("kl_push", "mean"),
    ).reset_index()
    trajectories = [row.episode.trajectory for row in rows]
    table.insert(2, "grounded", np.concatenate([one.grounded for one in trajectories]))
    table.insert(3, "success", np.repeat([one.success for one in trajectories], list(map(len, trajectories))))
    return table


def _zero(steps: pd.DataFrame) -> tuple[Alarm, Alarm]:
    nothing = steps["largest"] < 1e-12
    equal = float(steps["push"].abs().max()) < 1e-6
    silent = Alarm(
        "zero_advantage", bool(nothing.any()), float(nothing.mean()),
        f"{int(nothing.sum())} of {len(steps)} steps have an advantage of exactly 0 and teach nothing.",
    )  # fmt: skip
    alike = Alarm(
        "no_difference", equal, float(equal),
        f"the normalised advantages reach {steps['push'].abs().max():.2g}"
        + (": all tokens count alike and the update is noise." if equal else "."),
    )  # fmt: skip
    return silent, alike


def _flat(steps: pd.DataFrame) -> Alarm:
    """Credit that was given per step arrives as one number per trajectory."""
    grouped = steps.groupby("trajectory_id", sort=False)["reward"]
    longer = grouped.size() > 1
    flat = (grouped.max() - grouped.min())[longer].abs() < 1e-12
    share = float(flat.mean()) if len(flat) else 0.0
    text = f"in {int(flat.sum())} of {len(flat)} episodes all steps were paid the same: no credit per step."
    return Alarm("same_for_all_steps", share > 0.5, share, text)


def _drowned(tokens: pd.DataFrame, steps: pd.DataFrame) -> Alarm:
    """KL against what tells one step of an episode from another."""
    mean = steps.groupby("trajectory_id", sort=False)["push"].transform("mean")
    signal, pull = _rms(steps["push"] - mean), _rms(tokens["kl_push"])
    text = f"KL pushes tokens by {pull:.3f}, the difference between steps by {signal:.3f} (RMS, same unit)."
    return Alarm("kl_above_signal", pull > signal, pull / (pull + signal) if pull else 0.0, text)


def _border(rows: Sequence[SeenRow], rules: Rules, *, least: float = 0.05) -> Alarm:
    """How much of a step's reward reaches the last token of the step before."""
    carried = []
    for row in rows:
        ends = _ends(row, rules)
        carried += ((rules.gamma * rules.lam) ** np.diff(ends)).tolist()
    median = float(np.median(carried)) if carried else 1.0
    text = f"of a step's reward {median:.1%} reaches the step before it (median over step borders)."
    return Alarm("never_crosses_border", median < least, 1.0 - median, text)


def _observations(rows: Sequence[SeenRow], rules: Rules, *, longer: int = 32) -> Alarm:
    """The same steps, rewards and values, with longer replies of the world between them."""
    changes, sizes = [], []
    for row in rows:
        step, wrote = np.array(row.episode.row.step), _wrote(row)
        first = np.flatnonzero(wrote[1:] & ~wrote[:-1]) + 1  # where a reply ends and a step begins
        at = np.repeat(first[1:], longer)
        stretched = np.insert(step, at, -1)
        rewards, values = (np.insert(array, at, 0.0) for array in (row.rewards, row.values))
        before = estimated(row.rewards, row.values, step, rules)[wrote]
        changes.append(estimated(rewards, values, stretched, rules)[stretched >= 0] - before)
        sizes.append(before)
    change, size = _rms(np.concatenate(changes)), _rms(np.concatenate(sizes))
    share = change / size if size else 0.0
    text = f"replies that are {longer} tokens longer change the advantages by {share:.1%} of their size."
    return Alarm("observation_length", share > 0.01, min(share, 1.0), text)


def _ungrounded(steps: pd.DataFrame) -> Alarm:
    refused = steps[~steps["grounded"]]
    paid, pushed = int((refused["reward"] > 0).sum()), int((refused["push"] > 0).sum())
    share = paid / len(refused) if len(refused) else 0.0
    text = f"{paid} of {len(refused)} steps that the world refused were paid; {pushed} are made likelier."
    return Alarm("ungrounded_paid", share > 0.05, share, text)


def _failures(steps: pd.DataFrame) -> Alarm:
    """What an episode earns should not be more where it fails."""
    grouped = steps.groupby("trajectory_id", sort=False)
    earned, success = grouped["reward"].sum(), grouped["success"].first()
    won, lost = earned[success], earned[~success]
    both = bool(len(won) and len(lost))
    text = "successes and failures cannot be compared: one kind is missing."
    if both:
        text = f"a success earns {won.mean():+.2f} in all, a failure {lost.mean():+.2f}."
    return Alarm(
        "failures_earn_more",
        both and lost.mean() > won.mean(),
        float(both and (lost > won.mean()).mean()),
        text,
    )


def _mask(rows: Sequence[SeenRow]) -> Alarm:
    leaked = sum(int(np.count_nonzero(row.advantages[~_wrote(row)])) for row in rows)
    n = sum(len(row.advantages) for row in rows)
    text = f"{leaked} of {n} tokens carry an advantage although the policy did not write them."
    return Alarm("mask_leaks", leaked > 0, leaked / n, text)


def _other(rows: Sequence[SeenRow], rules: Rules) -> Alarm:
    """Whether the advantages are those of the rules at all: the other findings rest on that."""
    worst = max(
        float(
            np.abs(
                estimated(row.rewards, row.values, np.array(row.episode.row.step), rules) - row.advantages
            ).max()
        )
        for row in rows
    )
    text = f"the advantages differ from GAE under the stated rules by at most {worst:.2g}."
    return Alarm("not_these_rules", worst > 1e-6, float(worst > 1e-6), text)


def estimated(rewards: FloatArray, values: FloatArray, step: NDArray[np.int64], rules: Rules) -> FloatArray:
    """(L,) GAE over the written tokens, or over all with value and reward 0 where nothing was written.

    Args:
        rewards: (L,) outcome units.
        values: (L,) outcome units, 0 where the policy did not write.
        step: (L,) index of the step of each token, -1 where the policy did not write.
        rules: discount, decay and which tokens.
    """
    wrote = step >= 0
    use = np.ones_like(wrote) if rules.all_tokens else wrote
    own = values[use]
    delta = rewards[use] + rules.gamma * np.append(own[1:], 0.0) - own
    result = np.zeros(len(step))
    result[use] = decayed(delta, rules.gamma * rules.lam)
    result[~wrote] = 0.0
    return result


def _wrote(row: SeenRow) -> NDArray[np.bool_]:
    return np.array(row.episode.row.step) >= 0


def _ends(row: SeenRow, rules: Rules) -> NDArray[np.intp]:
    """(T,) place of each step's last token among the tokens that GAE runs over."""
    step = np.array(row.episode.row.step)
    used = step if rules.all_tokens else step[step >= 0]
    following = np.append(used[1:], -2)
    return np.flatnonzero((used >= 0) & (following != used))


def _rms(values: FloatArray | pd.Series) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
