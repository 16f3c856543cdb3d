"""Memory and disk that a preset needs, calculated from the shape of its model.

The constants are those of a Llama in bfloat16 with fused attention; they reproduce the peaks that
tests/learn/test_memory.py counts at the shape of a 3B model. What an allocator loses to fragments comes on
top.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spa_lab.agent.fetching import FETCHED, fetched_folder
from spa_lab.configs.presets import EMBEDDED, Preset
from spa_lab.paths import base_folder
from spa_lab.store.lines import parse

GIB = 2**30
_LOGITS = 14 * 2**26
"""Bytes of a chunk of logits in the backward pass: bfloat16 and three times float32."""


@dataclass(frozen=True)
class ModelShape:
    """What memory depends on."""

    vocabulary: int
    width: int
    inner: int
    """Width of the feed-forward layers."""
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    tied: bool
    context: int

    @property
    def parameters(self) -> int:
        """Number of weights, without norms."""
        attention = 2 * self.width * self.head_size * (self.heads + self.kv_heads)
        tables = self.vocabulary * self.width * (1 if self.tied else 2)
        return tables + self.layers * (attention + 3 * self.width * self.inner)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "ModelShape":
        """From the fields of a config.json.

        Raises:
            ValueError: a field is missing or no number above 0.
        """
        try:
            heads = int(config["num_attention_heads"])
            return cls(
                vocabulary=int(config["vocab_size"]),
                width=int(config["hidden_size"]),
                inner=int(config["intermediate_size"]),
                layers=int(config["num_hidden_layers"]),
                heads=heads,
                kv_heads=int(config.get("num_key_value_heads") or heads),
                head_size=int(config.get("head_dim") or config["hidden_size"] // heads),
                tied=bool(config.get("tie_word_embeddings", True)),
                context=int(config["max_position_embeddings"]),
            )
        except KeyError as error:
            raise ValueError(f"config.json: the field {error} is missing") from error
        except (TypeError, ValueError, ZeroDivisionError) as error:
            raise ValueError(f"config.json: not the shape of a causal language model: {error}") from error


KNOWN_SHAPES: Mapping[str, ModelShape] = MappingProxyType(
    {"hub:meta-llama/Llama-3.2-3B-Instruct": ModelShape(128_256, 3072, 8192, 28, 24, 8, 128, True, 131_072)}
)
"""Base -> shape, for models that need not be on this machine."""


def local_base(preset: Preset, world: str) -> Path | None:
    """The folder of the preset's base model; None if it is on the hub."""
    if preset.base == EMBEDDED:
        return base_folder(world)
    if preset.base.startswith(FETCHED):
        return fetched_folder(preset.base.removeprefix(FETCHED))
    return None if preset.base.startswith("hub:") else Path(preset.base)


def shape_of(preset: Preset, world: str) -> ModelShape:
    """The shape of the preset's base model.

    Raises:
        ValueError: it is not on this machine, or not known.
    """
    if preset.base in KNOWN_SHAPES:
        return KNOWN_SHAPES[preset.base]
    folder = local_base(preset, world)
    if folder is None or not (folder / "config.json").is_file():
        if preset.base.startswith(FETCHED):
            name = preset.base.removeprefix(FETCHED)
            raise ValueError(f"{preset.base}: not in {folder}; get it with: spa-lab fetch {name}")
        raise ValueError(
            f"{preset.base}: its shape is not known; name a folder with its config.json by --base"
        )
    file = folder / "config.json"
    return ModelShape.from_config(parse(file.read_text(encoding="utf-8"), str(file)))


def adapter_parameters(shape: ModelShape, rank: int) -> int:
    """Weights of adapters on the query and value projections."""
    query, value = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    return shape.layers * rank * (2 * shape.width + query + value)


def weight_bytes(preset: Preset) -> int:
    """Bytes of a weight in memory."""
    return 4 if preset.dtype == "float32" or (preset.dtype == "auto" and preset.device == "cpu") else 2


def learning_memory(shape: ModelShape, preset: Preset, micro_tokens: int) -> float:
    """GiB at the peak of an update with `micro_tokens` tokens in memory."""
    size = weight_bytes(preset)
    if preset.lora_rank is None:
        weights = 16 * shape.parameters  # weights, gradients, moments; in bfloat16 master copies as well
    else:
        weights = size * shape.parameters + 16 * adapter_parameters(shape, preset.lora_rank)
    of_layer = micro_tokens * (8 * shape.width + 3.5 * shape.inner) * size
    if preset.checkpointing:
        activations = shape.layers * micro_tokens * shape.width * size + 1.2 * of_layer
    else:
        activations = (shape.layers + 0.2) * of_layer
    logits = min(_LOGITS, 14 * micro_tokens * shape.vocabulary)
    return (weights + activations + logits) / GIB


def playing_memory(shape: ModelShape, preset: Preset, longest: int) -> float:
    """GiB of the weights and the key-value cache of a wave of episodes of `longest` tokens."""
    size = weight_bytes(preset)
    token = 2 * shape.layers * shape.kv_heads * shape.head_size * size
    cache = preset.explore_rollout.parallel * longest * token * 2  # buffers double when they are full
    return (size * shape.parameters + cache) / GIB


def model_disk(shape: ModelShape, preset: Preset) -> float:
    """GB of a saved policy: its adapters, or all weights."""
    if preset.lora_rank is not None:
        return 4 * adapter_parameters(shape, preset.lora_rank) / 1e9
    return weight_bytes(preset) * shape.parameters / 1e9
