"""Settings of the fused step reward."""

from dataclasses import dataclass
from typing import Literal, get_args

from spa_lab.configs.checks import check_choice, check_not_negative

GroundingForm = Literal["bonus", "penalty"]
GroundingRule = Literal["world", "substring"]
StepWeight = Literal["one", "remaining"]
Residual = Literal["kept", "spread", "last"]


@dataclass(frozen=True)
class RewardConfig:
    """How contributions and grounding become the reward of a step, see `spa_lab.rewards.fuse`."""

    alpha: float = 1.0
    """Weight of the contribution c_t, dimensionless, >= 0. Paper: 1. Released code: 1, implicit."""
    beta: float = 0.5
    """Weight of the grounding g_t, outcome units, >= 0. Paper: 0.5. Released code: 0.5."""
    grounding_form: GroundingForm = "bonus"
    """What g_t pays. "bonus": beta if grounded, else 0 (paper and released code); over T steps it can pay
    beta * T, more than R <= 1, and rewards long episodes. "penalty": 0 if grounded, else -beta (ours)."""
    grounding_rule: GroundingRule = "world"
    """Where g_t comes from. "world": the world says whether it executed the action (paper: executability).
    "substring": the released prm/rl_data_org.py:77-90, see `spa_lab.rewards.grounding`."""
    residual: Residual = "kept"
    """What happens to the error R - base_value - sum_t c_t of a credit. "kept": it stays (paper). "last": the
    last step gets it, so that the contributions of an episode sum to R - base_value and whatever was paid
    wrongly is charged back later (RUDDER, arXiv:1806.07857). "spread": every step gets an equal part of it;
    for comparison only, because it is not causal. x paid wrongly at step t is charged back as x / T at each
    of the T steps, of which t already lie in the past, so that the reward-to-go of that step still gains
    x * t / T, and an online policy learns such texts; and of an outcome that is spread, step t sees only the
    share 1 - t / T, which pays for finishing later."""
    clip: bool = False
    """Clip the contributions of a fitted source to the range that it gave the explorations at that place
    (first step, later steps), before the residual is taken. Paper: no. `spa_progress` and `spa_hindsight` pay
    differences of values in [0, 1] and are not clipped."""
    step_weight: StepWeight = "one"
    """Factor on the whole reward of step t, dimensionless. "one": 1 (paper). "remaining": T - t - 1, the
    released ppo/step_ppotrainer.py:396, which pays the last step nothing."""

    def __post_init__(self) -> None:
        check_not_negative(alpha=self.alpha, beta=self.beta)
        check_choice("grounding_form", self.grounding_form, get_args(GroundingForm))
        check_choice("grounding_rule", self.grounding_rule, get_args(GroundingRule))
        check_choice("residual", self.residual, get_args(Residual))
        check_choice("step_weight", self.step_weight, get_args(StepWeight))
