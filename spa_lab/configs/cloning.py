"""How a policy is cloned from demonstrations."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CloneConfig:
    """How the policy imitates."""

    epochs: int = 1
    """Passes over the demonstrations. Released code: 3."""
    lr: float = 1.5e-3
    """Peak rate of AdamW (embeddings, norms). Released code: 2e-5 for the 3 B model."""
    muon_lr: float | None = 3e-3
    """Peak rate of Muon (hidden matrices); None: AdamW only, as released."""
    batch_tokens: int = 1000
    """Tokens in a batch, padding included. Released code: 16 sequences."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_tokens < 1 or self.lr <= 0:
            raise ValueError(f"needs epochs >= 1, batch_tokens >= 1 and lr > 0, got {self}")
