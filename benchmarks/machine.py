"""The machine that a measurement was made on: a speed without it says little."""

import os
import platform
from contextlib import suppress
from pathlib import Path

import torch

from spa_lab.store.provenance import git_commit, versions

PAGE = os.sysconf("SC_PAGE_SIZE")


def machine() -> dict[str, str | int | float | None]:
    """Processor, cores, memory (bytes), load average of a minute, threads of torch, versions, commit."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory": PAGE * os.sysconf("SC_PHYS_PAGES"),
        "load": os.getloadavg()[0],
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "commit": git_commit(),
        **versions(),
    }


def resident_bytes() -> int:
    """Resident memory of this process; Linux only."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
