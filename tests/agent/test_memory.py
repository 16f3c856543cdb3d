"""Freed memory goes back to the operating system."""

import subprocess
import sys

import pytest

_FRAGMENTED = """
from spa_lab.agent.memory import release_memory

def resident():
    return int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0])

pieces = [bytearray(60_000) for _ in range(4000)]
full = resident()
last = pieces.pop()
pieces.clear()
print(full, resident() if release_memory() else full, len(last))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_freed_memory_below_a_block_in_use_is_released() -> None:
    result = subprocess.run([sys.executable, "-c", _FRAGMENTED], capture_output=True, text=True, check=True)
    full, released, _ = map(int, result.stdout.split())
    assert full - released > 150_000  # kB, of 240,000
