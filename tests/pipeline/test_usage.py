"""CPU time and memory of a piece of work."""

import sys
import time

import numpy as np
import pytest

from spa_lab.pipeline.usage import Meter, Usage


def test_usages_add_up() -> None:
    assert Usage(1.0, 5) + Usage(2.0, 3) == Usage(3.0, 5)


def test_cpu_time_is_that_of_work_and_not_of_waiting() -> None:
    meter = Meter()
    time.sleep(0.2)
    waited = meter.read().cpu_seconds
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    assert waited < 0.15 <= meter.read().cpu_seconds - waited


@pytest.mark.skipif(sys.platform != "linux", reason="the peak cannot be reset")
def test_the_peak_is_that_of_this_work() -> None:
    large = np.ones(40_000_000)  # 320 MB
    before = Meter().read().peak_bytes
    assert before > large.nbytes
    del large
    after = Meter().read().peak_bytes
    assert after < before - 200_000_000
