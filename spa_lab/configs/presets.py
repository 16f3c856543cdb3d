"""Presets: the same pipeline at different scales.

A preset is a tree of frozen dataclasses. What the command line and settings files change is applied to one of
`PRESETS`; a run stores the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

from spa_lab.configs.checks import SettingError, check_choice, check_counts
from spa_lab.configs.cloning import CloneConfig
from spa_lab.configs.estimator import EstimatorConfig
from spa_lab.configs.hindsight import HindsightConfig
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.progress import ProgressConfig
from spa_lab.configs.prompt import PromptConfig
from spa_lab.configs.reward import RewardConfig
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.configs.settings import flat, flattened, updated

EMBEDDED = "embedded"
"""The small model in `data/` that was pretrained on the texts of its world."""

Device = Literal["cpu", "auto"]
Dtype = Literal["auto", "float32", "bfloat16"]
ExploreOn = Literal["fresh", "demonstrated"]


@dataclass(frozen=True)
class Preset:
    """All settings of a training run."""

    name: str
    """Label in reports; kept when other settings change."""
    base: str = EMBEDDED
    """Model to start from: "embedded", a folder, "fetched:" and a name of `spa-lab fetch`, or "hub:" and a
    name on the Hugging Face hub."""
    device: Device = "cpu"
    """Where models run. "auto": the accelerator that torch finds, else the CPU. Tiny models are fastest on
    the CPU, one thread each, where the same seed gives the same bits on one machine."""
    dtype: Dtype = "auto"
    """Precision of the model's weights. "auto": as they are stored, but float32 on the CPU. Adapters, heads
    and the optimiser's copies of what is trained are float32 in any case. Many recent processors multiply
    bfloat16 several times faster."""
    checkpointing: bool = False
    """Recompute activations in the backward pass instead of keeping them: less memory, a third more work."""
    lora_rank: int | None = None
    """Rank of LoRA adapters; None trains all weights. Released code: 8."""
    use_manual: bool = False
    """Put the world's action templates before the first observation (large models)."""
    prompt: PromptConfig = field(default_factory=PromptConfig)
    demonstrations: int = 200
    """Expert episodes to clone; 0: training starts from the base model. ALFWorld's own: 3,119."""
    mistake_rate: float = 0.2
    """Probability that a demonstrated step is a mistake to recover from; it is masked from the loss. Paper:
    0."""
    clone: CloneConfig = field(default_factory=CloneConfig)
    explore_tasks: int = 64
    """Training tasks to explore."""
    explore_on: ExploreOn = "fresh"
    """Which training tasks are explored and trained on. "fresh": tasks after the demonstrated ones;
    "demonstrated": those again, for data sets with few tasks. Paper and released code: demonstrated."""
    rollouts_per_task: int = 10
    """M, explorations of each task. Paper: 10; released code: 10, WebShop 5."""
    explore_rollout: RolloutConfig = field(default_factory=RolloutConfig)
    """How explorations and training episodes are generated."""
    keep_tokens: bool = False
    """Store the sampled tokens of explorations, from which all training that reads explorations then learns;
    otherwise the text is tokenized again, possibly differently."""
    held_out_fraction: float = 0.25
    """Share of the explored tasks on which the estimator is evaluated instead of fitted, in (0, 1)."""
    estimator: EstimatorConfig = field(default_factory=EstimatorConfig)
    progress: ProgressConfig = field(default_factory=ProgressConfig)
    hindsight: HindsightConfig = field(default_factory=HindsightConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    evaluate_rollout: RolloutConfig = field(default_factory=lambda: RolloutConfig(temperature=0.0))
    """How evaluation episodes are generated. Greedy; released code: temperature 0."""
    evaluation_tasks: int = 256
    """Tasks of the `unseen` panel."""
    by_length_tasks: int = 280
    """Tasks of the `unseen_by_length` panel; 0 skips it."""

    def __post_init__(self) -> None:
        check_choice("device", self.device, get_args(Device))
        check_choice("dtype", self.dtype, get_args(Dtype))
        check_choice("explore_on", self.explore_on, get_args(ExploreOn))
        check_counts(
            explore_tasks=self.explore_tasks,
            rollouts_per_task=self.rollouts_per_task,
            evaluation_tasks=self.evaluation_tasks,
        )
        if self.lora_rank is not None:
            check_counts(lora_rank=self.lora_rank)
        for key in ("demonstrations", "by_length_tasks"):
            if getattr(self, key) < 0:
                raise SettingError(key, "a whole number >= 0", getattr(self, key))
        if not 0.0 <= self.mistake_rate < 1.0:
            raise SettingError("mistake_rate", "a number in [0, 1)", self.mistake_rate)
        if not 0.0 < self.held_out_fraction < 1.0:
            raise SettingError("held_out_fraction", "a number in (0, 1)", self.held_out_fraction)

    @property
    def fitted_tasks(self) -> int:
        """Explored tasks that credit models are fitted to; 0 if there is one alone."""
        return n_fitted(self.explore_tasks, self.held_out_fraction)


def n_fitted(n_tasks: int, held_out: float) -> int:
    """How many of the explored tasks are fitted: at least one, and at least one is held out."""
    return min(max(1, round(n_tasks * (1 - held_out))), n_tasks - 1)


_SHORT_STEP = 16
"""Tokens: the tiny tokenizer writes a household step in four to eight."""

TINY = Preset(
    name="tiny",
    explore_rollout=RolloutConfig(temperature=0.7, max_new_tokens=_SHORT_STEP),
    reward=RewardConfig(beta=0.05, grounding_form="penalty", residual="last", clip=True),
    ppo=PPOConfig(iterations=12, gae_level="step", gamma=1.0, lam=0.95, micro_tokens=1500),
    evaluate_rollout=RolloutConfig(temperature=0.0, max_new_tokens=_SHORT_STEP),
)
"""Minutes on two CPU cores. An update reads 1,500 tokens at a time: less time and memory.

Departs from the paper in three settings.
- Grounding is a penalty of 0.05. PPO is trained online here, and a bonus for every executable action would
  pay an agent that never finishes more than one that does. A penalty of 0.5 can still outweigh the outcome
  twentyfold in 40 steps: measured on an earlier base, grounding rose from 69 to 94 % and success fell.
- Contributions are clipped to what explorations showed, and the estimator's error goes to the last step.
  With the error kept, PPO found texts that the estimator took for twelve successes an episode, and success
  fell from 60 to 2 %; with the error spread over the steps it repeated a text that was paid 1.2 a time, and
  reached 63 % where the same run with the error on the last step and lambda = 1 reached 79 % (each measured
  once, seed 0).
- Discount and trace decay count steps and are larger: with the released 0.99 and 0.95 per token, credit
  decays within two steps.
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
"""Half a minute a stage, for the notebooks: the cloned policy and the estimator learn something, PPO
hardly."""

PAPER = Preset(
    name="paper",
    base="hub:meta-llama/Llama-3.2-3B-Instruct",
    device="auto",
    checkpointing=True,
    lora_rank=8,
    use_manual=True,
    prompt=PromptConfig(context=4096),
    demonstrations=3119,
    mistake_rate=0.0,
    clone=CloneConfig(epochs=3, lr=2e-4, muon_lr=None, batch_tokens=16_384),
    explore_tasks=3119,
    explore_on="demonstrated",
    explore_rollout=RolloutConfig(temperature=0.7, max_new_tokens=512),
    keep_tokens=True,
    estimator=EstimatorConfig(width=1024, train_backbone=False, epochs=1, lr=1e-4, batch_tokens=16_384),
    progress=ProgressConfig(lam=0.95),
    hindsight=HindsightConfig(epochs=1, lr=1e-4, muon_lr=None, batch_tokens=16_384, lam=0.95),
    reward=RewardConfig(residual="last", clip=True),
    ppo=PPOConfig(iterations=12, episodes=128, epochs=4, lr=1e-5, batch_tokens=16_384, kl_coef=0.3),
    evaluate_rollout=RolloutConfig(temperature=0.0, max_new_tokens=512),
    evaluation_tasks=134,
    by_length_tasks=280,
)
"""The paper's settings where they are published, the released code's elsewhere: Llama-3.2-3B, LoRA, GPUs.

Departs from both where a policy that plays online could exploit the estimator: its contributions are clipped
to what explorations showed, and its error goes to the last step. The bonus for grounding is the paper's;
online it can pay a policy for going on instead of finishing (`reward.grounding_form` "penalty" does not).

Departs from the released code in cloning by LoRA, there all weights are cloned at a rate of 2e-5; adapters
take ten times that.

All stages were tried with tiny models of the same architecture; no model of billions of parameters was
trained.
"""

SMALL = replace(
    PAPER,
    name="small",
    base="fetched:smollm2",
    device="cpu",
    dtype="bfloat16",
    checkpointing=False,
    use_manual=False,
    demonstrations=150,
    clone=replace(PAPER.clone, epochs=4, lr=1e-3, batch_tokens=2000),
    explore_tasks=32,
    explore_on="fresh",
    rollouts_per_task=4,
    explore_rollout=RolloutConfig(temperature=0.7, max_new_tokens=64, parallel=32),
    estimator=replace(PAPER.estimator, width=128, epochs=4, lr=1e-3, batch_tokens=4000),
    hindsight=replace(PAPER.hindsight, epochs=2, lr=1e-3, batch_tokens=4000),
    ppo=replace(PAPER.ppo, iterations=4, episodes=32, epochs=2, lr=1e-4, batch_tokens=4000, kl_coef=0.02),
    evaluate_rollout=RolloutConfig(temperature=0.0, max_new_tokens=64, parallel=32),
    evaluation_tasks=64,
    by_length_tasks=0,
)
"""Hours on two CPU cores: a real pretrained language model of 135 million parameters, with LoRA.

Differs from `paper` in the model, in the numbers of tasks, episodes and updates, in the longest step, and in
the learning rates: adapters of a small model take larger ones. It reads no manual: 100 demonstrations with
it, twice, did not teach a single success. A run in the household with half the explorations and a quarter of
the episodes took 78 minutes of one core that multiplies in bfloat16 (docs/results.md).
"""

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {preset.name: preset for preset in (TINY, LESSON, SMALL, PAPER)}
)
SUMMARIES: Mapping[str, str] = MappingProxyType(
    {
        "tiny": "a small pretrained model, minutes on two CPU cores",
        "lesson": "tiny with fewer tasks and updates, half a minute a stage",
        "small": "SmolLM2-135M with LoRA, hours on two CPU cores; needs `spa-lab fetch smollm2`",
        "paper": "Llama-3.2-3B with LoRA on a GPU, the paper's settings where published",
    }
)
"""Preset -> what `--help` says about it."""


@dataclass(frozen=True)
class WorldOverride:
    """What a tiny agent needs in a world other than the household."""

    demonstrations: int
    """Few enough that PPO has room to improve."""
    max_new_tokens: int
    """Of one step; a thought in the web shop goes through a page of ten products."""
    explore_tasks_factor: int = 1
    """Times as many explored tasks as in the household."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Other settings, by dotted key."""


WORLD_OVERRIDES: Mapping[str, WorldOverride] = MappingProxyType(
    {
        "household-long": WorldOverride(demonstrations=800, max_new_tokens=_SHORT_STEP),
        "webshop": WorldOverride(
            demonstrations=600,
            max_new_tokens=96,
            explore_tasks_factor=2,
            settings={
                "estimator.lr": 5e-4,
                "estimator.epochs": 4,
                "ppo.lr": 1e-4,
                "ppo.batch_tokens": 16_000,
                "ppo.temperature": 0.7,
            },
        ),
        "virtualhome": WorldOverride(demonstrations=130, max_new_tokens=32),
    }
)
"""World -> what the presets `tiny` and `lesson` change there; other worlds use the presets as they are.

Long household, `unseen`, greedy, n = 256, seed 100: 800 demonstrations give 20.7 % (95 % interval 16.2 to
26.1), 200 give 12.1 % (8.7 to 16.7).

VirtualHome, `unseen`, n = 256: 130 demonstrations give 50.4, 47.3 and 60.9 % (seeds 0 to 2); 140 give
66.4 %, 160 give 75.0 % (one cloning run each).

Web shop: rewards are graded (between 0 and 1), and its thoughts copy long texts; the household's learning
rates destroy that copying. With them (seed 0) the estimator predicts held-out outcomes no better than a
constant does (RMSE 0.324 to 0.316) and PPO on it loses 14 points against the cloned policy. With these rates
and 64 explored tasks the RMSE is 0.226 to 0.316 on seed 0 and 0.237 to 0.205 on seed 1, where PPO still loses
15 points; with the 128 here it is 0.175 to 0.248, 0.213 to 0.237 and 0.272 to 0.288 (seeds 0 to 2), and
nothing is lost.
"""


PANEL_SIZES: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {"alfworld": {"evaluation_tasks": 134, "by_length_tasks": 140}}
)
"""World of official data -> the tasks of its panels, where presets may ask for more."""


