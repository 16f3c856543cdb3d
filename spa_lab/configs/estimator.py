"""How the progress estimator is built and fitted."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EstimatorConfig:
    """How the estimator is built and fitted."""

    head: Literal["mlp", "vocabulary"] = "mlp"
    """"mlp": two layers on the last hidden state (paper; its sizes are not known). "vocabulary": linear
    on the language model's logits (released code, prm/train_our_progress_model.py:47)."""
    width: int = 128
    """Hidden units of the MLP."""
    train_backbone: bool = True
    """Fit the language model below the head too (released code), by its adapters alone where it has them;
    False fits the head alone."""
    epochs: int = 2
    """Passes over the trajectories. Released code: 1."""
    lr: float = 2e-3
    """Peak rate of AdamW. Released code: 3e-6 for the 3 B model."""
    batch_tokens: int = 1500
    """Tokens in a batch, padding included. Released code: 16 trajectories."""

    def __post_init__(self) -> None:
        if min(self.epochs, self.width, self.batch_tokens) < 1 or self.lr <= 0:
            raise ValueError(f"needs epochs, width, batch_tokens >= 1 and lr > 0, got {self}")
        if self.head not in ("mlp", "vocabulary"):
            raise ValueError(f"head must be 'mlp' or 'vocabulary', got {self.head!r}")
