"""Call Sphinx on assembled pages, and check that what it made needs no network."""

import sys
from collections.abc import Callable
from pathlib import Path

from sphinx.cmd.build import build_main

from website import offline

_STRICT = ("-E", "-W", "--keep-going", "-q")
"""Everything is read again, and a warning is an error."""


def build(
    builder: str,
    configuration: Path,
    source: Path,
    site: Path,
    *,
    clean: Callable[[Path], object] = lambda site: None,
) -> int:
    """Make HTML; says on stdout where it is, and on stderr what is wrong.

    Args:
        builder: "html" or "revealjs".
        configuration: folder of `conf.py`.
        source: the assembled pages.
        site: where the HTML goes.
        clean: called with that folder before the check.

    Returns:
        0, the exit code of Sphinx, or 1 if a page would load something from another host.
    """
    code = build_main(["-b", builder, *_STRICT, "-c", str(configuration), str(source), str(site)])
    if code:
        return int(code)
    clean(site)
    loads = list(offline.foreign_loads(site))
    for line in loads:
        print(f"needs a network: {line}", file=sys.stderr)
    print(f"open {site / 'index.html'}")
    return 1 if loads else 0
