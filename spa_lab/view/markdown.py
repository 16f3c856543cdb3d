"""Tables as Markdown."""

from collections.abc import Sequence

from spa_lab.view.text import one_line


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of plain text; the first column is left-aligned, all others right-aligned.

    Args:
        heads: column titles.
        rows: cells, as many as titles.

    Raises:
        ValueError: a row has another number of cells than there are titles.
    """
    for index, row in enumerate(rows):
        if len(row) != len(heads):
            raise ValueError(f"table row {index} has {len(row)} cells, there are {len(heads)} columns")
    rule = "|".join(["---", *["---:"] * (len(heads) - 1)])
    return "\n".join([_line(heads), f"|{rule}|", *map(_line, rows), ""])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(plain, cells)) + " |"


def plain(text: str) -> str:
    """Text on one line in which Markdown finds no markup."""
    return one_line(text).translate(_ESCAPES).replace("](", "]\\(")


_ESCAPES = str.maketrans({character: f"\\{character}" for character in r"\|`*_<>$"})
"""Characters that Markdown or HTML in it would take for markup."""
