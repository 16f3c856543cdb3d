"""Which sources predict the outcome: base value plus contributions is meant to be R."""

import re

ADVANTAGES = frozenset({"critic_gae", "gigpo", "leave_one_out"})
"""Built-in sources that compare a step with others."""
VALUES = frozenset({"ipr", "math_shepherd"})
"""Built-in sources that rate what a step leads to; their names end in the number of continuations."""
MARKS = frozenset({"grounding"})
"""Built-in sources that say something else of a step."""


def predicts_outcome(source: str) -> bool:
    """Whether the contributions of a source are parts of the outcome, so that their sum says something of R.

    False for the built-in sources that are no split of R, such as the advantages of GiGPO, whose sum over an
    episode may be -20. Sources from elsewhere are taken to predict R.
    """
    name = re.sub(r"_\d+$", "", source)
    return name not in ADVANTAGES | VALUES | MARKS
