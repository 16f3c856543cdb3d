"""What a piece of work used: CPU time and memory of the process that did it."""

import resource
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Usage:
    """CPU time and memory."""

    cpu_seconds: float = 0.0
    """Of all threads, in user and system mode."""
    peak_bytes: int = 0
    """Largest resident memory of one process."""

    def __add__(self, other: "Usage") -> "Usage":
        """One after the other: CPU seconds add up, of the peaks the larger one counts."""
        return Usage(self.cpu_seconds + other.cpu_seconds, max(self.peak_bytes, other.peak_bytes))


class Meter:
    """Measures this process from here on.

    Outside of Linux the peak cannot be reset: there it is the largest of the process since its start.
    """

    def __init__(self) -> None:
        with suppress(OSError):
            _CLEAR.write_text("5")  # resets VmHWM
        self._began = time.process_time()

    def read(self) -> Usage:
        """What was used since the meter was made."""
        return Usage(time.process_time() - self._began, _peak_bytes())


def _peak_bytes() -> int:
    with suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
