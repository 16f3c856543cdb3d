"""Importing the agent takes no longer than importing torch: transformers loads where a model is used."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "module", ["spa_lab.agent.rollout", "spa_lab.agent.models", "spa_lab.learn.language"]
)
def test_no_import_of_transformers(module: str) -> None:
    program = f"import sys, {module}; print(sorted({{'torch', 'transformers'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "['torch']\n"), done.stderr
