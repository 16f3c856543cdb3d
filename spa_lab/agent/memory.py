"""Memory that was freed goes back to the operating system.

Playing and reading leave free pages in the heap of the C library. It keeps them, in pieces that the update
after them cannot use, so that a process grows over the iterations.
"""

import ctypes


def release_memory() -> bool:
    """Give free pages of the heap back; returns whether the C library can (glibc's `malloc_trim`)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return False
    trim(0)
    return True
