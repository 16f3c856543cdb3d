"""A training method that fails, for the tests of grids; workers import this file by its name."""

from typing import NoReturn

from spa_lab.learn.method import TrainingInputs, TrainingMethod


def _fail(inputs: TrainingInputs) -> NoReturn:
    raise RuntimeError(f"no luck in {inputs.environment.name}")


UNLUCKY = TrainingMethod(name="unlucky", title="unlucky", origin="test", make=_fail)
