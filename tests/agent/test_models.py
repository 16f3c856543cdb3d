"""Models in folders: what is saved comes back, and what is missing is named before anybody goes online."""

import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, LlamaConfig, PreTrainedConfig

from spa_lab.agent.disk import disk_refusals
from spa_lab.agent.models import copy_policy, load_policy, save_policy, tiny_model
from spa_lab.agent.rollout import Policy


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy("Action: look", layers=2)


@pytest.fixture
def folder(policy: Policy, tmp_path: Path) -> Path:
    save_policy(policy, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks Hugging Face for anything fails the test."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("went looking for a model")

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", never)
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", never)


def _weights(policy: Policy) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in policy.model.state_dict().items()}


def _logits(policy: Policy) -> torch.Tensor:
    with torch.no_grad():
        return policy.model(torch.tensor([[5, 6, 7, 8]])).logits


def test_what_is_saved_comes_back(policy: Policy, folder: Path) -> None:
    loaded = load_policy(folder, name="again", manual="Be brief.")
    assert (loaded.name, loaded.codec.manual, loaded.context) == ("again", "Be brief.", 512)
    assert not loaded.model.training
    torch.testing.assert_close(_logits(loaded), _logits(policy), rtol=0, atol=0)
    for name, weight in _weights(policy).items():
        torch.testing.assert_close(loaded.model.state_dict()[name], weight, rtol=0, atol=0)
    for text in ("Action: look", "You see a mug 1.", "<|end|>", "é"):
        assert loaded.codec.text_ids(text) == policy.codec.text_ids(text)
    assert (loaded.codec.end_id, loaded.codec.pad_id) == (policy.codec.end_id, policy.codec.pad_id)


