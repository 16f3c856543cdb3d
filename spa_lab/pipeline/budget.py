"""What a run will cost: tokens, hours, memory and disk of every stage, before it is started.

Tokens come from expert episodes of the world and an assumed success rate: a success is as long as the
expert's episode, a failure lasts to the step limit. A calculation, not a measurement.
"""

import random
from dataclasses import dataclass, replace

import numpy as np

from spa_lab.configs.cloning import CloneConfig
from spa_lab.configs.estimator import EstimatorConfig
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.presets import Preset
from spa_lab.envs.base import Environment
from spa_lab.pipeline.footprint import (
    ModelShape,
    learning_memory,
    local_base,
    model_disk,
    playing_memory,
    shape_of,
)

_EXPERTS = 20
"""Expert episodes whose length is measured."""
_ROW_DISK = 4e-9
"""GB of a token in a saved trajectory."""
_CHARACTERS = 4
"""Characters of a token where the tokenizer is not on this machine."""
_TURN = 5
"""Tokens of the template around a message there."""


@dataclass(frozen=True)
class Speed:
    """Tokens per second of one device, measured on the model and the machine in question."""

    train: float
    """Read in training, forward and backward."""
    read: float
    """Read without gradient."""
    write: float
    """Written by all episodes side by side."""


@dataclass(frozen=True)
class EpisodeTokens:
    """Mean tokens of a world's episodes."""

    opening: float
    """Before the first step."""
    written: float
    """Of one step."""
    reply: float
    """Between two steps."""
    steps: float
    """Of the expert's episode."""
    limit: int
    """Most steps of an episode."""

    def row(self, steps: float) -> float:
        """Tokens of an episode."""
        return self.opening + steps * self.written + (steps - 1) * self.reply


@dataclass(frozen=True)
class StageBudget:
    """What one stage needs on one device."""

    stage: str
    episodes: int = 0
    """Played."""
    trained: float = 0.0
    """Tokens read in training."""
    read: float = 0.0
    """Tokens read without gradient, other than in playing."""
    replied: float = 0.0
    """Tokens read in playing."""
    written: float = 0.0
    """Tokens written."""
    learning_memory: float = 0.0
    """GiB of an update."""
    playing_memory: float = 0.0
    """GiB of the weights and the key-value cache."""
    disk: float = 0.0
    """GB that stay in the run."""

    def hours(self, speed: Speed, devices: int = 1, *, served: bool = False) -> float:
        """Hours if that many devices share everything and lose nothing to one another.

        Args:
            speed: of one device; with a server, `write` is that of the server as a whole.
            devices: that learn, and play unless a server does.
            served: a server plays, which adds nothing to the devices' work and is not divided among them.
        """
        learning = self.trained / speed.train + self.read / speed.read
        playing = self.replied / speed.read + self.written / speed.write
        return (learning / devices + playing / (1 if served else devices)) / 3600

    def memory(self, *, served: bool = False) -> float:
        """GiB of one device that learns, and plays unless a server does."""
        return self.learning_memory if served else max(self.learning_memory, self.playing_memory)


def measure_episodes(environment: Environment, preset: Preset) -> EpisodeTokens:
    """Tokens of expert episodes, with the tokenizer of the base model if it is on this machine.

    Raises:
        ValueError: the world has no expert episodes.
    """
    from spa_lab.pipeline.experiment import demonstrations, first_message

    few = replace(preset, demonstrations=_EXPERTS, mistake_rate=0.0)
    manual = first_message(environment, preset)
    shown = [each.trajectory for each in demonstrations(environment, few, random.Random(0))[:_EXPERTS]]
    folder = local_base(preset, environment.base)
    if folder is not None and (folder / "tokenizer.json").is_file():
        from transformers import AutoTokenizer

        from spa_lab.agent.codec import Codec

        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        codec = Codec(tokenizer, manual=manual, prompt=preset.prompt)
        opening = [float(len(codec.opening_ids(one.initial_observation))) for one in shown]
        written = [float(len(codec.written_ids(step.text))) for one in shown for step in one.steps]
        reply = [float(len(codec.reply_ids(step.observation))) for one in shown for step in one.steps]
    else:
        opening = [_tokens(manual + one.initial_observation) + _TURN for one in shown]
        written = [_tokens(step.text) + 1 for one in shown for step in one.steps]
        reply = [_tokens(step.observation) + _TURN for one in shown for step in one.steps]
    return EpisodeTokens(
        opening=float(np.mean(opening)),
        written=float(np.mean(written)),
        reply=float(np.mean(reply)),
        steps=float(np.mean([len(one) for one in shown])),
        limit=environment.step_limit,
    )


