"""The built-in credit sources, made for one experiment; `sources.SOURCES` names them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np

from spa_lab.credit import methods
from spa_lab.credit.hindsight import hindsight_credit
from spa_lab.credit.methods import Cost, CreditMethod
from spa_lab.learn.ensemble_critic import EnsembleCriticConfig, fit_ensemble_critic
from spa_lab.learn.estimator import fit_estimator
from spa_lab.learn.hindsight import fit_hindsight
from spa_lab.learn.histories import read_histories
from spa_lab.learn.progress import ProgressData, fit_progress
from spa_lab.learn.return_predictor import (
    PredictorConfig,
    PredictorInput,
    PredictorOutput,
    ReturnPredictor,
    fit_predictor,
)
from spa_lab.pipeline.evaluations import CLONED
from spa_lab.pipeline.experiment import Experiment
from spa_lab.pipeline.parallel import Report
from spa_lab.types import Credit, Trajectory


def terminal(experiment: Experiment, report: Report) -> CreditMethod:
    """R at the last step.

    c_{T-1} = R,  c_t = 0 before

    Cost: none.

    Fails where an earlier step decided: it says nothing of any step but the last.
    """
    return methods.TERMINAL


def mean(experiment: Experiment, report: Report) -> CreditMethod:
    """R / T at every step.

    c_t = R / T

    Cost: none.

    Fails where steps of one episode differ: it does not tell them apart.
    """
    return methods.MEAN


def random_split(experiment: Experiment, report: Report) -> CreditMethod:
    """R split at random.

    c = R * d,  d from a flat Dirichlet distribution over the steps

    Cost: none.

    Fails where steps of one episode differ: it orders them by chance, and is the control for sources that
    should not.
    """
    return methods.random_split(rng=np.random.default_rng([experiment.seed, 0xF1DE]))


def grounding(experiment: Experiment, report: Report) -> CreditMethod:
    """1 for every executed action.

    c_t = g_t

    Cost: none.

    Fails where the world executes useless and harmful actions, too; in a log the grounding may be unknown.
    """
    return methods.GROUNDING


def step_index(experiment: Experiment, report: Report) -> CreditMethod:
    """The mean outcome of the fitted explorations that are as long.

    Cost: the explorations; counting takes no time.

    Fails where the text matters: it knows nothing but the step's index. What scores no better has learnt no
    more.
    """
    return methods.step_index(experiment.explored.fitted)


def leave_one_out(experiment: Experiment, report: Report) -> CreditMethod:
    """Compares with the other held-out explorations of the task.

    c_t = R - mean R of the other episodes of the task

    Cost: several episodes of each task.

    Fails where steps of one episode differ: all get the same.
    """
    return methods.leave_one_out(experiment.explored.held_out)


def gigpo(experiment: Experiment, report: Report) -> CreditMethod:
    """Compares with other visits of a state among the held-out explorations.

    Cost: several episodes of each task.

    Fails where no other episode of the task visits the state: the step gets the comparison of whole episodes
    alone. The text before a step is not the whole state, so unlike states may be compared.
    """
    return methods.gigpo(experiment.explored.held_out)


def spa(experiment: Experiment, report: Report) -> CreditMethod:
    """The estimator that the run trained its agent with.

    Cost: the explorations and the fit of the estimator.

    Fails where the outcome does not decide how it is split: failures run into the step limit, and an
    estimator that counts steps explains them as well (docs/results.md, "Credit against the truth").
    """
    stage = experiment.run.provenance["stages"].get("estimate", {})
    unknown = float("nan")  # of an arm of a grid, which took its estimator over
    tasks = stage.get("tasks", {"estimate": stage.get("seconds", unknown)})  # schema 1 has none
    seconds = tasks.get("estimate", unknown)
    fitting = Cost(seconds, len(experiment.explored.fitted))
    return methods.estimator_credit(experiment.estimator(), source="spa", fitting=fitting)


def spa_released_head(experiment: Experiment, report: Report) -> CreditMethod:
    """The same with the released code's head.

    Cost: as `spa`.

    Fails where `spa` does.
    """
    start = perf_counter()
    estimator = fit_estimator(
        experiment.policy(CLONED),
        experiment.explored.fitted,
        replace(experiment.preset.estimator, head="vocabulary"),
        rng=experiment.rng("fidelity-released"),
        on_update=_reporting(report),
    )
    fitting = Cost(perf_counter() - start, len(experiment.explored.fitted))
    origin = "released SPA-RL code, prm/train_our_progress_model.py:47"
    return methods.estimator_credit(estimator, source="spa_released_head", origin=origin, fitting=fitting)


def spa_prefix(experiment: Experiment, report: Report) -> CreditMethod:
    """SPA's increments, fitted at every prefix: the variant whose split is identified.

    Cost: as `spa`.

    Fails where few trajectories must tell histories apart that differ in one step: increments may then be
    mostly the length of the episode so far.
    """
    predictor, fitting = _predictor(experiment, report, "step", "increment")
    return methods.prediction_difference(predictor.values, fitting=fitting, source="spa_prefix", close=False)


def spa_progress(experiment: Experiment, report: Report) -> CreditMethod:
    """Progress by the other held-out explorations of the task.

    The clock is taken out, and with it the hidden state, which tells the number of the step.

    Cost: several explorations of each task, read once, and a fit of small heads.

    Fails where siblings are few or nothing alike: the model then has nothing to tell histories apart by.
    """
    known: CreditMethod | None = experiment.models.get("progress")
    if known is not None:  # fitted once per process
        return known
    start, (fitted, held_out) = perf_counter(), experiment.explored
    policy = experiment.policy(CLONED)
    data = ProgressData.of(read_histories(policy, fitted))
    config = replace(experiment.preset.progress, state=False, hindsight=False)
    model = fit_progress(data, config, rng=experiment.rng("progress"))
    read = ProgressData.of(read_histories(policy, held_out)).tables if held_out else []
    tables = {trajectory.id: table for trajectory, table in zip(held_out, read, strict=True)}
    fitting = Cost(perf_counter() - start, len(fitted) + len(held_out))

    def assign(trajectories: Sequence[Trajectory]) -> list[Credit]:
        if all(trajectory.id in tables for trajectory in trajectories):
            of_each = [tables[trajectory.id] for trajectory in trajectories]
        else:  # other episodes, such as those of `spa-lab gradient`, are compared among themselves
            of_each = ProgressData.of(read_histories(policy, trajectories)).tables
        return model.credit(trajectories, of_each, clock=False, close=False)

    made = CreditMethod("spa_progress", "ours", assign, fitting)
    experiment.models["progress"] = made
    return made


def gigpo_progress(experiment: Experiment, report: Report) -> CreditMethod:
    """Anchor states, and progress by siblings for what they do not tell apart.

    c_t = c_t of `gigpo` + c_t of `spa_progress`

    The first is in standard deviations and mostly larger; where no other episode was in the state of a step,
    it is the same for all such steps, and the second, a difference of probabilities, orders them. An
    advantage: it does not sum to R.

    Cost: that of `spa_progress`; comparing states takes no model.

    Fails where both do: siblings are few or nothing alike.
    """
    anchors, progress = gigpo(experiment, report), spa_progress(experiment, report)

    def assign(trajectories: Sequence[Trajectory]) -> list[Credit]:
        pairs = zip(anchors(trajectories), progress(trajectories), strict=True)
        return [
            Credit(first.trajectory_id, "gigpo_progress", first.contributions + second.contributions)
            for first, second in pairs
        ]

    return CreditMethod("gigpo_progress", "ours, and GiGPO, arXiv:2505.10978", assign, progress.fitting)


def spa_hindsight(experiment: Experiment, report: Report) -> CreditMethod:
    """Progress by what a language model would write in a success, and in a failure.

    c_t = V(h_{t+1}) - V(h_t)
    V(h_t) = sigmoid(b + k * sum over s < t of (log h(a_s | h_s, R = 1) - log h(a_s | h_s, R = 0)))

    Cost: the explorations, cloned twice as often as `hindsight.epochs` says.

    Fails where explorations hold no success, or no failure.
    """
    start, fitted = perf_counter(), experiment.explored.fitted
    policy, config = experiment.policy(CLONED), experiment.preset.hindsight
    rng = experiment.rng("hindsight")
    line, model = fit_hindsight(policy, fitted, config, rng=rng)
    fitting = Cost(perf_counter() - start, len(fitted))

    def assign(trajectories: Sequence[Trajectory]) -> list[Credit]:
        ratios = model.log_ratios(policy.codec.rows_of(trajectories))
        return hindsight_credit(trajectories, ratios, line, close=False)

    return CreditMethod("spa_hindsight", "ours, after arXiv:1912.02503", assign, fitting)


def rudder(experiment: Experiment, report: Report) -> CreditMethod:
    """Differences of the predictions after each step.

    Cost: the explorations and the fit of a predictor, as long as that of `spa`.

    Fails where few trajectories must tell histories apart that differ in one step; the last step gets what
    was not predicted.
    """
    predictor, fitting = _predictor(experiment, report, "step", "value")
    return methods.prediction_difference(predictor.values, fitting=fitting)


def occlusion(experiment: Experiment, report: Report) -> CreditMethod:
    """The prediction of the same model with and without the step.

    Cost: the predictor of `rudder`, and T + 1 readings of each trajectory.

    Fails where the shortened text is no possible episode: the predictor never read such texts.
    """
    predictor, fitting = _predictor(experiment, report, "step", "value")
    return methods.occlusion(predictor.predict, fitting=fitting)


def critic_td(experiment: Experiment, report: Report) -> CreditMethod:
    """TD errors of a critic with the estimator's budget.

    Cost: the explorations and the fit of a critic, as long as that of `spa`.

    Fails where few trajectories must tell histories apart that differ in one step; the last step gets what
    the critic did not foresee.
    """
    predictor, fitting = _predictor(experiment, report, "history", "value")
    return methods.critic_td(predictor.values, fitting=fitting)


def critic_gae(experiment: Experiment, report: Report) -> CreditMethod:
    """GAE of the same critic.

    Cost: the critic of `critic_td`.

    Fails where a step is judged by what followed: it is also credited with what later steps achieved or lost.
    """
    predictor, fitting = _predictor(experiment, report, "history", "value")
    return methods.critic_gae(predictor.values, fitting=fitting)


def critic(experiment: Experiment, report: Report) -> CreditMethod:
    """A critic on the frozen policy's features: seconds instead of minutes.

    Cost: the explorations, read once, and a fit of small heads.

    Fails where the policy's features do not hold what decides the outcome: no head can add that.
    """
    start = perf_counter()
    fitted = experiment.explored.fitted
    config = EnsembleCriticConfig(heads=min(5, len({trajectory.task_id for trajectory in fitted})))
    heads = fit_ensemble_critic(
        experiment.policy(CLONED), fitted, config, rng=experiment.rng("critic"), on_update=_reporting(report)
    )
    fitting = Cost(perf_counter() - start, len(fitted))
    return methods.critic_td(heads.values, fitting=fitting, source="critic")


def _predictor(
    experiment: Experiment, report: Report, inputs: PredictorInput, output: PredictorOutput
) -> tuple[ReturnPredictor, Cost]:
    """A return predictor with the estimator's head, budget and data, fitted once per process."""
    key = ("predictor", inputs, output)
    if key not in experiment.models:
        start, estimator = perf_counter(), experiment.preset.estimator
        config = PredictorConfig(
            input=inputs, output=output, width=estimator.width, train_backbone=estimator.train_backbone,
            epochs=estimator.epochs, lr=estimator.lr, batch_tokens=estimator.batch_tokens,
        )  # fmt: skip
        fitted = experiment.explored.fitted
        predictor = fit_predictor(
            experiment.policy(CLONED), fitted, config,
            rng=experiment.rng(f"fidelity-{inputs}-{output}"), on_update=_reporting(report),
        )  # fmt: skip
        experiment.models[key] = predictor, Cost(perf_counter() - start, len(fitted))
    return experiment.models[key]


def _reporting(report: Report) -> Callable[[dict[str, float]], object]:
    return lambda metrics: report(metrics["progress"], {"loss": metrics["loss"]})
