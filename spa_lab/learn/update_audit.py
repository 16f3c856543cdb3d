"""What the gradient saw: rewards, advantages and KL per token and step, exactly as an update used them.

Masks, a value head, discounts per token, a normalisation over the batch and a KL term lie between a credit
and a gradient, and each of them can silently cancel the credit. The tables show what was left of it; the
alarms name known failures. At the start of an update the ratio is 1, and both parts of the loss push the
log-probability of a token in the same unit:

push of the advantage = (A - mean) / std over the batch,  push of KL = kl_coef * log(pi_ref / pi_old),
with k3 kl_coef * (pi_ref / pi_old - 1)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spa_lab.advantages import bilevel_gae, step_gae, token_gae
from spa_lab.alarms import drift_alarms
from spa_lab.configs.ppo import PPOConfig
from spa_lab.learn.policy_gradient import KLForm
from spa_lab.learn.update_batch import UpdateBatch
from spa_lab.types import FloatArray


class Alarm(NamedTuple):
    """The result of one check."""

    name: str
    raised: bool
    share: float
    """Affected share of what was checked, in [0, 1]; see the text."""
    text: str
    """The finding in words, with numbers."""


@dataclass(frozen=True, eq=False)
class GradientView:
    """Tables and alarms of one update."""

    tokens: pd.DataFrame
    """See `token_table`."""
    steps: pd.DataFrame
    """See `step_table`."""
    alarms: tuple[Alarm, ...]

    def render(self) -> str:
        """The alarms as lines of text, the raised ones first."""
        ordered = sorted(self.alarms, key=lambda alarm: not alarm.raised)
        return "\n".join(f"{'ALARM' if alarm.raised else 'fine':<6} {alarm.text}" for alarm in ordered)


def what_the_gradient_saw(batch: UpdateBatch, config: PPOConfig, *, kl_form: KLForm = "k2") -> GradientView:
    """Tables and alarms of one update.

    Args:
        batch: the record of the update, e.g. of `OnPolicyLearner.prepare`.
        config: discounts and KL weight that the advantages and the loss were made with. The three alarms
            about discounting apply to GAE with a critic, and are not raised where the record has no values.
        kl_form: as in `Objective`.
    """
    tokens = token_table(batch, config, kl_form=kl_form)
    steps = step_table(batch, tokens)
    alarms = (
        *_zero(steps), _flat(steps), _drowned(tokens, steps), _border(batch, config),
        _observations(batch, config), _ungrounded(steps), _failures(steps), _mask(batch),
        _not_these_settings(batch, config), *_drift(batch),
    )  # fmt: skip
    return GradientView(tokens, steps, alarms)


def token_table(batch: UpdateBatch, config: PPOConfig, *, kl_form: KLForm = "k2") -> pd.DataFrame:
    """One row per token that the policy wrote.

    Columns:
        trajectory_id: str; step, position: int64, the token's step and its index in the episode.
        token: int64, its id.
        reward, value, advantage: float64, outcome units; 0 where the record has no rewards or values.
        push: float64, the normalised advantage: what the surrogate multiplies the ratio by.
        kl: float64, nats, log-probability when sampled minus that under the reference policy; 0 if the record
            has none.
        kl_push: float64, in the unit of `push`.
    """
    written = batch.written.numpy()  # (B, L)
    row, position = np.nonzero(written)  # (n,) each, in row order
    zeros = np.zeros(len(row))
    kl = zeros if batch.reference is None else (batch.sampled - batch.reference).numpy()[written]
    return pd.DataFrame(
        {
            "trajectory_id": np.array([trajectory.id for trajectory in batch.trajectories])[row],
            "step": batch.step.numpy()[written],
            "position": position,
            "token": batch.ids.numpy()[written],
            "reward": zeros if batch.rewards is None else batch.rewards.numpy()[written],
            "value": zeros if batch.values is None else batch.values.numpy()[written],
            "advantage": batch.advantages.numpy()[written],
            "push": batch.normalised.numpy()[written],
            "kl": kl,
            "kl_push": config.kl_coef * (np.expm1(-kl) if kl_form == "k3" else -kl),
        }
    )


def step_table(batch: UpdateBatch, tokens: pd.DataFrame) -> pd.DataFrame:
    """One row per step, in the order of the batch.

    Columns:
        trajectory_id: str; step: int64; grounded, success: bool; n_tokens: int64, written.
        reward: float64, outcome units, sum over the step's tokens.
        advantage, push, kl_push: float64, means over its tokens; `largest`: the largest |advantage|.
        kl: float64, nats, sum over its tokens.
    """
    grouped = tokens.groupby(["trajectory_id", "step"], sort=False)
    table = grouped.agg(
        n_tokens=("token", "size"),
        reward=("reward", "sum"),
        advantage=("advantage", "mean"),
        largest=("advantage", lambda advantages: float(advantages.abs().max())),
        push=("push", "mean"),
        kl=("kl", "sum"),
        kl_push=("kl_push", "mean"),
    ).reset_index()
    trajectories = batch.trajectories
    lengths = list(map(len, trajectories))
    table.insert(2, "grounded", np.concatenate([trajectory.grounded for trajectory in trajectories]))
    table.insert(3, "success", np.repeat([trajectory.known_success for trajectory in trajectories], lengths))
    return table


def _zero(steps: pd.DataFrame) -> tuple[Alarm, Alarm]:
    nothing = steps["largest"] < 1e-12
    equal = float(steps["push"].abs().max()) < 1e-6
    silent = Alarm(
        "zero_advantage", bool(nothing.any()), float(nothing.mean()),
        f"{int(nothing.sum())} of {len(steps)} steps have an advantage of exactly 0: no gradient from them.",
    )  # fmt: skip
    alike = Alarm(
        "no_difference", equal, float(equal),
        f"the normalised advantages reach {steps['push'].abs().max():.2g}"
        + (": all tokens have the same advantage, the update is noise." if equal else "."),
    )  # fmt: skip
    return silent, alike


def _flat(steps: pd.DataFrame) -> Alarm:
    """Whether all steps of an episode get the same reward."""
    grouped = steps.groupby("trajectory_id", sort=False)["reward"]
    longer = grouped.size() > 1
    flat = (grouped.max() - grouped.min())[longer].abs() < 1e-12
    share = float(flat.mean()) if len(flat) else 0.0
    text = f"in {int(flat.sum())} of {len(flat)} episodes every step has the same reward: no credit per step."
    return Alarm("same_for_all_steps", share > 0.5, share, text)


def _drowned(tokens: pd.DataFrame, steps: pd.DataFrame) -> Alarm:
    """KL's push against the differences between the steps of an episode."""
    mean = steps.groupby("trajectory_id", sort=False)["push"].transform("mean")
    signal, pull = _rms(steps["push"] - mean), _rms(tokens["kl_push"])
    text = f"KL pushes tokens by {pull:.3f}, the difference between steps by {signal:.3f} (RMS, same unit)."
    return Alarm("kl_above_signal", pull > signal, pull / (pull + signal) if pull else 0.0, text)


