"""How a policy is improved by PPO."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PPOConfig:
    """How the policy is improved. The paper states none of these numbers."""

    iterations: int = 16
    """Rounds of playing and updating. Released code: one offline pass."""
    episodes: int = 128
    """Episodes played in each iteration."""
    temperature: float = 1.0
    """Sampling temperature of the episodes; log-probabilities are taken at the same temperature."""
    epochs: int = 2
    """Passes over an iteration's episodes. Released code: 4 (library default)."""
    batch_tokens: int = 4000
    """Tokens in a minibatch, padding included."""
    lr: float = 1.5e-4
    """AdamW's rate. Released code: 1e-5 on LoRA weights of the 3 B model."""
    clip: float = 0.2
    """Half-width of the trust region of the probability ratio. Released code: 0.2."""
    gamma: float = 0.99
    """Discount per token that the policy wrote, in [0, 1]. Released code: 0.99."""
    lam: float = 0.95
    """GAE's trace decay per token that the policy wrote, in [0, 1]. Released code: 0.95."""
    kl_coef: float = 0.02
    """Weight of KL(policy || cloned policy), per nat. Released code: 0.3, adaptive, in the reward."""
    vf_coef: float = 0.1
    """Weight of the value loss. Released code: 0.1."""
    gae_over: Literal["action_tokens", "all_tokens"] = "action_tokens"
    """"all_tokens" lets the recursion run over observation tokens with value and reward 0 (released code)."""

    def __post_init__(self) -> None:
        counts = (self.iterations, self.episodes, self.epochs, self.batch_tokens)
        if min(counts) < 1 or not (0 <= self.gamma <= 1 and 0 <= self.lam <= 1):
            raise ValueError(f"needs counts >= 1 and gamma, lam in [0, 1], got {self}")
        if self.temperature <= 0 or self.lr <= 0 or self.clip <= 0:
            raise ValueError(f"needs temperature, lr and clip > 0, got {self}")
        if self.gae_over not in ("action_tokens", "all_tokens"):
            raise ValueError(f"gae_over must be 'action_tokens' or 'all_tokens', got {self.gae_over!r}")
