"""One iteration of TRL's GRPOTrainer whose rollouts are multi-turn episodes of a world; needs TRL.

The rollout function plays as a user of TRL would: `model.generate` on the whole text at each step. Written
for TRL 1.16, where `rollout_func` returns the tokens of the prompts and completions, and `env_mask` takes
what the world wrote out of the loss.
"""

import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
from datasets import Dataset
from transformers import AutoModelForCausalLM, PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from benchmarks.plain_rollout import PlainEpisode, play_episodes
from benchmarks.timing import timed
from benchmarks.training import Iteration
from spa_lab.agent.codec import Codec
from spa_lab.agent.rollout import Policy
from spa_lab.configs.presets import Preset
from spa_lab.envs.base import Environment, Task

ROWS = 8
"""Episodes of a minibatch: about as many tokens as in the project's."""


class WorldRollouts:
    """A `rollout_func`: plays one episode for each prompt, which is the id of a task.

    Args:
        codec: of the trainer's tokenizer.
        environment: makes the worlds.
        tasks: by which ids are looked up.
        preset: `explore_rollout` gives the limits, `ppo` the temperature.
        seed: of the sampling.
    """

    def __init__(
        self, codec: Codec, environment: Environment, tasks: Sequence[Task], preset: Preset, seed: int
    ) -> None:
        self.codec, self.environment, self.seed = codec, environment, seed
        self.tasks = {task.id: task for task in tasks}
        self.config = replace(preset.explore_rollout, temperature=preset.ppo.temperature)
        self.seconds = 0.0
        """CPU time of all calls."""
        self.episodes: list[PlainEpisode] = []
        """Of all calls."""

    def __call__(self, prompts: Sequence[str], trainer: GRPOTrainer) -> dict[str, Any]:
        """Token ids of N prompts and completions, which tokens were written, and outcomes."""
        model = trainer.accelerator.unwrap_model(trainer.model)
        policy = Policy("trl", model.eval(), self.codec)
        tasks = [self.tasks[prompt] for prompt in prompts]
        played = timed(lambda: play_episodes(policy, self.environment, tasks, self.config, seed=self.seed))
        model.train()
        self.seconds += played.seconds
        self.episodes += played.value
        return {
            "prompt_ids": [episode.ids[: episode.n_opening] for episode in played.value],
            "completion_ids": [episode.ids[episode.n_opening :] for episode in played.value],
            "env_mask": [list(map(int, episode.is_written[episode.n_opening :])) for episode in played.value],
            "logprobs": None,  # the trainer computes them again, as old log-probabilities
            "outcome": [episode.running.outcome for episode in played.value],
        }


def theirs(
    folder: Path, codec: Codec, environment: Environment, tasks: Sequence[Task], preset: Preset, *, seed: int
) -> Iteration:
    """One iteration of GRPO on the outcome; the trainer is made before, untimed.

    Args:
        folder: of the model to start from, and of its reference.
        codec: of its tokenizer.
        environment: makes the worlds.
        tasks: played by the same number of episodes each.
        preset: `ppo` gives episodes, passes, rate, clipping, weight of the KL and temperature.
        seed: of the sampling and of the order of the tasks.
    """
    rollouts = WorldRollouts(codec, environment, tasks, preset, seed)
    with tempfile.TemporaryDirectory() as out, _quiet():
        trainer = GRPOTrainer(
            AutoModelForCausalLM.from_pretrained(folder, dtype="float32"),
            reward_funcs=outcome_reward,
            args=grpo_config(preset, out, len(tasks), seed),
            # a fingerprint of our own: the one that is computed fails to pickle with some releases
            train_dataset=Dataset(
                pyarrow.table({"prompt": [task.id for task in tasks]}), fingerprint="tasks"
            ),
            processing_class=codec.tokenizer,
            rollout_func=rollouts,
        )
        trainer.remove_callback(PrinterCallback)
        trained = timed(trainer.train)
    return Iteration(
        rollouts.seconds,
        trained.seconds - rollouts.seconds,
        sum(sum(episode.is_written) for episode in rollouts.episodes),
        sum(len(episode.steps) for episode in rollouts.episodes),
        len(rollouts.episodes),
    )


def grpo_config(preset: Preset, out: str, n_tasks: int, seed: int) -> GRPOConfig:
    """Settings of one iteration: every episode is read `ppo.epochs` times, in minibatches of `ROWS`."""
    ppo = preset.ppo
    rows = min(ROWS, ppo.episodes)
    parts = ppo.episodes // rows
    return GRPOConfig(
        output_dir=out,
        per_device_train_batch_size=rows,
        steps_per_generation=parts,
        gradient_accumulation_steps=1,
        num_generations=ppo.episodes // n_tasks,
        num_iterations=ppo.epochs,
        max_steps=parts * ppo.epochs,
        learning_rate=ppo.lr,
        lr_scheduler_type="constant",
        beta=ppo.kl_coef,
        epsilon=ppo.clip,
        temperature=ppo.temperature,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        seed=seed,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )


def outcome_reward(completions: Sequence[Any], outcome: Sequence[float], **_: Any) -> list[float]:
    """R of each episode, as the rollout function returned it."""
    return list(outcome)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without TRL's warning that rollout functions are experimental."""
    before = os.environ.get("TRL_EXPERIMENTAL_SILENCE")
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if before is None:
            del os.environ["TRL_EXPERIMENTAL_SILENCE"]
        else:
            os.environ["TRL_EXPERIMENTAL_SILENCE"] = before
