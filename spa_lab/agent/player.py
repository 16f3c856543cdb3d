"""What rollouts and continuations need of whoever plays, be it in this process or at a server."""

from contextlib import AbstractContextManager
from typing import Protocol

from spa_lab.agent.codec import Codec
from spa_lab.agent.episode import TokenRules
from spa_lab.agent.row import Row
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.configs.rollout import RolloutConfig


class Writer(Protocol):
    """Writes the steps of many rows side by side: an `Engine` in this process, or a server."""

    config: RolloutConfig
    rules: TokenRules

    @property
    def busy(self) -> bool:
        """Whether anything is left to write."""

    @property
    def n_wanted(self) -> int:
        """Branches that could be admitted beyond those that wait."""

    def add(self, row: Row) -> None:
        """Let a row wait for its turn."""

    def advance(self) -> list[Row]:
        """Go on for a while; returns the rows that ended."""


class Player(Protocol):
    """Whatever can play: a `Policy`, or a model that only a server has."""

    @property
    def name(self) -> str:
        """Stored with its trajectories."""

    @property
    def codec(self) -> Codec:
        """Its tokens."""

    @property
    def context(self) -> int:
        """Most tokens that it can read."""

    def token_rules(self, config: RolloutConfig) -> TokenRules:
        """When its steps and episodes end, in tokens."""

    def writing(
        self, config: RolloutConfig, *, allowed: AllowedTexts | None = None, keep_hidden: bool = False
    ) -> AbstractContextManager[Writer]:
        """What writes its steps, for as long as the block lasts; arguments as of `Engine`."""

    def weights_digest(self) -> str:
        """Tells its weights from others."""


def readable(longest: int, codec: Codec) -> int:
    """Most tokens of an episode of a model that can read `longest` tokens."""
    return min(longest, codec.prompt.context or longest)
