"""SPA-RL with progress that is measured by sibling rollouts and refitted in each iteration (ours).

r_t = alpha * c_t + beta * g_t,  c_t = V(h_{t+1}) - V(h_t),  V(h_T) = R
A_t = r_t + gamma * lambda * A_{t+1}

The progress model (`learn.progress`) is fitted to the explorations first, then to the episodes of the last
`progress.replay` iterations; never to the episodes that it credits. There is no critic: the contributions are
TD errors of the model's values, so that their sum with trace gamma * lambda is an advantage. lambda = 1
compares the outcome with V(h_t), lambda = 0 pays each step its own contribution.

Departs from SPA-RL (arXiv:2505.20732) in what V reads, in the refits, and in the groups of one task.

Cost: one reading of each history by the policy, and a fit of small heads in each iteration, in seconds; with
`progress.hindsight` also that of `spa_hindsight`.

Fails where siblings are few or nothing alike: then the model knows the length alone, and the method is one
with a reward at the end (docs/results.md, "Positive controls"). The model is fitted to hidden states of the
clone and of the policies of earlier iterations, and reads those of the present one: where a policy moves far
between two iterations, it reads states that it was not fitted to.
"""

from collections.abc import Sequence
from dataclasses import replace

from spa_lab.configs.checks import SettingError
from spa_lab.configs.presets import Preset
from spa_lab.credit.contribution_range import ContributionRange
from spa_lab.credit.siblings import Histories
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import Estimate, gae_on_credit
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.hindsight import unseen_log_ratios
from spa_lab.learn.hindsight_fits import HindsightFits
from spa_lab.learn.histories import read_histories
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod, check_gae, check_groups
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.progress import ProgressData, ProgressModel, fit_progress
from spa_lab.learn.progress_replay import ProgressReplay
from spa_lab.learn.settings_read import GAE, HINDSIGHT, PLAYED, PROGRESS, SPLIT, UPDATE
from spa_lab.types import FloatArray


class ProgressAdvantages:
    """Episodes in groups -> advantages; keeps the episodes for the model of the next iterations."""

    def __init__(
        self,
        inputs: TrainingInputs,
        replay: ProgressReplay,
        extra: ExtraCost,
        fits: HindsightFits | None = None,
    ) -> None:
        self.inputs, self.replay, self.extra, self.fits = inputs, replay, extra, fits

    def __call__(self, collected: Collected) -> list[Estimate]:
        """One estimate for each episode, in order."""
        trajectories = [episode.trajectory for episode in collected.episodes]
        rows = [episode.row for episode in collected.episodes]
        histories = read_histories(self.inputs.policy, trajectories, rows=rows)
        if self.fits is not None:
            histories = _with_ratios(histories, self.fits.log_ratios(rows))
        data = ProgressData.of(histories)
        credits = self._fitted().credit(trajectories, data.tables)
        preset = self.inputs.preset
        estimates = gae_on_credit(collected, credits, preset.ppo, preset.reward, lam=preset.progress.lam)
        self.replay.add(data)
        if self.fits is not None:
            self.fits.learn(rows, trajectories)
        return estimates

    def explored_range(self, explored: ProgressData) -> ContributionRange:
        """What the first model gives the explorations, whose data these are."""
        return ContributionRange.of(self._fitted().credit(self.inputs.explored, explored.tables))

    def _fitted(self) -> ProgressModel:
        """A model of the kept episodes."""
        rng = self.inputs.stream(f"progress model {self.replay.n_added}")
        model = fit_progress(self.replay.data(), self.inputs.preset.progress, rng=rng)
        self.extra.add(updates=model.n_updates)
        return model


def _with_ratios(histories: Sequence[Histories], ratios: Sequence[FloatArray]) -> list[Histories]:
    return [replace(entry, ratios=each) for entry, each in zip(histories, ratios, strict=True)]


def make(inputs: TrainingInputs) -> Learner:
    """Groups of `progress.group_size` episodes.

    Raises:
        ValueError: there are no explorations.
    """
    if not inputs.explored:
        raise ValueError("method 'spa_progress' needs explored trajectories")
    sampled, extra, fits = inputs.explored_rows, ExtraCost(), None
    histories = read_histories(inputs.policy, inputs.explored, rows=sampled)
    if inputs.preset.progress.hindsight:
        fits = HindsightFits(inputs, extra)
        rng, config = inputs.stream("hindsight halves"), inputs.preset.hindsight
        ratios = unseen_log_ratios(inputs.policy, inputs.explored, config, rng=rng, extra=extra, rows=sampled)
        histories = _with_ratios(histories, ratios)
    explored = ProgressData.of(histories)
    replay = ProgressReplay(explored, inputs.preset.progress.replay)
    advantages = ProgressAdvantages(inputs, replay, extra, fits)
    return OnPolicyLearner(
        inputs,
        advantages,
        group_size=inputs.preset.progress.group_size,
        explored=advantages.explored_range(explored),
        stateful={"replay": replay} | ({"hindsight": fits} if fits else {}),
        extra=extra,
    )


def check(preset: Preset) -> None:
    """Groups of one size, and with hindsight two tasks to fit to: each is read by a model of the other.

    Raises:
        ValueError: there are not, or GAE would ignore a setting.
    """
    check_gae(preset)
    check_groups(preset, settings="progress")
    if preset.progress.hindsight and preset.fitted_tasks < 2:
        allowed = f"enough that at least 2 are not held out ({preset.fitted_tasks} is)"
        raise SettingError("explore_tasks", allowed, preset.explore_tasks)


METHOD = TrainingMethod(
    name="spa_progress",
    title="SPA-RL, progress",
    origin="ours",
    make=make,
    needs=frozenset({"explored"}),
    check=check,
    reads=PLAYED | UPDATE | GAE | SPLIT | PROGRESS | HINDSIGHT,
)
