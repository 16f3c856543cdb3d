"""The state of a household game as one list of bit sets.

Entry `HELD` says which objects are held (bit i = object i in sorted order), `OPENED` which receptacles are
open, and so on; the fixed entries are followed, for R receptacles and L locations, by:

* R entries: objects inside receptacle r;
* R entries: objects that were taken out of receptacle r and not put back;
* L entries: objects at location l.

So a snapshot is one tuple of integers, and every changeable fact is one (entry, bit) pair.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

State: TypeAlias = list[int]

AT, HELD, BUSY, OPENED, CLEAN, HOT, COOL, SLICED, TOGGLED, ON = range(10)
"""AT: bit of the agent's location. BUSY: 1 if an object is held."""
INSIDE = 10
"""Entry of receptacle 0's contents."""


class Layout(NamedTuple):
    """Where the entries of a game with R receptacles and L locations lie."""

    receptacles: int
    locations: int

    @property
    def taken(self) -> int:
        """First entry of the objects taken out of a receptacle."""
        return INSIDE + self.receptacles

    @property
    def placed(self) -> int:
        """First entry of the objects at a location."""
        return INSIDE + 2 * self.receptacles

    @property
    def size(self) -> int:
        """Number of entries of a state."""
        return INSIDE + 2 * self.receptacles + self.locations


def members(bits: int) -> Iterator[int]:
    """The indices of the set bits, ascending."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low
