"""Settings of hindsight progress."""

from dataclasses import dataclass

from spa_lab.configs.checks import SettingError, check_counts, check_optional_counts, check_positive


@dataclass(frozen=True)
class HindsightConfig:
    """How the model that is told the outcome is fitted, and fitted on during training (ours)."""

    epochs: int = 2
    """Passes over the explorations."""
    refit_epochs: int = 1
    """Passes over the kept episodes after each iteration of training."""
    replay: int = 2
    """Iterations of training whose episodes are kept."""
    lr: float = 1e-3
    """Peak learning rate of AdamW. It rises over 10 updates and falls to zero over each fit: of fewer than
    about 40 updates none comes near it (docs/settings.md)."""
    muon_lr: float | None = 1e-3
    """Peak learning rate of Muon (hidden matrices), which moves as `lr`; None: AdamW only."""
    batch_tokens: int = 1500
    """Tokens in a batch, padding included."""
    micro_tokens: int | None = None
    """Tokens in memory at once, padding included; gradients of a batch are summed over such parts. None: the
    whole batch."""
    group_size: int = 1
    """Episodes of the same task in an iteration; `ppo.episodes` must be a multiple of it."""
    lam: float = 0.8
    """Trace decay of the method `spa_hindsight`, in [0, 1], per token or step as `ppo.gae_level` says. 0 pays
    each step its own contribution; larger values also let the outcome correct the contributions before it."""

    def __post_init__(self) -> None:
        check_counts(
            epochs=self.epochs,
            refit_epochs=self.refit_epochs,
            replay=self.replay,
            batch_tokens=self.batch_tokens,
            group_size=self.group_size,
        )
        check_optional_counts(micro_tokens=self.micro_tokens)
        check_positive(lr=self.lr)
        if self.muon_lr is not None:
            check_positive(muon_lr=self.muon_lr)
        if not 0 <= self.lam <= 1:
            raise SettingError("lam", "a number in [0, 1]", self.lam)
