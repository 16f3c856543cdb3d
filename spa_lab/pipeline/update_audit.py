"""The first PPO update of a run, inspected: what the gradient saw of a method's credit."""

from dataclasses import replace
from pathlib import Path

from spa_lab.envs.worlds import make_environment
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.methods import find_method
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.update_audit import GradientView, what_the_gradient_saw
from spa_lab.pipeline.fidelity import preset_of
from spa_lab.pipeline.stages import adapt, saved_estimator, saved_policy, split_by_task, stage_rng
from spa_lab.store import Run


def watch_first_update(*, run: Path, method: str, episodes: int = 64) -> GradientView:
    """Play the episodes of a method's first update and show what that update would see; nothing is saved.

    Args:
        run: folder of a run with a cloned policy, and with what the method needs.
        method: a training method whose learner is an `OnPolicyLearner`.
        episodes: played for the update.

    Raises:
        StoreError: the run lacks a model.
        ValueError: settings that this version does not know, or a method without such an update.
    """
    opened = Run.open(run)
    preset = preset_of(opened)
    environment = make_environment(opened.config["env"])
    training = find_method(method)
    rng = stage_rng(opened, f"ppo-{training.name}")
    policy = saved_policy(opened, "cloned", preset, environment)
    adapt(policy, preset, rng)
    config = replace(preset.ppo, episodes=episodes)
    needs = training.needs
    inputs = TrainingInputs(
        policy=policy,
        environment=environment,
        preset=replace(preset, ppo=config),
        rng=rng,
        explored=split_by_task(opened.load_trajectories("explore"), preset.held_out_fraction)[0]
        if "explored" in needs
        else (),
        estimator=saved_estimator(opened, preset, environment) if "estimator" in needs else None,
        seed=opened.seed,
    )
    learner = training.make(inputs)
    if not isinstance(learner, OnPolicyLearner):
        raise ValueError(f"method {training.name!r} makes no policy-gradient update that could be inspected")
    first = preset.demonstrations + preset.explore_tasks
    tasks = environment.tasks("train", first + episodes)[first:]
    return what_the_gradient_saw(learner.prepare(learner.play(tasks)), config)
