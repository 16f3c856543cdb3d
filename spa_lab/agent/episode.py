"""The token side of an episode: when a step is complete, what is read after it, and when the context is full.

Rollouts, continuations (`truth.branching`) and the benchmarks share these rules, so that a continuation is
distributed exactly as the rest of a rollout would be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from spa_lab.agent.codec import Codec


@dataclass(frozen=True)
class TokenRules:
    """Rules of one policy and one longest step."""

    codec: Codec
    context: int
    """Most tokens that the model can read."""
    max_new_tokens: int
    """Most tokens of a step."""

    @property
    def limit(self) -> int:
        """Tokens of an episode from which on another step might not fit into the context."""
        return self.context - self.max_new_tokens - 1

    def is_complete(self, written: Sequence[int]) -> bool:
        """Whether a step's tokens end it: by the end-of-turn token, or because it may not be longer."""
        return written[-1] in self.codec.stop_ids or len(written) >= self.max_new_tokens

    def after_step(self, written: Sequence[int], observation: str) -> tuple[int, ...]:
        """Token ids that the policy reads between a complete step and its next one.

        A step that was cut off gets the missing end-of-turn token first; the policy did not write it.
        """
        end = () if written[-1] in self.codec.stop_ids else (self.codec.end_id,)
        return (*end, *self.codec.reply_ids(observation))

    def fits(self, n_tokens: int) -> bool:
        """Whether an episode of `n_tokens` tokens leaves room for another step."""
        return n_tokens < self.limit
