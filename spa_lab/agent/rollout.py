"""Let a policy play tasks: many episodes side by side, each in a world of its own.

Returns each `Trajectory` together with the tokens that were sampled, so that training never has to re-encode
text.
"""

import hashlib
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spa_lab.agent.codec import Codec, ContextTooLong, TokenRow
from spa_lab.agent.engine import Engine
from spa_lab.agent.episode import TokenRules
from spa_lab.agent.player import Player, Writer, readable
from spa_lab.agent.row import Branch, Row, Written
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.configs.server import ServerConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.episode import RunningEpisode
from spa_lab.types import Trajectory

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_DIGEST_ENTRIES = 256
"""Entries of each weight matrix that tell a policy's weights from others: training changes all of them."""


@dataclass(frozen=True)
class Policy:
    """A language model that plays, and the name stored with its trajectories."""

    name: str
    model: "PreTrainedModel"
    codec: Codec
    server: ServerConfig | None = None
    """Writes its steps, with the adapters that `model` has at that time; None: the model itself."""

    @property
    def context(self) -> int:
        """Most tokens that the model can read."""
        return readable(int(self.model.config.max_position_embeddings), self.codec)

    def token_rules(self, config: RolloutConfig) -> TokenRules:
        """When its steps and episodes end, in tokens."""
        return TokenRules(self.codec, self.context, config.max_new_tokens)

    @contextmanager
    def writing(
        self, config: RolloutConfig, *, allowed: AllowedTexts | None = None, keep_hidden: bool = False
    ) -> Iterator[Writer]:
        """As `Player`; a server keeps no hidden states.

        Raises:
            ServerError: the server cannot be used.
            ValueError: it cannot be restricted to the allowed texts.
        """
        if self.server is None:
            yield Engine(self, config, allowed=allowed, keep_hidden=keep_hidden)
            return
        from spa_lab.agent.served import served

        rules = self.token_rules(config)
        with served(self.server, rules, config, adapters=self.model, allowed=allowed) as writer:
            yield writer

    def weights_digest(self) -> str:
        """As `Player`; of some entries of each weight matrix."""
        digest = hashlib.sha256()
        for name, weight in self.model.named_parameters():
            sample = weight.detach().flatten()[:: max(1, weight.numel() // _DIGEST_ENTRIES)]
            digest.update(name.encode())
            digest.update(sample.float().cpu().numpy().tobytes())
        return digest.hexdigest()[:16]


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
    hidden: Tensor | None = field(default=None, compare=False, repr=False)
    """(n, d) hidden state of the policy before each of the n written tokens, if they were kept."""


def rollout(
    policy: Player,
    environment: Environment,
    specs: Sequence[EpisodeSpec],
    config: RolloutConfig,
    *,
    on_episodes: Callable[[int], object] = lambda n: None,
    keep_hidden: bool = False,
) -> list[Episode]:
    """Play N episodes.

    Args:
        policy: its model, if it is in this process, must be in eval mode.
        environment: makes one world for each episode.
        specs: the N episodes.
        config: temperature, longest step, episodes side by side.
        on_episodes: called with the number of newly finished episodes (for progress bars).
        keep_hidden: keep the hidden states that tokens are predicted from (`Episode.hidden`), unless a server
            writes.

    Returns:
        N episodes, in the order of `specs`.

    Raises:
        ContextTooLong: the first observation leaves no room for a step.
        ServerError: the policy's server cannot be used.
        ValueError: an episode needs more than `config.cached_tokens`.
    """
    finished: dict[int, Episode] = {}
    waiting = iter(_in_order_of_tasks(specs))
    with policy.writing(config, keep_hidden=keep_hidden) as writer:
        while len(finished) < len(specs):
            for i in itertools.islice(waiting, writer.n_wanted):
                writer.add(_EpisodeRow(i, specs[i], environment, writer.rules))
            ended = [row for row in writer.advance() if isinstance(row, _EpisodeRow)]
            finished |= {row.index: row.finished(policy.name) for row in ended}
            if ended:
                on_episodes(len(ended))
    return [finished[i] for i in range(len(specs))]


class _EpisodeRow(Row):
    """A running episode and its tokens so far."""

    def __init__(self, index: int, spec: EpisodeSpec, environment: Environment, rules: TokenRules) -> None:
        self.index, self.spec, self.rules = index, spec, rules
        self.running = RunningEpisode(environment, spec.task)
        opening = rules.codec.opening_ids(self.running.initial_observation)
        if len(opening) > rules.limit:
            raise ContextTooLong(
                f"episode {spec.id!r} opens with {len(opening)} tokens, limit is {rules.limit}"
            )
        super().__init__(opening, [Branch(random.Random(spec.seed))])
        self.ids: list[int] = list(opening)
        self.step_of: list[int] = [-1] * len(opening)
        self.all_logprobs: list[float] = [0.0] * len(opening)
        self.all_hidden: list[Tensor] = []
        self.n_reencoded = len(opening)
        """Tokens so far if the text of the steps is encoded again; can be more than were sampled."""

    def following(self, written: Written) -> Sequence[int] | None:
        """Execute a written step; returns the tokens to be read next, or None if the episode is over.

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
            return None
        self._append(written.ids, step, written.logprobs)
        self.all_hidden += written.hidden
        reply = running.take(text)
        if running.ended is not None:
            return None
        following = self.rules.after_step(written.ids, reply.observation)
        self.n_reencoded += len(codec.reply_ids(reply.observation))
        if not self.rules.fits(max(len(self.ids) + len(following), self.n_reencoded)):
            running.stop()
            return None
        self._append(following, -1, (0.0,) * len(following))
        return following

    def finished(self, policy: str) -> Episode:
        """The finished episode."""
        spec = self.spec
        return Episode(
            self.running.trajectory(id=spec.id, policy=policy, seed=spec.seed),
            TokenRow(spec.id, tuple(self.ids), tuple(self.step_of)),
            tuple(self.all_logprobs),
            torch.stack(self.all_hidden) if self.all_hidden else None,
        )

    def _drop_last_reply(self) -> None:
        """Drop the tokens after the last step: no step follows that would read them."""
        while self.step_of[-1] < 0:
            for tokens in (self.ids, self.step_of, self.all_logprobs):
                tokens.pop()

    def _append(self, ids: Sequence[int], step: int, logprobs: Sequence[float]) -> None:
        self.ids += ids
        self.step_of += [step] * len(ids)
        self.all_logprobs += logprobs


def _in_order_of_tasks(specs: Sequence[EpisodeSpec]) -> list[int]:
    """Indices of the episodes, those of one task together: they read its first observation once."""
    first: dict[str, int] = {}
    for i, spec in enumerate(specs):
        first.setdefault(spec.task.id, i)
    return sorted(range(len(specs)), key=lambda i: first[specs[i].task.id])
