"""Run the notebooks for the site; one that has not changed since it was run here is not run again.

They run at the scale that they are written for, in the order of their names, in a folder of their own: those
that share a run folder find there what the earlier ones did.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from website.docstrings import ROOT

SECONDS = 3600
"""That a cell may take; a busy machine trains slowly."""


def execute(notebooks: Sequence[Path], out: Path) -> None:
    """Run notebooks and save them with their outputs.

    Args:
        notebooks: files.
        out: where they are saved; their runs go to `runs` beside it.

    Raises:
        CellExecutionError: a cell failed; earlier notebooks are saved.
    """
    out.mkdir(parents=True, exist_ok=True)
    state = code_state()
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    for path in notebooks:
        key = hashlib.sha256(path.read_bytes() + state).hexdigest()
        made, stamp = out / path.name, out / f".{path.name}.json"
        if made.exists() and stamp.exists() and json.loads(stamp.read_text()) == key:
            continue
        print(f"running {path.name}")
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": str(out)}}
        NotebookClient(notebook, timeout=SECONDS, resources=resources).execute()
        partial = out / f".{path.name}.partial"
        nbformat.write(notebook, partial)
        os.replace(partial, made)
        stamp.write_text(json.dumps(key))


def code_state() -> bytes:
    """A digest of the package: notebooks are run again when it has changed."""
    digest = hashlib.sha256()
    for file in sorted((ROOT / "spa_lab").rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.digest()
