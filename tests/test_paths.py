"""Where `data/` and `notebooks/` are found, and what is said where they are not."""

from pathlib import Path

import pytest

from spa_lab import paths

ROOT = Path(__file__).resolve().parent.parent


def test_the_checkout_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SPA_LAB_DATA", raising=False)
    assert paths.data_folder() == ROOT / "data"
    monkeypatch.setattr(paths, "_CHECKOUT", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "notebooks").mkdir()
    assert paths.notebooks_folder() == tmp_path / "notebooks"


def test_the_variable_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPA_LAB_DATA", str(tmp_path))
    assert paths.data_folder() == tmp_path.resolve()


def test_a_wrong_variable_is_an_error_not_a_fallback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPA_LAB_DATA", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match=r"SPA_LAB_DATA is '.*absent', which is not a folder"):
        paths.data_folder()


def test_a_strangers_data_folder_is_not_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Installed from a wheel, what lies beside the package is site-packages."""
    monkeypatch.delenv("SPA_LAB_DATA", raising=False)
    monkeypatch.setattr(paths, "_CHECKOUT", tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(FileNotFoundError, match=r"install from a checkout .* SPA_LAB_DATA"):
        paths.data_folder()
