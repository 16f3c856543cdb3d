"""How episodes are played."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RolloutConfig:
    """How episodes are played."""

    temperature: float = 0.7
    """Sampling temperature; 0 is greedy. Paper: 0.7 for exploration; released code: 1.0."""
    max_new_tokens: int = 24
    """Most tokens of one step; a step cut off here is usually ungrounded. Released code: 512."""
    parallel: int = 64
    """Episodes side by side."""

    def __post_init__(self) -> None:
        if self.temperature < 0 or self.max_new_tokens < 1 or self.parallel < 1:
            raise ValueError(f"needs temperature >= 0, max_new_tokens >= 1 and parallel >= 1, got {self}")
