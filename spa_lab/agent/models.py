"""Loading and saving policies: a Hugging Face causal language model and its tokenizer.

Nothing is downloaded unless the source begins with "hub:"; remote code is never run. Models that begin with
"fetched:" were downloaded before, by `agent.fetching`.
"""

import copy
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

from spa_lab.agent.codec import Codec
from spa_lab.agent.disk import disk_refusals
from spa_lab.agent.fetching import FETCHED, fetched_folder
from spa_lab.agent.head import check_head
from spa_lab.agent.lora import (
    ADAPTER_CONFIG,
    base_of_adapters,
    copied,
    has_lora,
    merged,
    save_adapters,
    with_adapters,
)
from spa_lab.agent.rollout import Policy
from spa_lab.configs.presets import Dtype
from spa_lab.configs.prompt import PromptConfig

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

HUB = "hub:"
"""Prefix of models on the Hugging Face hub, as in "hub:organisation/name"."""
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")


def load_policy(
    source: str | Path,
    *,
    name: str,
    manual: str = "",
    device: str = "cpu",
    dtype: Dtype = "auto",
    checkpointing: bool = False,
    prompt: PromptConfig | None = None,
    base: Policy | None = None,
) -> Policy:
    """A policy in eval mode.

    Args:
        source: a folder written by `save_policy` or by Hugging Face's `save_pretrained`, `HUB` and a name, or
            `FETCHED` and a name.
        name: stored with every trajectory that it plays.
        manual: opens the first message (for large models that were not trained on the world).
        device: torch device of the weights.
        dtype: precision of the weights, see `Preset.dtype`; adapters are float32 in any case.
        checkpointing: recompute activations in the backward pass instead of keeping them.
        prompt: system prompt, thinking, date and longest episode.
        base: for a folder of adapters, the policy that they were trained on; its weights are shared and
            frozen. None loads what the folder names. Adapters without a tokenizer use that of the base.

    Raises:
        ValueError: the folder is missing, or lacks the model's or the tokenizer's files; or the model makes
            its logits in an unknown way.
    """
    online = str(source).startswith(HUB)
    check_source(source)
    where = _place(source)
    below = None if online else base_of_adapters(Path(where))
    if below is None:
        model = _load_model(where, source, device=device, dtype=dtype)
        if checkpointing:
            checkpoint_activations(model)
    else:
        if base is None:
            known = Path(below).is_dir() or below.startswith(FETCHED)
            named = below if known else f"{HUB}{below}"
            base = load_policy(named, name=name, device=device, dtype=dtype, checkpointing=checkpointing)
        model = with_adapters(base.model, Path(where))
    switch_off_dropout(model)
    if base is None or _has_tokenizer(Path(where)):
        tokenizer = load_part(source, "AutoTokenizer")
    else:
        tokenizer = base.codec.tokenizer
    stops = model.generation_config.eos_token_id
    return Policy(name, model.eval(), _codec(tokenizer, stops, manual=manual, prompt=prompt))


def load_codec(
    source: str | Path, *, base: str | Path, manual: str = "", prompt: PromptConfig | None = None
) -> Codec:
    """The codec of a policy, without its weights.

    Args:
        source: where its tokenizer is, as of `load_policy`; adapters may have none.
        base: where its configuration is: `source`, or what its adapters were trained on.
        manual: as of `load_policy`.
        prompt: as of `load_policy`.

    Raises:
        ValueError: files are missing.
    """
    try:
        stops = load_part(base, "GenerationConfig").eos_token_id
    except ValueError:  # the file may be missing
        stops = load_part(base, "AutoConfig").eos_token_id
    own = str(source).startswith(HUB) or _has_tokenizer(Path(_place(source)))
    tokenizer = load_part(source if own else base, "AutoTokenizer")
    return _codec(tokenizer, stops, manual=manual, prompt=prompt)


def _codec(
    tokenizer: "PreTrainedTokenizerBase",
    stops: int | Iterable[int] | None,
    *,
    manual: str,
    prompt: PromptConfig | None,
) -> Codec:
    """The codec of a model whose generation_config.json names the end tokens `stops`."""
    stop_ids = [stops] if isinstance(stops, int) else stops or ()
    return Codec(tokenizer, manual=manual, prompt=prompt or PromptConfig(), stop_ids=stop_ids)


def load_part(source: str | Path, loader: str) -> Any:
    """What is not the weights of a model: loaded by `transformers.<loader>`; source as of `load_policy`.

    Raises:
        ValueError: it is missing.
    """
    online = str(source).startswith(HUB)
    return _load(_place(source), source, loader, local_files_only=not online)


