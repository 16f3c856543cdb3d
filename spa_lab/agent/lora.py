"""Low-rank adapters (Hu et al. 2022) for models too large for full training; needs the package `peft`.

Adapters are float32 whatever the precision of the model below them: an update of 1e-5 is less than half a
bfloat16 step of most weights, so adapters in bfloat16 hardly learn, and merging them into bfloat16 weights
rounds away most of what they learnt. They are therefore saved as adapters, in peft's own files, and loaded on
the model that they were trained on.
"""

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""File names that peft's loaders expect."""
_PREFIX = "base_model.model."
"""Before every name in a file of peft."""


def add_lora(model: "PreTrainedModel", *, rank: int, seed: int) -> None:
    """Freeze `model` and add trainable float32 adapters to its query and value projections, in place.

    Scale 2 (alpha = 2 * rank), no dropout, as in the configuration that the released code builds on.

    Args:
        model: any causal language model with projections that `peft` knows.
        rank: of the adapters.
        seed: of their initial weights.

    Raises:
        ValueError: `peft` is not installed.
    """
    peft = _peft()
    config = peft.LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM",
        base_model_name_or_path=model.name_or_path,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _inject(model, config)


def has_lora(model: nn.Module) -> bool:
    """Whether `model` has adapters."""
    return any(".lora_A." in name for name, _ in model.named_parameters())


def set_trainable(model: "PreTrainedModel", trainable: bool) -> None:
    """Make `model` trainable or not, in place; of a model with adapters only these are ever trained."""
    only_adapters = has_lora(model)
    for name, weight in model.named_parameters():
        weight.requires_grad_(trainable and (".lora_" in name or not only_adapters))


def copied(model: "PreTrainedModel") -> "PreTrainedModel":
    """A copy of `model`: independent, but what lies below adapters is never trained and is shared."""
    below = [w for name, w in model.named_parameters() if ".lora_" not in name] if has_lora(model) else []
    return copy.deepcopy(model, {id(weight): weight for weight in below})


def save_adapters(model: "PreTrainedModel", folder: Path) -> None:
    """Write the adapters of `model` into `folder`, as `peft.PeftModel.from_pretrained` reads them."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    tensors = {_PREFIX + name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
    _config(model).save_pretrained(str(folder))
    save_file(tensors, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})


def base_of_adapters(folder: Path) -> str | None:
    """What the adapters in `folder` were trained on: a folder or a name; None if it holds no adapters.

    Raises:
        ValueError: `peft` is not installed, or its file is damaged.
    """
    if not (folder / ADAPTER_CONFIG).is_file():
        return None
    try:
        return str(_peft().PeftConfig.from_pretrained(str(folder)).base_model_name_or_path)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / ADAPTER_CONFIG}: not the configuration of adapters: {error}") from error


def with_adapters(base: "PreTrainedModel", folder: Path) -> "PreTrainedModel":
    """A model of the frozen weights of `base`, which are shared, and the adapters in `folder`.

    Raises:
        ValueError: they do not fit together, or a file is damaged.
    """
    from peft import LoraConfig, set_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    base.requires_grad_(False)
    model = copy.deepcopy(base, {id(weight): weight for weight in base.parameters()})
    file = folder / ADAPTER_WEIGHTS
    try:
        with torch.random.fork_rng(devices=[]):  # the weights drawn here are replaced
            _inject(model, LoraConfig.from_pretrained(str(folder)))
        saved = {name.removeprefix(_PREFIX): weight for name, weight in load_file(file).items()}
        result: Any = set_peft_model_state_dict(model, saved)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{file}: adapters that do not fit {base.name_or_path}: {error}") from error
    absent = [name for name in result.missing_keys if ".lora_" in name]
    if absent or result.unexpected_keys:
        differing = ", ".join([*absent, *result.unexpected_keys][:3])
        raise ValueError(f"{file}: adapters that do not fit {base.name_or_path}: {differing}")
    return model


def merged(model: "PreTrainedModel") -> "PreTrainedModel":
    """A copy of `model` in float32 with its adapters merged into the weights, for other programs."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    plain = copy.deepcopy(model).float()
    for name, module in list(plain.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            parent, _, attribute = name.rpartition(".")
            setattr(plain.get_submodule(parent), attribute, module.get_base_layer())
    return plain


def _inject(model: "PreTrainedModel", config: Any) -> None:
    """Add adapters as `config` says, in float32, and freeze what lies below them."""
    from peft import inject_adapter_in_model
    from peft.tuners.tuners_utils import cast_adapter_dtype

    inject_adapter_in_model(config, model)
    cast_adapter_dtype(model, "default")
    set_trainable(model, True)


def _config(model: "PreTrainedModel") -> Any:
    """The configuration that peft keeps on a model with adapters."""
    return model.peft_config["default"]


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise ValueError("LoRA needs the package peft: pip install 'spa-lab[paper]'") from error
    return peft
