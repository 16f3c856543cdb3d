"""Settings of rollouts."""

from dataclasses import dataclass, replace

from spa_lab.configs.checks import check_counts, check_not_negative

MOST_CONTINUATIONS = 256
"""Monte Carlo continuations side by side: more save no time and take more memory."""


@dataclass(frozen=True)
class RolloutConfig:
    """How a policy plays episodes."""

    temperature: float = 0.7
    """Sampling temperature; 0 is greedy. Paper: 0.7 for exploration; released code: 1.0."""
    max_new_tokens: int = 24
    """Largest number of tokens of one step; a step cut off here is usually ungrounded. Released code: 512."""
    parallel: int = 64
    """Episodes generated side by side."""
    cached_tokens: int | None = None
    """Most tokens whose keys and values are kept, over all episodes side by side; where they do not suffice,
    fewer episodes run. None: as many as `parallel` episodes have."""

    def __post_init__(self) -> None:
        check_not_negative(temperature=self.temperature)
        if self.cached_tokens is not None:
            check_counts(cached_tokens=self.cached_tokens)
        check_counts(max_new_tokens=self.max_new_tokens, parallel=self.parallel)

    def of_continuations(self) -> "RolloutConfig":
        """The same for Monte Carlo continuations: up to twice as many side by side as episodes.

        They share the keys and values of what was recorded, but keep their own for what follows.
        """
        return replace(self, parallel=min(2 * self.parallel, MOST_CONTINUATIONS))
