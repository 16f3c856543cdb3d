"""Low-rank adapters (Hu et al. 2022) for models too large for full training; needs the package `peft`."""

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def add_lora(model: "PreTrainedModel", *, rank: int, seed: int) -> None:
    """Freeze `model` and add trainable adapters to its query and value projections, in place.

    Scale 2 (alpha = 2 * rank), no dropout, as in the configuration that the released code builds on.

    Args:
        model: any causal language model with projections that `peft` knows.
        rank: of the adapters.
        seed: of their initial weights.

    Raises:
        ValueError: `peft` is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ValueError("LoRA needs the package peft: pip install 'spa-lab[paper]'") from error
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, bias="none")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(config, model)


def has_lora(model: nn.Module) -> bool:
    """Whether `model` has adapters."""
    return any(".lora_A." in name for name, _ in model.named_parameters())


def set_trainable(model: "PreTrainedModel", trainable: bool) -> None:
    """Make `model` trainable or not, in place; of a model with adapters only these are ever trained."""
    only_adapters = has_lora(model)
    for name, weight in model.named_parameters():
        weight.requires_grad_(trainable and (".lora_" in name or not only_adapters))


def merged(model: "PreTrainedModel") -> "PreTrainedModel":
    """A copy of `model` with its adapters merged into the weights."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    plain = copy.deepcopy(model)
    for name, module in list(plain.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            parent, _, attribute = name.rpartition(".")
            setattr(plain.get_submodule(parent), attribute, module.get_base_layer())
    return plain
