"""Expert demonstrations, with inserted mistakes so that recovering from them can be learnt.

A policy cloned from flawless play has never seen the states that its own first mistake leads to. Here some of
the expert's actions are replaced; the expert continues from the resulting state, and the replaced steps are
marked so that the loss masks them.
"""

import hashlib
import random

from spa_lab.envs.base import Demonstration, Environment, Task, World
from spa_lab.envs.episode import RunningEpisode

EXPERT = "expert"


def demonstrate(
    environment: Environment, task: Task, *, mistakes: float, rng: random.Random
) -> Demonstration:
    """Let the expert play `task`.

    The id of the trajectory holds the task's id and a hash of the generator's state, so that two
    demonstrations of a task have different ids.

    Args:
        environment: the task's world, its expert and its step limit.
        task: what to play.
        mistakes: probability in [0, 1) that a step after the first is not the expert's. Half of them are
            the expert's slips (`Expert.slip`); the rest keep the thought and replace the action by one that
            is admissible now, or was earlier and may be refused now, but by none that would end the episode
            without success. A refused mistake is repeated with probability 0.5.
        rng: draws the mistakes.

    Raises:
        ValueError: `mistakes` is out of range, or the world has no expert for this task.
    """
    if not 0.0 <= mistakes < 1.0:
        raise ValueError(f"mistakes must lie in [0, 1), got {mistakes}")
    trajectory_id = f"{EXPERT}/{task.id}/{_digest(rng)}"
    episode = RunningEpisode(environment, task)
    expert = environment.expert_for(task, episode.initial_observation)
    supervised: list[bool] = []
    earlier: list[str] = []
    repeats_mistake = False
    while episode.ended is None:
        thought, action = expert.act()
        is_mistake = repeats_mistake or (bool(episode.steps) and rng.random() < mistakes)
        if repeats_mistake:
            thought, action = episode.steps[-1].thought, episode.steps[-1].action
        elif is_mistake and rng.random() < 0.5:
            thought, action = expert.slip(rng)
        elif is_mistake:
            action = _detour(episode.world, earlier, rng) or action
        reply = episode.act(thought, action)
        repeats_mistake = is_mistake and not reply.grounded and rng.random() < 0.5
        expert.observe(action, reply.observation)
        supervised.append(not is_mistake)
    return Demonstration(episode.trajectory(id=trajectory_id, policy=EXPERT, seed=0), tuple(supervised))


def _digest(rng: random.Random) -> str:
    """Eight hexadecimal digits: a hash of the generator's state."""
    return hashlib.sha256(repr(rng.getstate()).encode()).hexdigest()[:8]


def _detour(world: World, earlier: list[str], rng: random.Random) -> str:
    """Another action; "" if the world lists none, or each of them would end the episode without success."""
    allowed = world.admissible()
    if not allowed:
        return ""
    # "look" and "help" change no state; "take mug 1" and "click[red]" do
    on_things = [action for action in allowed if " " in action or "[" in action]
    stale = rng.random() < 0.5 and bool(earlier)
    choices = earlier if stale else on_things or allowed
    action = rng.choice(choices)
    while action and _spoils(world, action):
        choices = [other for other in choices if other != action]
        action = rng.choice(choices) if choices else ""
    earlier += rng.sample(on_things, min(3, len(on_things)))
    return action


def _spoils(world: World, action: str) -> bool:
    """Whether an action would end the episode without success."""
    token = world.snapshot()
    reply = world.step(action)
    world.restore(token)
    return reply.done and reply.outcome < 1.0
