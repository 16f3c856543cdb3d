"""Decks of slides from notebooks, as MyST Markdown.

A section of a notebook begins a slide; what does not fit goes on the next one below it.
"""

import re
from collections.abc import Iterator, Sequence

from nbformat import NotebookNode

ROOM = 13
"""Lines of a slide below its heading."""
LINE = 70
"""Characters of a line of prose."""
CODE = 0.6
"""Height of a line of code, in lines of prose."""
LEAD = 45
"""Characters of a paragraph that only leads to the next block."""
SKIPPED = ("Equations and functions",)
"""Sections that are for looking things up."""
_BREAK = "```{revealjs-break}\n```"


def deck(notebook: NotebookNode) -> str:
    """The slides of a notebook as MyST Markdown."""
    lines: list[str] = []
    for heading, blocks in sections(notebook):
        title = re.sub(r"^#+ ", "", heading)
        if title in SKIPPED:
            continue
        lines += [heading, ""]
        for number, slide in enumerate(slides(blocks)):
            lines += [*([_BREAK, ""] if number else []), *(f"{block}\n" for block in slide)]
    return "\n".join(lines)


def sections(notebook: NotebookNode) -> Iterator[tuple[str, list[str]]]:
    """Each heading of the notebook, and the blocks of Markdown below it: paragraphs, tables, code."""
    heading, blocks = "", list[str]()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            blocks += [block for block in code_blocks(cell)]
            continue
        for block in re.split(r"\n\s*\n", cell.source.strip()):
            if re.match(r"#+ ", block):
                if heading:
                    yield heading, blocks
                heading, _, rest = block.partition("\n")
                heading, blocks = re.sub("^###+", "##", heading), [rest] if rest.strip() else []
            else:
                blocks.append(block)
    if heading:
        yield heading, blocks


def code_blocks(cell: NotebookNode) -> Iterator[str]:
    """The code of a cell, and what it printed if it was run; nothing of a cell that only imports."""
    work = [line for line in cell.source.splitlines() if line and not line.startswith(("import ", "from "))]
    if not work:
        return
    yield f"```python\n{cell.source.strip()}\n```"
    for output in cell.get("outputs", ()):
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        is_object = text.startswith(("<", "Figure("))
        if text.strip() and not is_object and len(text.splitlines()) < ROOM:
            yield f"```text\n{text.rstrip()}\n```"


def slides(blocks: Sequence[str]) -> Iterator[list[str]]:
    """Blocks in order, as many on a slide as there is room for; a long block has a slide of its own."""
    current: list[str] = []
    used = 0.0
    for block in _with_leads(blocks):
        needed = height(block)
        if current and used + needed > ROOM:
            yield current
            current, used = [], 0.0
        current.append(block)
        used += needed
    if current:
        yield current


def _with_leads(blocks: Sequence[str]) -> Iterator[str]:
    """The blocks; one that leads to the next, such as "**You will learn**", together with it."""
    lead = ""
    for block in blocks:
        if not lead and (len(block) <= LEAD or block.endswith(":")) and block[:1] not in "`|$-":
            lead = block
            continue
        yield f"{lead}\n\n{block}" if lead else block
        lead = ""
    if lead:
        yield lead


def height(block: str) -> float:
    """Lines that a block takes, with the space around it."""
    if block.startswith("```"):
        return CODE * len(block.splitlines())
    lead, gap, rest = block.partition("\n\n")
    if gap:
        return height(lead) + height(rest)
    if block.startswith("$$"):
        return 3
    if block.startswith(("|", "- ", "1. ")):
        return sum(-(-len(line) // LINE) for line in block.splitlines()) + 1
    return -(-len(" ".join(block.split())) // LINE) + 1