def test_it_goes_where_it_is_told_to(folder: Path) -> None:
    assert load_policy(folder, name="p").model.device.type == "cpu"
    assert load_policy(folder, name="p", device="meta").model.device.type == "meta"


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(
    ("kind", "rates"),
    [
        (LlamaConfig, {"attention_dropout": 0.5}),
        (GPT2Config, {"attn_pdrop": 0.5, "resid_pdrop": 0.5, "embd_pdrop": 0.5}),
    ],
    ids=["llama", "gpt2"],
)
def test_training_reads_what_playing_read(
    policy: Policy, tmp_path: Path, kind: type[PreTrainedConfig], rates: dict[str, float], attention: str
) -> None:
    """Updates run in train mode; the dropout of a model's own configuration is off."""
    config = kind(
        vocab_size=policy.model.config.vocab_size, hidden_size=16, num_hidden_layers=2,
        num_attention_heads=2, eos_token_id=policy.codec.end_id, bos_token_id=None, **rates,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        model = AutoModelForCausalLM.from_config(config)
    save_policy(replace(policy, model=model), tmp_path / "model")
    loaded = load_policy(tmp_path / "model", name="x")
    loaded.model.set_attn_implementation(attention)
    played = _logits(loaded)
    loaded.model.train()
    torch.testing.assert_close(_logits(loaded), played, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_small_on_disk_exact_on_the_processor(policy: Policy, tmp_path: Path, dtype: torch.dtype) -> None:
    before = _weights(policy)
    save_policy(policy, tmp_path / "small", dtype=dtype)
    loaded = load_policy(tmp_path / "small", name="small")
    assert {weight.dtype for weight in loaded.model.state_dict().values()} == {torch.float32}
    for name, weight in before.items():
        torch.testing.assert_close(policy.model.state_dict()[name], weight, rtol=0, atol=0)
        rounded = weight.to(dtype).float()
        torch.testing.assert_close(loaded.model.state_dict()[name], rounded, rtol=0, atol=0)
    stored = (tmp_path / "small" / "model.safetensors").stat().st_size
    save_policy(policy, tmp_path / "large")
    assert stored < 0.8 * (tmp_path / "large" / "model.safetensors").stat().st_size


def test_saved_as_text_and_safetensors_only(folder: Path) -> None:
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".safetensors", ".jinja"}


def test_a_copy_is_independent(policy: Policy) -> None:
    before, state = _weights(policy), torch.random.get_rng_state()
    twin = copy_policy(policy, name="twin")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (twin.name, policy.name, twin.model.training) == ("twin", "tiny", False)
    torch.testing.assert_close(_logits(twin), _logits(policy), rtol=0, atol=0)
    with torch.no_grad():
        for parameter in twin.model.parameters():
            parameter += 1.0
    for name, weight in _weights(policy).items():
        assert torch.equal(weight, before[name]), name
    assert twin.model.get_output_embeddings().weight is twin.model.get_input_embeddings().weight  # still tied


def test_tiny_model_is_drawn_from_its_seed(policy: Policy) -> None:
    state = torch.random.get_rng_state()
    model, same, other = (tiny_model(policy.codec.tokenizer, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    weights = [list(drawn.parameters()) for drawn in (model, same, other)]
    assert all(torch.equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights[0], weights[2], strict=True))
    assert model.config.vocab_size == len(policy.codec.tokenizer)


def test_fresh_heads_attend_to_their_like(policy: Policy) -> None:
    """Without positions, a fresh head scores a token's own like above nearly everything else."""
    model = tiny_model(policy.codec.tokenizer, seed=0)
    table = torch.nn.functional.normalize(model.model.embed_tokens.weight, dim=1)
    attention = model.model.layers[0].self_attn
    n_heads, n_kv = model.config.num_attention_heads, model.config.num_key_value_heads
    queries = attention.q_proj(table).unflatten(1, (n_heads, -1))
    keys = attention.k_proj(table).unflatten(1, (n_kv, -1))
    for group in range(n_kv):
        scores = queries[:, group * (n_heads // n_kv)] @ keys[:, group].T
        same_token = scores.diagonal()[:, None]
        assert float((scores < same_token).float().mean()) > 0.95


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    "path", ["./nowhere", "/nowhere/at/all", "~/nowhere", "../nowhere", Path("base"), "data/base", "base"]
)
def test_a_path_that_is_not_there_is_not_looked_up(
    path: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=rf"{Path(path).name}: no such model folder"):
        load_policy(path, name="x")
    with pytest.raises(ValueError, match=r"a/b: no such model folder .*hub:a/b\)"):
        load_policy("a/b", name="x")


def test_the_hub_is_asked_only_where_it_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, object]] = []
    for loader in (AutoTokenizer, AutoModelForCausalLM):
        original = loader.from_pretrained

        def spy(where: object, original: Callable[..., object] = original, **options: object) -> object:
            asked.append((where, options["local_files_only"]))
            return original(folder, **options)

        monkeypatch.setattr(loader, "from_pretrained", spy)
    load_policy(folder, name="x")
    load_policy("hub:organisation/name", name="x")
    assert asked == [(str(folder), True)] * 2 + [("organisation/name", False)] * 2


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("missing", "message"), [("config.json", "config.json is missing"), ("tokenizer.json", "no tokenizer")]
)
def test_a_folder_that_lacks_a_file(folder: Path, missing: str, message: str) -> None:
    (folder / missing).unlink()
    for path in (folder, str(folder)):
        with pytest.raises(ValueError, match=rf"{folder}: .*{message}"):
            load_policy(path, name="x")


def test_a_folder_without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=rf"{folder}: cannot load .*model.safetensors"):
        load_policy(folder, name="x")


@pytest.mark.parametrize("damaged", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_damaged_file(folder: Path, damaged: str) -> None:
    (folder / damaged).write_bytes((folder / damaged).read_bytes()[:7])
    with pytest.raises(ValueError, match=rf"{folder}: cannot load"):
        load_policy(folder, name="x")


def test_weights_in_pickles_are_not_opened(folder: Path, policy: Policy) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="cannot load"):
        load_policy(folder, name="x")


def test_no_code_from_strangers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    for loader in (AutoTokenizer, AutoModelForCausalLM):
        original = loader.from_pretrained

        def spy(*args: object, original: Callable[..., object] = original, **options: object) -> object:
            asked.append(options["trust_remote_code"])
            return original(*args, **options)

        monkeypatch.setattr(loader, "from_pretrained", spy)
    load_policy(folder, name="x")
    assert asked == [False, False]


def test_a_full_disk_is_an_os_error(policy: Policy, tmp_path: Path) -> None:
    """Weights and tokenizer are written by Rust, which says so with other classes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_policy(policy, tmp_path / "model")
        with pytest.raises(OSError, match="File too large"), disk_refusals():
            policy.codec.tokenizer.save_pretrained(tmp_path / "tokenizer")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with pytest.raises(KeyError), disk_refusals():
        raise KeyError("a bug is not an OSError")
