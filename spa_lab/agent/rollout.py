"""Let a policy play tasks: many episodes side by side, each step seen by its own world.

Returns facts (`Trajectory`) together with the very tokens that were sampled, so that learning never
has to guess them again from text.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from transformers import PreTrainedModel

from spa_lab.agent.codec import Codec, ContextTooLong, TokenRow
from spa_lab.agent.session import Session, Written
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task, World
from spa_lab.react import parse
from spa_lab.types import Ended, Step, Trajectory


@dataclass(frozen=True)
class Policy:
    """A language model that plays, and the name under which its trajectories are filed."""

    name: str
    model: PreTrainedModel
    codec: Codec

    @property
    def context(self) -> int:
        """Most tokens that the model can read."""
        return int(self.model.config.max_position_embeddings)


@dataclass(frozen=True)
class EpisodeSpec:
    """One episode to be played."""

    id: str
    task: Task
    seed: int
    """Seeds the episode's own random numbers: its text depends on nothing else."""


@dataclass(frozen=True)
class Episode:
    """A trajectory and the tokens it was sampled as."""

    trajectory: Trajectory
    row: TokenRow
    logprobs: tuple[float, ...]
    """(L,) natural log-probability of each written token at the temperature it was drawn at; else 0."""


def rollout(
    policy: Policy,
    environment: Environment,
    jobs: Sequence[EpisodeSpec],
    config: RolloutConfig,
    *,
    on_episodes: Callable[[int], object] = lambda n: None,
) -> list[Episode]:
    """Play every job; episodes come back in the order of `jobs`.

    Args:
        policy: its model must be in eval mode.
        environment: one world is made for each episode that runs side by side.
        jobs: N episodes.
        config: temperature, limits, width.
        on_episodes: called with the number of newly finished episodes (for progress bars).

    Raises:
        ContextTooLong: what a world says before the first step leaves no room for that step.
    """
    episodes: list[Episode] = []
    for start in range(0, len(jobs), config.parallel):
        wave = jobs[start : start + config.parallel]
        episodes += _play_wave(policy, environment, wave, config)
        on_episodes(len(wave))
    return episodes


class _Player:
    """One running episode: its world, its random numbers, its steps and tokens so far."""

    def __init__(self, job: EpisodeSpec, world: World, codec: Codec, context: int) -> None:
        self.job, self.world, self.codec, self.context = job, world, codec, context
        self.rng = random.Random(job.seed)
        self.initial_observation = world.reset(job.task)
        self.pending: tuple[int, ...] = codec.opening_ids(self.initial_observation)
        self.steps: list[Step] = []
        self.ids: list[int] = list(self.pending)
        self.step_of: list[int] = [-1] * len(self.pending)
        self.logprobs: list[float] = [0.0] * len(self.pending)
        self.n_as_text = len(self.pending)
        """Tokens so far if the steps' texts are encoded anew: scraps of words that were never learnt side by
        side need more of them than were written."""
        self.ended: Ended | None = None
        self.outcome, self.success = 0.0, False

    def take(self, written: Written, step_limit: int, limit: int) -> None:
        """Execute what was written and prepare the tokens to be fed next.

        A step with which nobody could read the episode again is not taken, and ends it in error.
        """
        t = len(self.steps)
        text = self.codec.decode(written.ids)
        self.n_as_text += len(self.codec.text_ids(text)) + 1
        if self.steps and self.n_as_text > self.context:
            self.ended = "error"
            self._forget_reply()
            return
        self._append(written.ids, t, written.logprobs)
        thought, action = parse(text)
        reply = self.world.step(action)
        self.steps.append(Step(text, thought, action, reply.observation, reply.grounded))
        self.outcome, self.success = reply.outcome, reply.done and reply.outcome == 1.0
        following = self.codec.reply_ids(reply.observation)
        end = () if written.ended else (self.codec.end_id,)
        self.pending = (written.ids[-1], *end, *following)
        self.n_as_text += len(following)
        if reply.done:
            self.ended = "done"
        elif t + 1 == step_limit:
            self.ended = "step_limit"
        elif max(len(self.ids) + len(end) + len(following), self.n_as_text) >= limit:
            self.ended = "error"
        else:
            self._append((*end, *following), -1, (0.0,) * (len(end) + len(following)))

    def episode(self, policy: str, environment: str) -> Episode:
        """The finished episode."""
        task = self.job.task
        assert self.ended is not None
        trajectory = Trajectory(
            self.job.id, task.id, environment, task.split, task.instruction, self.initial_observation,
            tuple(self.steps), self.outcome, self.success, self.ended, policy, self.job.seed,
        )  # fmt: skip
        return Episode(
            trajectory, TokenRow(self.job.id, tuple(self.ids), tuple(self.step_of)), tuple(self.logprobs)
        )

    def _forget_reply(self) -> None:
        """What the world said last was nobody's input."""
        while self.step_of[-1] < 0:
            for tokens in (self.ids, self.step_of, self.logprobs):
                tokens.pop()

    def _append(self, ids: Sequence[int], step: int, logprobs: Sequence[float]) -> None:
        self.ids += ids
        self.step_of += [step] * len(ids)
        self.logprobs += logprobs


def _play_wave(
    policy: Policy, environment: Environment, jobs: Sequence[EpisodeSpec], config: RolloutConfig
) -> list[Episode]:
    players = [_Player(job, environment.make_world(), policy.codec, policy.context) for job in jobs]
    active = list(players)
    session = Session(policy.model, end_id=policy.codec.end_id, pad_id=policy.codec.pad_id)
    limit = policy.context - config.max_new_tokens - 1
    for player in players:
        if len(player.pending) > limit:
            raise ContextTooLong(
                f"episode {player.job.id!r} opens with {len(player.pending)} tokens, limit is {limit}"
            )
    while active:
        session.extend([player.pending for player in active])
        rngs = [player.rng for player in active]
        written = session.write(rngs, temperature=config.temperature, max_new_tokens=config.max_new_tokens)
        for player, one in zip(active, written, strict=True):
            player.take(one, environment.step_limit, limit)
        going = [i for i, player in enumerate(active) if player.ended is None]
        if going:
            session.keep(going)
        active = [active[i] for i in going]
    return [player.episode(policy.name, environment.name) for player in players]
