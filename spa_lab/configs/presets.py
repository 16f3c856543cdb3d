"""Presets: the same code at different scales, as frozen dataclasses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from spa_lab.configs.cloning import CloneConfig
from spa_lab.configs.estimator import EstimatorConfig
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.rewards import RewardConfig

METHODS = ("sft", "ppo", "spa", "critic", "mean", "random")
"""How a policy is trained: cloned only, or PPO on terminal, progress, critic's, mean or random rewards."""
EMBEDDED = "embedded"
"""The small model in `data/` that has read the texts of the world it is to play in."""


@dataclass(frozen=True)
class Preset:
    """One scale of the whole pipeline."""

    name: str
    base: str = EMBEDDED
    """Model to start from: `EMBEDDED`, a folder, or "hub:" and a name of the Hugging Face hub."""
    device: Literal["cpu", "auto"] = "cpu"
    """Where models read, learn and play. "auto": the accelerator that torch finds, or else the processor.
    Tiny models are fastest on the processor, one thread each, and give the same results everywhere."""
    lora_rank: int | None = None
    """Rank of LoRA adapters; None trains all weights. Released code: 8."""
    use_manual: bool = False
    """Tell the model what the world understands before the first observation (large models)."""
    demonstrations: int = 200
    """Expert episodes to clone. ALFWorld's own: 3,119."""
    mistakes: float = 0.2
    """Probability that a demonstrated step is a mistake to recover from; never imitated. Paper: none."""
    clone: CloneConfig = field(default_factory=CloneConfig)
    explore_tasks: int = 64
    """Training tasks to explore."""
    rollouts_per_task: int = 10
    """M, explorations of each task. Paper: 10; released code: 10, WebShop 5."""
    explore: RolloutConfig = field(default_factory=RolloutConfig)
    held_out: float = 0.25
    """Share of the explored tasks that the estimator is not fitted to but judged on."""
    estimator: EstimatorConfig = field(default_factory=EstimatorConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    evaluate: RolloutConfig = field(default_factory=lambda: RolloutConfig(temperature=0.0))
    """Greedy. Released code: temperature 0."""
    evaluation_tasks: int = 256
    """Tasks of the `unseen` panel."""
    by_length_tasks: int = 280
    """Tasks of the `unseen_by_length` panel; 0 skips it."""

    def __post_init__(self) -> None:
        if not 0.0 < self.held_out < 1.0:
            raise ValueError(f"preset {self.name!r}: held_out must lie in (0, 1), got {self.held_out}")


_STEPS_ARE_SHORT = 16
"""Tokens: the tiny tokenizer writes a household step in four to eight."""

TINY = Preset(
    name="tiny",
    explore=RolloutConfig(temperature=0.7, max_new_tokens=_STEPS_ARE_SHORT),
    reward=RewardConfig(beta=0.05, grounding_form="penalty", residual="spread"),
    ppo=PPOConfig(gamma=1.0, lam=0.99),
    evaluate=RolloutConfig(temperature=0.0, max_new_tokens=_STEPS_ARE_SHORT),
)
"""Minutes on two CPU cores.

Departs from the paper in the grounding: PPO plays online here, and a bonus for every executable action
would pay an agent that never finishes more than one that does. As a penalty of 0.5 it can still outweigh the
outcome twentyfold in 40 steps: measured on an earlier base, grounding rose from 69 to 94 % and success fell.
An estimator's error is spread, not kept: measured with the sums kept, PPO found texts that the estimator took
for twelve successes an episode, and success fell from 60 to 2 % (seed 0).
Released code's discounting (0.99, 0.95 per token) lets credit die within two steps, so both are larger here.
"""

LESSON = replace(
    TINY,
    name="lesson",
    explore_tasks=24,
    rollouts_per_task=6,
    estimator=replace(TINY.estimator, epochs=3),
    ppo=replace(TINY.ppo, iterations=2, episodes=32),
    evaluation_tasks=48,
    by_length_tasks=28,
)
"""Half a minute a stage: the clone and the estimator learn something, PPO hardly. For the notebooks."""

PAPER = Preset(
    name="paper",
    base="hub:meta-llama/Llama-3.2-3B-Instruct",
    device="auto",
    lora_rank=8,
    use_manual=True,
    demonstrations=3119,
    mistakes=0.0,
    clone=CloneConfig(epochs=3, lr=2e-5, muon_lr=None, batch_tokens=16_384),
    explore_tasks=3119,
    explore=RolloutConfig(temperature=0.7, max_new_tokens=512),
    estimator=EstimatorConfig(width=1024, train_backbone=False, epochs=1, lr=1e-4, batch_tokens=16_384),
    ppo=PPOConfig(iterations=12, episodes=128, epochs=4, lr=1e-5, batch_tokens=16_384, kl_coef=0.3),
    evaluate=RolloutConfig(temperature=0.0, max_new_tokens=512),
    evaluation_tasks=134,
    by_length_tasks=280,
)
"""The paper's setting where it is known, the released code's elsewhere: Llama-3.2-3B with LoRA, GPUs."""

PRESETS = MappingProxyType({preset.name: preset for preset in (TINY, LESSON, PAPER)})


@dataclass(frozen=True)
class _Elsewhere:
    """What a tiny agent needs in a world other than the household."""

    demonstrations: int
    """As many as leave it room to improve."""
    longest_step: int
    """Tokens; a thought of the web shop goes through a page of ten products."""
    explored: int = 1
    """Times as many explored tasks as in the household."""
    estimator: Mapping[str, Any] = field(default_factory=dict)
    ppo: Mapping[str, Any] = field(default_factory=dict)


WORLD_OVERRIDES = MappingProxyType(
    {
        "webshop": _Elsewhere(
            600,
            96,
            explored=2,
            estimator={"lr": 5e-4, "epochs": 4},
            ppo={"lr": 1e-4, "batch_tokens": 16_000, "temperature": 0.7},
        ),
        "virtualhome": _Elsewhere(130, 32),
    }
)
"""VirtualHome, `unseen`, n = 256: 130 demonstrations give 50.4, 47.3 and 60.9 % (seeds 0 to 2); 140 give
66.4 %, 160 give 75.0 % (one cloning run each).

Web shop: a wish has shades (rewards between 0 and 1), and its thoughts are copied word by word, which the
household's rates undo. There (seed 0) an estimator predicts held-out outcomes no better than a constant does
(RMSE 0.324 to 0.316) and PPO on it takes 14 points from the clone. At these rates and 64 explored tasks the
RMSE is 0.226 to 0.316 on seed 0 and 0.237 to 0.205 on seed 1, where PPO still takes 15 points; with the 128
here it is 0.175 to 0.248, 0.213 to 0.237 and 0.272 to 0.288 (seeds 0 to 2), and nothing is lost.
"""


def preset_named(name: str, env: str = "household") -> Preset:
    """The preset of that name for a world; the tiny agent's depend on the world.

    Raises:
        ValueError: there is none.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
    preset = PRESETS[name]
    if preset not in (TINY, LESSON) or env not in WORLD_OVERRIDES:
        return preset
    own = WORLD_OVERRIDES[env]
    return replace(
        preset,
        demonstrations=own.demonstrations,
        explore_tasks=own.explored * preset.explore_tasks,
        explore=replace(preset.explore, max_new_tokens=own.longest_step),
        estimator=replace(preset.estimator, **own.estimator),
        ppo=replace(preset.ppo, **own.ppo),
        evaluate=replace(preset.evaluate, max_new_tokens=own.longest_step),
    )
