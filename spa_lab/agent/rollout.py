"""Let a policy play tasks: many episodes side by side, each in a world of its own.

Returns each `Trajectory` together with the tokens that were sampled, so that training never has to re-encode
text.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spa_lab.agent.codec import Codec, ContextTooLong, TokenRow
from spa_lab.agent.episode import TokenRules
from spa_lab.agent.session import Session, Written
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.episode import RunningEpisode
from spa_lab.types import Trajectory

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Policy:
    """A language model that plays, and the name stored with its trajectories."""

    name: str
    model: "PreTrainedModel"
    codec: Codec

    @property
    def context(self) -> int:
        """Most tokens that the model can read."""
        readable = int(self.model.config.max_position_embeddings)
        return min(readable, self.codec.prompt.context or readable)

    def token_rules(self, config: RolloutConfig) -> TokenRules:
        """When its steps and episodes end, in tokens."""
        return TokenRules(self.codec, self.context, config.max_new_tokens)


@dataclass(frozen=True)
class EpisodeSpec:
    """One episode to play."""

    id: str
    task: Task
    seed: int
    """Of the episode's own generator; its text depends on nothing else."""


@dataclass(frozen=True)
class Episode:
    """A trajectory and the tokens it was sampled as."""

    trajectory: Trajectory
    row: TokenRow
    logprobs: tuple[float, ...]
    """(L,) natural log-probability of each written token at the sampling temperature; 0 for other tokens."""


def rollout(
    policy: Policy,
    environment: Environment,
    specs: Sequence[EpisodeSpec],
    config: RolloutConfig,
    *,
    on_episodes: Callable[[int], object] = lambda n: None,
) -> list[Episode]:
    """Play N episodes.

    Args:
        policy: its model must be in eval mode.
        environment: makes one world for each episode.
        specs: the N episodes.
        config: temperature, longest step, episodes side by side.
        on_episodes: called with the number of newly finished episodes (for progress bars).

    Returns:
        N episodes, in the order of `specs`.

    Raises:
        ContextTooLong: the first observation leaves no room for a step.
    """
    episodes: list[Episode] = []
    for start in range(0, len(specs), config.parallel):
        batch = specs[start : start + config.parallel]
        episodes += _play_batch(policy, environment, batch, config)
        on_episodes(len(batch))
    return episodes


class _TokenEpisode:
    """A running episode and its tokens so far."""

    def __init__(self, spec: EpisodeSpec, environment: Environment, rules: TokenRules) -> None:
        self.spec, self.rules = spec, rules
        self.rng = random.Random(spec.seed)
        self.running = RunningEpisode(environment, spec.task)
        self.pending: tuple[int, ...] = rules.codec.opening_ids(self.running.initial_observation)
        """Tokens that the model reads next."""
        self.ids: list[int] = list(self.pending)
        self.step_of: list[int] = [-1] * len(self.pending)
        self.logprobs: list[float] = [0.0] * len(self.pending)
        self.n_reencoded = len(self.pending)
        """Tokens so far if the text of the steps is encoded again; can be more than were sampled."""

    def take(self, written: Written) -> None:
        """Execute a written step and prepare the tokens to be read next.

        A step with which the episode could not be read again (its re-encoded text exceeds the context) is not
        executed; it ends the episode in error.
        """
        running, codec = self.running, self.rules.codec
        step = len(running.steps)
        text = codec.decode(written.ids)
        self.n_reencoded += len(codec.written_ids(text))
        if running.steps and self.n_reencoded > self.rules.context:
            running.stop()
            self._drop_last_reply()
            return
        self._append(written.ids, step, written.logprobs)
        reply = running.take(text)
        following = self.rules.after_step(written.ids, reply.observation)
        self.pending = (written.ids[-1], *following)
        self.n_reencoded += len(codec.reply_ids(reply.observation))
        if running.ended is None:
            if self.rules.fits(max(len(self.ids) + len(following), self.n_reencoded)):
                self._append(following, -1, (0.0,) * len(following))
            else:
                running.stop()

    def finished(self, policy: str) -> Episode:
        """The finished episode."""
        spec = self.spec
        return Episode(
            self.running.trajectory(id=spec.id, policy=policy, seed=spec.seed),
            TokenRow(spec.id, tuple(self.ids), tuple(self.step_of)),
            tuple(self.logprobs),
        )

    def _drop_last_reply(self) -> None:
        """Drop the tokens after the last step: no step follows that would read them."""
        while self.step_of[-1] < 0:
            for tokens in (self.ids, self.step_of, self.logprobs):
                tokens.pop()

    def _append(self, ids: Sequence[int], step: int, logprobs: Sequence[float]) -> None:
        self.ids += ids
        self.step_of += [step] * len(ids)
        self.logprobs += logprobs


def _play_batch(
    policy: Policy, environment: Environment, specs: Sequence[EpisodeSpec], config: RolloutConfig
) -> list[Episode]:
    rules = policy.token_rules(config)
    episodes = [_TokenEpisode(spec, environment, rules) for spec in specs]
    for episode in episodes:
        if len(episode.pending) > rules.limit:
            raise ContextTooLong(
                f"episode {episode.spec.id!r} opens with {len(episode.pending)} tokens, "
                f"limit is {rules.limit}"
            )
    session = Session(policy.model, end_ids=policy.codec.stop_ids, pad_id=policy.codec.pad_id)
    active = list(episodes)
    while active:
        session.extend([episode.pending for episode in active])
        rngs = [episode.rng for episode in active]
        steps = session.write(rngs, temperature=config.temperature, max_new_tokens=config.max_new_tokens)
        for episode, written in zip(active, steps, strict=True):
            episode.take(written)
        rows = [row for row, episode in enumerate(active) if episode.running.ended is None]
        if rows:
            session.keep(rows)
        active = [active[row] for row in rows]
    return [episode.finished(policy.name) for episode in episodes]
