"""Policies whose weights only a server has: here are their tokenizer, their limits, and who is asked."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spa_lab.agent.codec import Codec
from spa_lab.agent.episode import TokenRules
from spa_lab.agent.lora import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from spa_lab.agent.models import load_codec, load_part
from spa_lab.agent.player import Writer, readable
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.configs.prompt import PromptConfig
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.configs.server import ServerConfig


@dataclass(frozen=True)
class ServedPolicy:
    """A language model that only a server has; an `agent.player.Player`."""

    name: str
    codec: Codec
    server: ServerConfig
    longest: int
    """Most tokens that the model can read."""
    adapters: Path | None = None
    """Folder of saved adapters, which the server sees, too; None: the model that it was started with."""

    @property
    def context(self) -> int:
        """Most tokens of an episode."""
        return readable(self.longest, self.codec)

    def token_rules(self, config: RolloutConfig) -> TokenRules:
        """When its steps and episodes end, in tokens."""
        return TokenRules(self.codec, self.context, config.max_new_tokens)

    @contextmanager
    def writing(
        self, config: RolloutConfig, *, allowed: AllowedTexts | None = None, keep_hidden: bool = False
    ) -> Iterator[Writer]:
        """As of `Policy` with a server."""
        from spa_lab.agent.served import served

        rules = self.token_rules(config)
        with served(self.server, rules, config, adapters=self.adapters, allowed=allowed) as writer:
            yield writer

    def weights_digest(self) -> str:
        """Tells its weights from others; that of the server's own model is the same whatever it is."""
        if self.adapters is None:
            return "served"
        return hashlib.sha256((self.adapters / ADAPTER_WEIGHTS).read_bytes()).hexdigest()[:16]


def load_served_policy(
    source: str | Path,
    *,
    name: str,
    server: ServerConfig,
    base: str | Path,
    manual: str = "",
    prompt: PromptConfig | None = None,
) -> ServedPolicy:
    """A policy whose weights are not loaded.

    Args:
        source: `base`, or a folder of adapters that were trained on it.
        name: stored with every trajectory that it plays.
        server: plays it; was started with `base`.
        base: as the source of `load_policy`; its configuration and tokenizer are read.
        manual: opens the first message.
        prompt: as of `load_policy`.

    Raises:
        ValueError: the folder holds weights of its own, or files are missing.
    """
    is_base = str(source) == str(base)
    if not is_base and not (Path(source) / ADAPTER_CONFIG).is_file():
        raise ValueError(
            f"{source}: holds all weights, and a server can be given adapters only; train with --lora_rank, "
            "or play without a server"
        )
    codec = load_codec(source, base=base, manual=manual, prompt=prompt)
    longest = int(load_part(base, "AutoConfig").max_position_embeddings)
    return ServedPolicy(name, codec, server, longest, None if is_base else Path(source))
