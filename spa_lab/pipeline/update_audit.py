"""The first PPO update of a run, inspected: how a method's credit enters the gradient."""

from dataclasses import replace
from pathlib import Path

from spa_lab.envs.base import Environment
from spa_lab.learn.method import TrainingMethod
from spa_lab.learn.methods import find_method
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.update_audit import GradientView, what_the_gradient_saw
from spa_lab.pipeline.experiment import Experiment
from spa_lab.pipeline.stages import training_inputs


def watch_first_update(
    *,
    run: Path,
    method: str | TrainingMethod,
    episodes: int = 64,
    world: str | Environment | None = None,
) -> GradientView:
    """Play the episodes of a method's first update and show what its gradient uses; nothing is saved.

    Args:
        run: folder of a run with a cloned policy, and with what the method needs.
        method: a training method whose learner is an `OnPolicyLearner`.
        episodes: played for the update; shown are those that the method learns from.
        world: only needed if the run was trained in an `Environment` given as an object.

    Raises:
        StoreError: the run lacks a model.
        ValueError: settings that this version does not know, or a method without such an update, or one
            that drops all of these episodes.
    """
    experiment = Experiment.open(run, world)
    training = find_method(method)
    ppo = replace(experiment.preset.ppo, iterations=1, episodes=episodes)
    experiment.preset = replace(experiment.preset, ppo=ppo)
    learner = training.make(training_inputs(experiment, training))
    if not isinstance(learner, OnPolicyLearner):
        raise ValueError(f"method {training.name!r} makes no policy-gradient update that could be inspected")
    played = learner.play(experiment.training_tasks)
    kept = learner.keep(played)
    if not kept.episodes:
        raise ValueError(
            f"training method {training.name!r} learns from none of the {len(played.episodes)} episodes that "
            "were played; ask for more"
        )
    batch = learner.prepare(kept)
    return what_the_gradient_saw(batch, learner.config, kl_form=learner.objective.kl_form)
