from collections.abc import Callable
from typing import Any

import pytest

Press = Callable[..., None]


@pytest.fixture(scope="session")
def press() -> Press:
    """(view, name=value, ...): what a browser reports when controls are moved."""

    def report(view: Any, **moves: str) -> None:
        view._answer(view, {"moves": moves}, [])

    return report
