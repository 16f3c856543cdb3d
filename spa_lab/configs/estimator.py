"""Settings of the progress estimator."""

from dataclasses import dataclass
from typing import Literal, get_args

from spa_lab.configs.checks import check_choice, check_counts, check_optional_counts, check_positive

Head = Literal["mlp", "vocabulary"]


@dataclass(frozen=True)
class EstimatorConfig:
    """How the progress estimator is built and fitted."""

    head: Head = "mlp"
    """What maps hidden states to contributions. "mlp": two layers on the last hidden state (paper; its sizes
    are not published). "vocabulary": linear on the language model's logits (released code,
    prm/train_our_progress_model.py:47)."""
    width: int = 128
    """Hidden units of the MLP."""
    train_backbone: bool = True
    """Also fit the language model below the head (released code); with LoRA, only its adapters. False fits
    the head alone."""
    epochs: int = 2
    """Passes over the trajectories. Released code: 1."""
    lr: float = 2e-3
    """Peak learning rate of AdamW. It rises over 10 updates and falls to zero over the fit: of fewer than
    about 40 updates none comes near it (docs/settings.md). Released code: 3e-6 for the 3 B model."""
    batch_tokens: int = 1500
    """Tokens in a batch, padding included. Released code: 16 trajectories."""
    micro_tokens: int | None = None
    """Tokens in memory at once, padding included; gradients of a batch are summed over such parts. None: the
    whole batch."""

    def __post_init__(self) -> None:
        check_counts(epochs=self.epochs, width=self.width, batch_tokens=self.batch_tokens)
        check_optional_counts(micro_tokens=self.micro_tokens)
        check_positive(lr=self.lr)
        check_choice("head", self.head, get_args(Head))