def budget(
    environment: Environment, preset: Preset, tokens: EpisodeTokens, *, methods: int = 1, success: float = 0.5
) -> list[StageBudget]:
    """Every stage of a run with `methods` training methods, in order.

    Args:
        environment: the world.
        preset: all settings.
        tokens: of its episodes.
        methods: number of training methods that play their own episodes and no continuations.
        success: share of played episodes that succeed, in [0, 1].
    """
    shape, estimator = shape_of(preset, environment.base), preset.estimator
    steps = success * tokens.steps + (1 - success) * tokens.limit
    row, wrote, disk = tokens.row(steps), steps * tokens.written, model_disk(shape, preset)
    play = playing_memory(shape, preset, _longest(shape, preset, tokens))

    def playing(stage: str, n: int) -> StageBudget:
        return StageBudget(
            stage,
            n,
            replied=n * (row - wrote),
            written=n * wrote,
            playing_memory=play,
            disk=n * row * _ROW_DISK,
        )

    explored = preset.explore_tasks * preset.rollouts_per_task
    held_out = explored * preset.held_out_fraction * row  # read once, by the fitted estimator
    fitted = explored * (1 - preset.held_out_fraction) * row * estimator.epochs
    panels = preset.evaluation_tasks + preset.by_length_tasks
    return [
        StageBudget(
            "clone", trained=preset.demonstrations * tokens.row(tokens.steps) * preset.clone.epochs,
            learning_memory=_learning(shape, preset, preset.clone), disk=disk,
        ),
        playing("explore", explored),
        StageBudget(
            "estimate", trained=fitted if estimator.train_backbone else 0.0,
            read=held_out + (0.0 if estimator.train_backbone else fitted),
            learning_memory=_learning(shape, preset, estimator), disk=disk,
        ),
        *[_training(shape, preset, row, wrote, play)] * methods,
        playing("evaluate", preset.evaluation_tasks + (1 + methods) * panels),
    ]  # fmt: skip


def _training(shape: ModelShape, preset: Preset, row: float, wrote: float, play: float) -> StageBudget:
    """One method: its episodes are played, read by reference, critic and estimator, and learnt from."""
    ppo = preset.ppo
    n = ppo.iterations * ppo.episodes
    return StageBudget(
        "train, one method", n, trained=n * row * ppo.epochs, read=3 * n * row, replied=n * (row - wrote),
        written=n * wrote, learning_memory=_learning(shape, preset, ppo), playing_memory=play,
        disk=model_disk(shape, preset),
    )  # fmt: skip


def _learning(shape: ModelShape, preset: Preset, config: CloneConfig | EstimatorConfig | PPOConfig) -> float:
    return learning_memory(shape, preset, config.micro_tokens or config.batch_tokens)


def render_budget(
    stages: list[StageBudget], speed: Speed, *, devices: int, memory: float, served: bool = False
) -> str:
    """A table; stages that need more than `memory` GiB are marked."""
    head = f"{'stage':<18}{'episodes':>9}{'trained':>9}{'read':>9}{'written':>9}{'hours':>8}"
    lines = [f"{head}{f'on {devices}':>8}{'GiB':>8}{'GB disk':>9}"]
    for stage in stages:
        tokens = (stage.trained, stage.read + stage.replied, stage.written)
        counts = "".join(f"{count / 1e6:>8.2f}M" for count in tokens)
        hours = "".join(f"{stage.hours(speed, n, served=served):>8.2f}" for n in (1, devices))
        needed = stage.memory(served=served)
        mark = "  more than a device has" if needed > memory else ""
        lines.append(
            f"{stage.stage:<18}{stage.episodes:>9}{counts}{hours}{needed:>8.1f}{stage.disk:>9.2f}{mark}"
        )
    total = [sum(stage.hours(speed, n, served=served) for stage in stages) for n in (1, devices)]
    disk = sum(stage.disk for stage in stages)
    lines.append(f"{'sum':<18}{'':>36}{total[0]:>8.2f}{total[1]:>8.2f}{'':>8}{disk:>9.2f}")
    return "\n".join(lines)


def _longest(shape: ModelShape, preset: Preset, tokens: EpisodeTokens) -> int:
    """Most tokens of an episode whose steps are all as long as they may be."""
    most = tokens.opening + tokens.limit * (preset.explore_rollout.max_new_tokens + tokens.reply)
    return int(min(most, preset.prompt.context or shape.context, shape.context))


def _tokens(text: str) -> float:
    return len(text) / _CHARACTERS
