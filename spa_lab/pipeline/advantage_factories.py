"""The advantages of `advantages.ADVANTAGES`, made for the episodes of one policy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spa_lab.configs.settings import updated
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import Estimate, step_credit
from spa_lab.learn.methods import find_method
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.update_batch import make_update_batch
from spa_lab.pipeline.advantages import AdvantageEntry, entry_of
from spa_lab.pipeline.evaluations import CLONED
from spa_lab.pipeline.experiment import Experiment
from spa_lab.pipeline.parallel import Report
from spa_lab.pipeline.sources import find_source
from spa_lab.pipeline.stages import training_inputs
from spa_lab.types import FloatArray


@dataclass(frozen=True, eq=False)
class Advantage:
    """One advantage of N episodes."""

    advantage: list[FloatArray]
    """(L,) of each: centred as in the update, outcome units; 0 where the policy did not write."""
    coefficient: list[FloatArray]
    """(L,) of each: the same times the weight of each token in the loss."""


def advantage_of(
    experiment: Experiment, name: str, collected: Collected, *, policy: str = CLONED, report: Report
) -> Advantage:
    """The advantage of every token as an update would use it, without the scaling over the batch.

    Episodes that the method leaves out of its update (`ragen_s`) have the advantage 0: they are played, and
    nothing is learnt from them.

    Args:
        experiment: its preset, models and explorations.
        name: see `advantages`.
        collected: N episodes in groups of the same task.
        policy: the model that played them.
        report: progress of fitting a source's model.

    Raises:
        StoreError: the run lacks a model.
        ValueError: the method makes no policy-gradient update, or learns from none of the episodes, or its
            critic has to be fitted to other tasks and it learns from one alone.
    """
    entry = entry_of(name)
    if entry.source:
        credits = find_source(entry.source)(experiment, report)([e.trajectory for e in collected.episodes])
        return _as_updated(experiment, collected, step_credit(collected, credits), True, "token")
    size = collected.group.count(collected.group[0])
    learner = _learner(experiment, entry, policy, size)
    fits_critic = learner.critic is not None and not entry.in_sample
    kept = learner.keep(collected)
    n_kept, n_tasks, least = len(set(kept.group)), len(set(collected.group)), 1 + fits_critic
    if n_kept < least:
        raise ValueError(
            f"advantage {name!r}: the method learns from {n_kept} of the {n_tasks} tasks that were played, "
            f"needs at least {least}; ask for more"
        )
    if fits_critic:
        estimates = _from_other_tasks(experiment, entry, kept, policy, size)
    else:
        estimates = learner.estimate(kept)
    objective = learner.objective
    used = _as_updated(experiment, kept, estimates, objective.normalise, objective.mean_over)
    return _with_zeros(used, kept, collected)


def _with_zeros(used: Advantage, kept: Collected, collected: Collected) -> Advantage:
    """The advantages of the episodes that are kept, among all of them; 0 for those that were left out."""
    place = {episode.trajectory.id: i for i, episode in enumerate(kept.episodes)}

    def among_all(arrays: Sequence[FloatArray]) -> list[FloatArray]:
        return [
            arrays[place[episode.trajectory.id]]
            if episode.trajectory.id in place
            else np.zeros(len(episode.row.ids))
            for episode in collected.episodes
        ]

    return Advantage(among_all(used.advantage), among_all(used.coefficient))


def _learner(experiment: Experiment, entry: AdvantageEntry, policy: str, group_size: int) -> OnPolicyLearner:
    """A fresh learner of the entry's method, which is paid for the outcome and not for grounding."""
    method = find_method(entry.method)
    inputs = training_inputs(experiment, method)
    groups = ("ppo.group_size", "progress.group_size", "hindsight.group_size", "ppo.episodes")
    fixed = {"reward.beta": 0.0, **dict.fromkeys(groups, group_size)}
    inputs = replace(
        inputs,
        policy=inputs.policy if policy == CLONED else experiment.policy(policy),
        preset=updated(inputs.preset, {**fixed, **entry.settings}),
    )
    learner = method.make(inputs)
    if not isinstance(learner, OnPolicyLearner):
        raise ValueError(f"method {method.name!r} makes no policy-gradient update that could be compared")
    return learner


def _from_other_tasks(
    experiment: Experiment, entry: AdvantageEntry, collected: Collected, policy: str, group_size: int
) -> list[Estimate]:
    """Estimates of each half of the tasks by a learner that has seen the other half before."""
    estimates: dict[int, Estimate] = {}
    number = {group: i for i, group in enumerate(dict.fromkeys(collected.group))}
    for half in (0, 1):
        asked = [i for i, group in enumerate(collected.group) if number[group] % 2 == half]
        others = [i for i, group in enumerate(collected.group) if number[group] % 2 != half]
        learner = _learner(experiment, entry, policy, group_size)
        learner.estimate(collected.select(others))
        estimates |= zip(asked, learner.estimate(collected.select(asked)), strict=True)
    return [estimates[i] for i in range(len(collected.episodes))]


def _as_updated(
    experiment: Experiment,
    collected: Collected,
    estimates: Sequence[Estimate],
    normalise: bool,
    mean_over: Any,
) -> Advantage:
    """Centred and weighted as by `make_update_batch`."""
    episodes = collected.episodes
    policy = experiment.policy(CLONED)
    batch = make_update_batch(
        policy.codec.batch([episode.row for episode in episodes], limit=policy.context),
        episodes,
        estimates,
        [np.zeros(len(episode.row.ids)) for episode in episodes],
        normalise=normalise,
        mean_over=mean_over,
    )
    centred = ((batch.advantages - batch.centre) * batch.written).numpy()  # (B, L)
    weighted = centred if batch.weights is None else centred * batch.weights.numpy()
    return Advantage(
        [row[:length] for row, length in zip(centred, batch.lengths, strict=True)],
        [row[:length] for row, length in zip(weighted, batch.lengths, strict=True)],
    )
