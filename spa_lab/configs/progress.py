"""Settings of the progress model."""

from dataclasses import dataclass

from spa_lab.configs.checks import SettingError, check_counts, check_not_negative, check_positive


@dataclass(frozen=True)
class ProgressConfig:
    """How the progress model is fitted, and refitted during training (ours)."""

    heads: int = 3
    """K, heads of the ensemble; their spread is the standard error of a contribution."""
    state: bool = True
    """Whether a head reads the policy's hidden state, too. It also tells the number of the step: the credit
    source `spa_progress`, which takes the clock out, does without."""
    hindsight: bool = False
    """Whether a head reads the log-ratios of steps in hindsight, too (`learn.hindsight`); `Preset.hindsight`
    says how their model is fitted."""
    width: int = 64
    """Hidden units of a head."""
    epochs: int = 8
    """Passes over the histories."""
    lr: float = 2e-3
    """Peak learning rate of AdamW; it falls to zero over the fit."""
    weight_decay: float = 0.1
    """Weight decay of AdamW."""
    batches: int = 24
    """Updates per pass, whatever the number of histories, so that the model is not underfitted when there are
    few."""
    smallest_batch: int = 32
    """Fewest histories in a batch, which limits `batches`."""
    group_size: int = 2
    """Episodes of the same task in an iteration; `ppo.episodes` must be a multiple of it. Larger groups
    tell the model more, and leave fewer tasks for an iteration: it explains 66 and 68 % of the variance of R
    on held-out tasks with groups of 2 and 4 (household, 640 explorations of one cloned policy)."""
    lam: float = 0.8
    """Trace decay of the method `spa_progress`, in [0, 1], per token or step as `ppo.gae_level` says. Its
    contributions have less noise than the TD errors of a critic that is fitted to outcomes alone: smaller
    than `ppo.lam`."""
    replay: int = 4
    """Iterations of training whose episodes the model is fitted to before each update."""

    def __post_init__(self) -> None:
        check_counts(
            heads=self.heads,
            width=self.width,
            epochs=self.epochs,
            batches=self.batches,
            smallest_batch=self.smallest_batch,
            group_size=self.group_size,
            replay=self.replay,
        )
        check_positive(lr=self.lr)
        if not 0 <= self.lam <= 1:
            raise SettingError("lam", "a number in [0, 1]", self.lam)
        check_not_negative(weight_decay=self.weight_decay)
