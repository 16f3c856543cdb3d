"""Settings of behaviour cloning."""

from dataclasses import dataclass

from spa_lab.configs.checks import check_counts, check_optional_counts, check_positive


@dataclass(frozen=True)
class CloneConfig:
    """How the policy is cloned from demonstrations."""

    epochs: int = 1
    """Passes over the demonstrations. Released code: 3."""
    lr: float = 1.5e-3
    """Peak learning rate of AdamW (embeddings, norms). It rises over 10 updates and falls to zero over the
    fit: of fewer than about 40 updates none comes near it (docs/settings.md). Released code: 2e-5 for the 3 B
    model."""
    muon_lr: float | None = 3e-3
    """Peak learning rate of Muon (hidden matrices), which moves as `lr`; None: AdamW only, as released."""
    batch_tokens: int = 1000
    """Tokens in a batch, padding included. Released code: 16 sequences."""
    micro_tokens: int | None = None
    """Tokens in memory at once, padding included; gradients of a batch are summed over such parts. None: the
    whole batch."""

    def __post_init__(self) -> None:
        check_counts(epochs=self.epochs, batch_tokens=self.batch_tokens)
        check_optional_counts(micro_tokens=self.micro_tokens)
        check_positive(lr=self.lr)
        if self.muon_lr is not None:
            check_positive(muon_lr=self.muon_lr)