def _border(batch: UpdateBatch, config: PPOConfig, *, threshold: float = 0.05) -> Alarm:
    """How much of a step's reward reaches the last token of the step before."""
    if batch.values is None:
        text = "how much of a step's reward reaches the step before it is not known without a critic."
        return Alarm("never_crosses_border", False, 0.0, text)
    gamma = config.gamma
    if config.gae_level == "token" and config.gamma_step is not None:
        gamma = config.gamma_step
    carried = [
        factor
        for row in _rows(batch)
        for factor in (gamma * config.lam) ** np.diff(_last_actions(row.step, config))
    ]
    median = float(np.median(carried)) if carried else 1.0
    text = f"of a step's reward {median:.1%} reaches the step before it (median over step borders)."
    return Alarm("never_crosses_border", median < threshold, 1.0 - median, text)


def _observations(batch: UpdateBatch, config: PPOConfig, *, longer: int = 32) -> Alarm:
    """The same steps, rewards and values, with longer observations between them."""
    changes, sizes = [np.zeros(1)], [np.zeros(1)]
    for row in _rows(batch) if batch.values is not None else ():
        written = row.step >= 0
        first = np.flatnonzero(written[1:] & ~written[:-1]) + 1  # where a step begins after an observation
        at = np.repeat(first[1:], longer)
        longer_step = np.insert(row.step, at, -1)
        rewards, values = (np.insert(array, at, 0.0) for array in (row.rewards, row.values))
        before = _gae(row.rewards, row.values, row.step, config)[written]
        changes.append(_gae(rewards, values, longer_step, config)[longer_step >= 0] - before)
        sizes.append(before)
    change, size = _rms(np.concatenate(changes[1:] or changes)), _rms(np.concatenate(sizes[1:] or sizes))
    share = change / size if size else 0.0
    text = f"observations that are {longer} tokens longer change the advantages by {share:.1%} of their size."
    return Alarm("observation_length", share > 0.01, min(share, 1.0), text)


