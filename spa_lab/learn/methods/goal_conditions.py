"""PPO on the conditions of the goal that a step fulfils or breaks: a dense reward of the world.

r_t = alpha * c_t + beta * g_t,  c_t = s(x_{t+1}) - s(x_t)

s is the share of the goal's conditions that hold in state x of the world; at the end of an episode it is the
goal-condition success of ALFRED (arXiv:1912.01734). No other method knows it, so this one is a reference:
what credit can gain that knows the task. With `reward.residual` "last", as in the presets, the last step pays
back what was paid before and the outcome did not give: potential-based shaping, with s as the potential. With
"kept" a failure keeps what it fulfilled, so that the agent learns from each condition by itself; that is
another objective than the outcome.

Departs from ALFRED, which only evaluates by s and trains on demonstrations.

Cost: as `terminal`; each episode is replayed once in the world, without the model.

Fails where conditions do not show progress: with a single one it is the terminal reward.
"""

from collections.abc import Sequence

import numpy as np

from spa_lab.agent.codec import TokenRow
from spa_lab.envs.base import Environment, Task, TellsGoalConditions
from spa_lab.learn.collect import Collected
from spa_lab.learn.critic import Critic
from spa_lab.learn.estimates import Estimate
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod, check_gae
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.ppo import GAEOnRewards
from spa_lab.learn.settings_read import CRITIC, PLAYED, SPLIT, UPDATE
from spa_lab.learn.step_rewards import fused
from spa_lab.truth.shared_prefix import replay
from spa_lab.types import Credit, Trajectory


def credit(environment: Environment, trajectory: Trajectory, task: Task) -> Credit:
    """How each step changes the share of the goal's conditions that hold.

    Args:
        environment: the world of the trajectory.
        trajectory: T steps; replayed and compared with its record.
        task: of the trajectory.

    Returns:
        Contributions (T,) in [-1, 1]; the base value is the share before the first step.

    Raises:
        ValueError: the world does not tell its goal's conditions, or the replay differs from the record.
    """
    world, snapshots = replay(environment, trajectory, task)
    told = _check_tells(world, environment)
    shares = [told.goal_conditions_met()]  # the replay ends in the last state
    for snapshot in reversed(snapshots):
        world.restore(snapshot)
        shares.append(told.goal_conditions_met())
    shares.reverse()
    return Credit(trajectory.id, "goal_conditions", np.diff(shares), shares[0])


def make(inputs: TrainingInputs) -> Learner:
    """PPO on the goal's conditions."""
    critic = Critic(inputs.policy, seed=inputs.stream("critic head").randrange(2**31))

    def estimate(collected: Collected) -> list[Estimate]:
        tasks = {task.id: task for task in collected.tasks}

        def credits(
            trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
        ) -> list[Credit]:
            return [credit(inputs.environment, t, tasks[t.task_id]) for t in trajectories]

        return GAEOnRewards(fused(inputs.preset.reward, credits), critic, inputs.preset.ppo)(collected)

    return OnPolicyLearner(inputs, estimate, critic=critic)


def check_world(environment: Environment) -> None:
    """The world must tell the conditions of its goal.

    Raises:
        ValueError: it does not.
    """
    _check_tells(environment.make_world(), environment)


def _check_tells(world: object, environment: Environment) -> TellsGoalConditions:
    if not isinstance(world, TellsGoalConditions):
        raise ValueError(
            f"world {environment.name!r}: does not tell how many conditions of the goal hold; "
            "goal_conditions needs its method goal_conditions_met()"
        )
    return world


METHOD = TrainingMethod(
    name="goal_conditions",
    title="goal conditions",
    origin="after ALFRED, arXiv:1912.01734",
    make=make,
    check=check_gae,
    check_world=check_world,
    reads=PLAYED | UPDATE | CRITIC | SPLIT,
)
