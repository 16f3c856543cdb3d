"""Flow charts of Mermaid as tables: drawing them takes a large script, their arrows are few."""

import re
from collections.abc import Iterator

_BLOCK = re.compile(r"^```mermaid\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r'(?:subgraph )?(\w+)\s*\["([^"]*)"\]')
_ARROW = re.compile(r"\s*<?-->(?:\|([^|]*)\|)?\s*")


def flows_as_tables(text: str) -> str:
    """Markdown in which every flow chart is a table of its arrows."""
    return _BLOCK.sub(lambda match: _table(match[1]), text)


def _table(chart: str) -> str:
    names = {key: title.replace("<br>", " ") for key, title in _NAME.findall(chart)}
    rows = [f"| {names.get(a, a)} | {names.get(b, b)} | {what} |" for a, what, b in arrows(chart)]
    return "\n".join(["| from | to | what |", "|---|---|---|", *rows]) + "\n"


def arrows(chart: str) -> Iterator[tuple[str, str, str]]:
    """(from, what, to) of each arrow; of a chain a --> b --> c, both."""
    for line in chart.splitlines():
        bare = _NAME.sub(r"\1", line.strip())
        parts = _ARROW.split(bare)
        for i in range(0, len(parts) - 2, 2):
            yield parts[i], (parts[i + 1] or "").replace("<br>", " "), parts[i + 2]
