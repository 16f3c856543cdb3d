"""Report of what is installed: versions, device, base models, engines and official data. Changes nothing."""

import os
import platform
from importlib import metadata, util
from pathlib import Path

from spa_lab.agent.fetching import PACKAGED, fetched_folder
from spa_lab.envs.worlds import WORLDS, make_environment
from spa_lab.paths import base_folder
from spa_lab.store.provenance import git_commit, versions

_ENGINES = ("alfworld", "textworld")
_SPLITS = ("train", "valid_seen", "valid_unseen")
_GIB = 2**30


def report() -> list[tuple[str, str]]:
    """What was found, in a fixed order.

    Torch is imported only to list its devices; engines are looked up, never imported.

    Returns:
        (name, finding) pairs of text.
    """
    packages = versions()
    python = packages.pop("python")
    return [
        ("python", f"{python} on {platform.system()} {platform.machine()}"),
        *packages.items(),
        ("code", git_commit() or "no git checkout"),
        ("device", _device()),
        ("cores", _cores()),
        ("memory", _memory()),
        *((f"base model, {env}", _base_model(env)) for env, entry in WORLDS.items() if not entry.data),
        *((f"language model {name}", _fetched(name)) for name in PACKAGED),
        *((f"engine {name}", _engine(name)) for name in _ENGINES),
        *((entry.data, _official_data(entry.data)) for entry in WORLDS.values() if entry.data),
    ]


def _device() -> str:
    """The accelerator that torch finds, or the reason why there is none."""
    if util.find_spec("torch") is None:
        return "torch is not installed: saved runs can be opened, nothing can be trained"
    import torch  # here, because nothing else in this module needs it

    if torch.cuda.is_available():
        cards = (torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count()))
        return ", ".join(f"cuda: {card.name} ({card.total_memory / _GIB:.0f} GiB)" for card in cards)
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _cores() -> str:
    """Cores that this process may use, and cores of the machine."""
    n_cores = os.cpu_count()
    if not hasattr(os, "sched_getaffinity"):  # Linux only
        return str(n_cores)
    return f"{len(os.sched_getaffinity(0))} of {n_cores}"


def _memory() -> str:
    """Physical memory, or the limit of the container if that is smaller."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    allowed = limit.read_text().strip() if limit.exists() else "max"
    return f"{(physical if allowed == 'max' else min(physical, int(allowed))) / _GIB:.1f} GiB"


def _base_model(env: str) -> str:
    """The pretrained model of a world that ships with the project: folder and size, or whose it uses."""
    base = make_environment(env).base
    if base != env:
        return f"uses {base}'s"
    try:
        folder = base_folder(env)
    except FileNotFoundError as error:
        return f"missing: {error}"
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        return f"missing: no *.safetensors in {folder}"
    return f"{folder} ({sum(file.stat().st_size for file in weights) / 1e6:.1f} MB)"


def _fetched(name: str) -> str:
    """Where `spa-lab fetch` stored a language model."""
    folder = fetched_folder(name)
    return str(folder) if folder.is_dir() else f"not fetched (optional; spa-lab fetch {name})"


def _engine(name: str) -> str:
    if util.find_spec(name) is None:
        return f"not installed (optional; pip install {name})"
    return metadata.version(name)


def _official_data(variable: str) -> str:
    """The folder that an environment variable names, and what is in it."""
    if variable == "ALFWORLD_DATA":
        return _alfworld_data()
    root = os.environ.get(variable)
    if not root:
        return "not set (optional)"
    return root if Path(root).expanduser().exists() else f"{root}: not found"


def _alfworld_data() -> str:
    """The official ALFWorld games: folder and number per split."""
    root = os.environ.get("ALFWORLD_DATA")
    if not root:
        return "not set (optional)"
    folder = Path(root).expanduser() / "json_2.1.1"
    if not folder.is_dir():
        return f"{root}: not found: it has no folder json_2.1.1"
    counts = (f"{split} {sum(1 for _ in folder.glob(f'{split}/*/*/game.tw-pddl'))}" for split in _SPLITS)
    return f"{root}: games {', '.join(counts)}"