LONG_STEPS: Mapping[str, Mapping[str, int]] = MappingProxyType({"small": {"webshop": 128}})
"""Preset -> world -> tokens of the longest step, where the preset has fewer than a page of products needs."""


def preset_named(name: str, world: str = "household", base: str = "") -> Preset:
    """The preset of that name for a world.

    Args:
        name: key of `PRESETS`.
        world: name of the world; presets depend on it, see `WORLD_OVERRIDES`, `LONG_STEPS` and `PANEL_SIZES`.
        base: another world, whose overrides hold if `world` has none: `Environment.base`.

    Raises:
        ValueError: no preset has that name.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
    preset = PRESETS[name]
    for key, size in PANEL_SIZES.get(world, {}).items():
        preset = updated(preset, {key: min(size, getattr(preset, key))})
    longest = LONG_STEPS.get(name, {})
    if tokens := longest.get(world) or longest.get(base):
        keys = ("explore_rollout.max_new_tokens", "evaluate_rollout.max_new_tokens")
        preset = updated(preset, dict.fromkeys(keys, tokens))
    override = WORLD_OVERRIDES.get(world) or WORLD_OVERRIDES.get(base)
    if PRESETS[name] not in (TINY, LESSON) or override is None:
        return preset
    return updated(
        preset,
        {
            "demonstrations": override.demonstrations,
            "explore_tasks": override.explore_tasks_factor * preset.explore_tasks,
            "explore_rollout.max_new_tokens": override.max_new_tokens,
            "evaluate_rollout.max_new_tokens": override.max_new_tokens,
            **override.settings,
        },
    )


def changed_settings(preset: Preset, world: str = "household", base: str = "") -> dict[str, Any]:
    """Dotted key -> value of what differs from the preset of that name in a world, as in `preset_named`.

    Empty if there is no such preset, as for one of the user's own.
    """
    if preset.name not in PRESETS:
        return {}
    named = flat(preset_named(preset.name, world, base))
    return {key: value for key, value in flat(preset).items() if value != named[key]}


_RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "mistakes": "mistake_rate",
        "explore": "explore_rollout",
        "held_out": "held_out_fraction",
        "evaluate": "evaluate_rollout",
    }
)
"""Field of a run of schema 1 -> its present name."""


def preset_from_dict(facts: Mapping[str, Any]) -> Preset:
    """The preset that a run stored: the inverse of `dataclasses.asdict`.

    Accepts the field names of schema 1. A field that is missing has its default.

    Raises:
        ValueError: `name` is missing, a field is unknown, or its value is not allowed.
    """
    if not isinstance(facts.get("name"), str):
        raise ValueError("preset: 'name' is missing")
    present = {_RENAMED.get(key, key): value for key, value in facts.items()}
    try:
        return updated(Preset(name=facts["name"]), flattened(present))
    except SettingError as error:
        raise ValueError(f"preset: {error}") from None
