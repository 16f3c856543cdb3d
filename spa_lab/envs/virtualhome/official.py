"""The official scenes: 518 graphs and programs of VirtualHome, as the `eai-eval` wheel packs them."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

WHEEL = "eai_eval-1.0.5-py3-none-any.whl"

Finder = Callable[[str, str], Any]
"""(member of the wheel, its sha256) -> the initial graph; LookupError where it is not here."""


def graph_finder(folder: Path) -> Finder:
    """Finds initial graphs in the wheel in `folder`."""
    wheel = folder / WHEEL

    def find(member: str, digest: str) -> Any:
        if not wheel.is_file():
            raise LookupError(f"its scene is in {WHEEL}, which is not in {folder}")
        return _member(wheel, member, digest)["init_graph"]

    return find


def _member(wheel: Path, member: str, digest: str) -> Any:
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{wheel}: cannot read {member}: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ValueError(f"{wheel}: {member} has sha256 {found}, expected {digest}")
    return json.loads(content)
