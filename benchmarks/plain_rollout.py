"""Episodes by the plain implementation: `model.generate` on the whole text at each step, side by side.

The engine's rollouts are compared with it, and TRL's trainer plays with it.
"""

from collections.abc import Sequence

import torch

from benchmarks.plain_generation import generate_step
from spa_lab.agent.rollout import Policy
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.episode import RunningEpisode
from spa_lab.types import Step


class PlainEpisode:
    """An episode and its text as token ids.

    Args:
        policy: its codec gives the tokens.
        environment: makes the world.
        task: is reset to.
    """

    def __init__(self, policy: Policy, environment: Environment, task: Task) -> None:
        self.running = RunningEpisode(environment, task)
        self.ids = list(policy.codec.opening_ids(self.running.initial_observation))
        self.n_opening = len(self.ids)
        """Tokens before the first step."""
        self.is_written = [False] * self.n_opening
        """(L,) whether the policy wrote the token."""
        self.steps: list[tuple[int, ...]] = []
        """Token ids of each step."""

    def replay(self, policy: Policy, steps: Sequence[Step]) -> None:
        """Take recorded steps, none of which ends the episode."""
        for step in steps:
            reply = self.running.take(step.text)
            self.append((*policy.codec.text_ids(step.text), policy.codec.end_id), written=True)
            self.append(policy.codec.reply_ids(reply.observation), written=False)

    def append(self, ids: Sequence[int], *, written: bool) -> None:
        """Add tokens of the policy or of the world to the text."""
        self.ids += ids
        self.is_written += [written] * len(ids)


def play_episodes(
    policy: Policy, environment: Environment, tasks: Sequence[Task], config: RolloutConfig, *, seed: int = 0
) -> list[PlainEpisode]:
    """Play one episode of each of N tasks to its end.

    Args:
        policy: its model must be in eval mode.
        environment: its step limit ends episodes.
        tasks: N tasks; the first `config.parallel` are played side by side, then the next ones.
        config: temperature, longest step, episodes side by side.
        seed: of torch's generator, from which `model.generate` samples; restored afterwards.

    Returns:
        N episodes in the order of the tasks.
    """
    episodes: list[PlainEpisode] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for start in range(0, len(tasks), config.parallel):
            chunk = [
                PlainEpisode(policy, environment, task) for task in tasks[start : start + config.parallel]
            ]
            play_side_by_side(policy, chunk, config)
            episodes += chunk
    return episodes


def play_side_by_side(policy: Policy, episodes: Sequence[PlainEpisode], config: RolloutConfig) -> None:
    """Play episodes from where they are to their end; sampling draws from torch's global generator."""
    rules = policy.token_rules(config)
    active = list(episodes)
    while active:
        steps = generate_step(
            policy,
            [episode.ids for episode in active],
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
        )
        for episode, written in zip(active, steps, strict=True):
            reply = episode.running.take(rules.codec.decode(written))
            episode.steps.append(written)
            episode.append(written, written=True)
            if episode.running.ended is None:
                following = rules.after_step(written, reply.observation)
                if rules.fits(len(episode.ids) + len(following)):
                    episode.append(following, written=False)
                else:
                    episode.running.stop()
        active = [episode for episode in active if episode.running.ended is None]