def checkpoint_activations(model: "PreTrainedModel") -> None:
    """Let `model` recompute the activations of each layer in the backward pass; in train mode only."""
    renamed = hasattr(model, "activation_checkpointing_enable")  # in newer releases of transformers
    enable = model.activation_checkpointing_enable if renamed else model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def switch_off_dropout(model: torch.nn.Module) -> None:
    """Set every dropout of `model` to 0, in place: updates run in train mode, for `checkpoint_activations`.

    With dropout an update would compare a policy at random with the one that played, and a resumed run would
    draw other numbers.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name, value in list(vars(module).items()):
            if name.endswith("dropout") and isinstance(value, float):  # attention reads its own
                setattr(module, name, 0.0)


def _load_model(where: str, source: str | Path, *, device: str, dtype: Dtype) -> "PreTrainedModel":
    model = _load(
        where, source, "AutoModelForCausalLM", local_files_only=not str(source).startswith(HUB),
        use_safetensors=True, dtype=dtype if dtype == "auto" else getattr(torch, dtype),
    )  # fmt: skip
    model.to(device)
    if dtype == "auto" and model.dtype != torch.float32 and model.device.type == "cpu":
        model = model.float()  # stored small, computed exactly
    check_head(model, str(source))
    return model


def _load(where: str, source: str | Path, loader: str, **options: Any) -> Any:
    import transformers

    try:
        return getattr(transformers, loader).from_pretrained(where, trust_remote_code=False, **options)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{source}: cannot load a causal language model: {error}") from error


def check_source(source: str | Path) -> None:
    """Check that `load_policy` will find a model; those of the hub are not looked up.

    Raises:
        ValueError: the folder is missing, or lacks the model's or the tokenizer's files.
    """
    name = str(source).removeprefix(FETCHED)
    if name != str(source) and not fetched_folder(name).is_dir():
        raise ValueError(f"{source}: not in {fetched_folder(name)}; get it with: spa-lab fetch {name}")
    if not str(source).startswith(HUB):
        _check_folder(Path(_place(source)))


def _place(source: str | Path) -> str:
    """What Hugging Face's library calls the source: a folder, or a name on its hub."""
    text = str(source)
    if text.startswith(FETCHED):
        return str(fetched_folder(text.removeprefix(FETCHED)))
    return text.removeprefix(HUB)


def save_policy(policy: Policy, folder: Path, *, dtype: torch.dtype | None = None) -> None:
    """Write weights (safetensors), config and tokenizer into `folder`; `dtype` rounds the stored weights.

    Of a model with adapters only these are written, in float32.

    Raises:
        OSError: a file cannot be written.
    """
    model = policy.model
    with disk_refusals():
        if has_lora(model):
            folder.mkdir(parents=True, exist_ok=True)
            save_adapters(model, folder)
        else:
            if dtype is not None:
                model = copy.deepcopy(model).to(dtype)  # type: ignore[arg-type]  # decorator hides `self`
            model.save_pretrained(folder, safe_serialization=True)
        policy.codec.tokenizer.save_pretrained(folder)


def export_policy(policy: Policy, folder: Path) -> None:
    """Write a model without adapters, in float32, for programs that load no adapters.

    Raises:
        OSError: a file cannot be written.
    """
    save_policy(replace(policy, model=merged(policy.model)), folder)


def copy_policy(policy: Policy, *, name: str) -> Policy:
    """An independent policy with the same weights; below adapters, which are copied, they are shared."""
    return replace(policy, name=name, model=copied(policy.model).eval())


def tiny_model(
    tokenizer: "PreTrainedTokenizerBase",
    *,
    seed: int,
    hidden: int = 128,
    layers: int = 4,
    context: int = 2048,
) -> "LlamaForCausalLM":
    """A fresh Llama, by default of about 0.7 million parameters for a vocabulary of some 700 tokens.

    Four layers and two key-value heads: enough to remember where things are, small enough for one core.

    Args:
        tokenizer: of its vocabulary.
        seed: of the weights.
        hidden: width, a multiple of 8.
        layers: number of layers.
        context: most tokens that it can read.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 500_000.0,
        },  # as Llama 3: distant tokens compare
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):  # Hugging Face draws initial weights from the global generator
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        _compose_names(model, tokenizer)
        _attend_to_alike(model)
    return model


def _attend_to_alike(model: "LlamaForCausalLM") -> None:
    """Let every head start by attending to tokens like its own (queries and keys start equal).

    An agent here mostly has to find a name again that it has just written. Follows the mimetic initialisation
    of Trockman and Kolter (2023, arXiv:2305.09828).
    """
    n_queries = model.config.num_attention_heads
    n_keys = model.config.num_key_value_heads or n_queries
    for layer in model.model.layers:
        query, key = layer.self_attn.q_proj.weight.data, layer.self_attn.k_proj.weight.data
        heads = query.view(n_keys, n_queries // n_keys, -1, query.shape[1])
        key.copy_(heads[:, 0].reshape(key.shape))


def _compose_names(model: "LlamaForCausalLM", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Start the embedding of " mug 2" as that of " mug" plus a vector for its number.

    Things of one kind then start alike; otherwise the model would have to learn it for each pair of tokens.
    """
    table = model.model.embed_tokens.weight.data
    ids = {str(tokenizer.decode([i])): i for i in range(len(tokenizer))}
    number_vectors = torch.randn(100, table.shape[1]) * model.config.initializer_range
    for text, i in ids.items():
        kind, _, digits = text.rpartition(" ")
        if digits.isdigit() and kind in ids:
            table[i] = table[ids[kind]] + number_vectors[int(digits) % len(number_vectors)]


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        hint = (
            f" (a model of the Hugging Face hub is {HUB}{folder})" if _HUB_NAME.fullmatch(str(folder)) else ""
        )
        raise ValueError(f"{folder}: no such model folder{hint}")
    adapters = (folder / ADAPTER_CONFIG).is_file()
    if not (adapters or (folder / "config.json").is_file()):
        raise ValueError(f"{folder}: not a model folder, config.json is missing")
    if not (adapters or _has_tokenizer(folder)):
        raise ValueError(f"{folder}: the model has no tokenizer (tokenizer.json is missing)")


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / file).is_file() for file in _TOKENIZER_FILES)