def _ungrounded(steps: pd.DataFrame) -> Alarm:
    refused = steps[~steps["grounded"]]
    paid, pushed = int((refused["reward"] > 0).sum()), int((refused["push"] > 0).sum())
    share = paid / len(refused) if len(refused) else 0.0
    text = f"{paid} of {len(refused)} ungrounded steps were paid; {pushed} are made more likely."
    return Alarm("ungrounded_paid", share > 0.05, share, text)


def _failures(steps: pd.DataFrame) -> Alarm:
    """Whether failures earn more than successes."""
    grouped = steps.groupby("trajectory_id", sort=False)
    earned, success = grouped["reward"].sum(), grouped["success"].first()
    won, lost = earned[success], earned[~success]
    both = bool(len(won) and len(lost))
    text = "successes and failures cannot be compared: the batch lacks one of them."
    if both:
        text = f"a success earns {won.mean():+.2f} on average, a failure {lost.mean():+.2f}."
    return Alarm(
        "failures_earn_more",
        both and lost.mean() > won.mean(),
        float(both and (lost > won.mean()).mean()),
        text,
    )


def _mask(batch: UpdateBatch) -> Alarm:
    leaked = int(np.count_nonzero(batch.advantages.numpy()[~batch.written.numpy()]))
    n = sum(batch.lengths)
    text = f"{leaked} of {n} tokens carry an advantage although the policy did not write them."
    return Alarm("mask_leaks", leaked > 0, leaked / n, text)


def _not_these_settings(batch: UpdateBatch, config: PPOConfig) -> Alarm:
    """Whether the advantages follow from `config` at all: the other findings rest on that."""
    if batch.values is None:
        text = "the advantages were made without a critic; the given settings cannot be checked."
        return Alarm("not_these_rules", False, 0.0, text)
    largest = max(
        float(np.abs(_gae(row.rewards, row.values, row.step, config) - row.advantages).max())
        for row in _rows(batch)
    )
    text = f"the advantages differ from GAE under the given settings by at most {largest:.2g}."
    return Alarm("not_these_rules", largest > 1e-6, float(largest > 1e-6), text)


def _drift(batch: UpdateBatch) -> list[Alarm]:
    """Whether the episodes have left what the credit was fitted to; none without a fitted credit."""
    return [
        Alarm(alarm.metric, alarm.raised, alarm.share, f"{alarm.text}.")
        for alarm in drift_alarms([batch.drift])
    ]


class _Row(NamedTuple):
    """One episode without its padding; arrays over its L tokens."""

    step: NDArray[np.int64]
    rewards: FloatArray
    values: FloatArray
    advantages: FloatArray


def _rows(batch: UpdateBatch) -> Iterator[_Row]:
    """The episodes of a batch that has values."""
    assert batch.values is not None
    rewards = batch.values * 0.0 if batch.rewards is None else batch.rewards
    for b, length in enumerate(batch.lengths):
        tensors = (batch.step, rewards, batch.values, batch.advantages)
        yield _Row(*(tensor[b, :length].numpy() for tensor in tensors))  # (B, L) -> (length,)


def _gae(rewards: FloatArray, values: FloatArray, step: NDArray[np.int64], config: PPOConfig) -> FloatArray:
    """(L,) advantages under `config`, as `estimates.gae` makes them."""
    written = step >= 0
    per_step = np.bincount(step[written], rewards[written]).astype(np.float64)  # (L,) -> (T,)
    if config.gae_level == "step":
        return step_gae(per_step, values, step, gamma=config.gamma, lam=config.lam)
    if config.gamma_step is not None:
        return bilevel_gae(
            per_step, values, step, gamma=config.gamma, lam=config.lam, gamma_step=config.gamma_step
        )
    return token_gae(rewards, values, step, gamma=config.gamma, lam=config.lam, over=config.gae_over)


def _last_actions(step: NDArray[np.int64], config: PPOConfig) -> NDArray[np.intp]:
    """(T,) index of each step's last action among those by which GAE goes back: tokens or steps."""
    if config.gae_level == "step" or config.gamma_step is not None:  # see `bilevel_gae`
        return np.arange(int(step.max()) + 1)
    used = step if config.gae_over == "all_tokens" else step[step >= 0]
    following = np.append(used[1:], -2)
    return np.flatnonzero((used >= 0) & (following != used))


def _rms(values: FloatArray | pd.Series) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
