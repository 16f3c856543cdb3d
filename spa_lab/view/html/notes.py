"""The form for a reader's tags, notes and labels."""

from spa_lab.view.html.markup import safe
from spa_lab.view.notes import Note


def notes_html(episode: Note, step: Note, index: int, count: int, target: str) -> str:
    """Fields for the episode and the selected step; each names the episode's position and the step.

    Args:
        episode: note of the episode.
        step: note of the selected step.
        index: position of the episode in its collection.
        count: notes that were written so far, of any episode.
        target: file that the button writes.
    """
    fields = [
        _field(f"tags:{index}", "tags of the episode", ", ".join(episode.tags), "comma, separated"),
        _field(f"note:{index}", "note", episode.text, ""),
        _field(f"label:{index}:{step.step}", f"label of step {step.step}", step.label, "e.g. wrong turn"),
        _field(f"text:{index}:{step.step}", "note", step.text, ""),
    ]
    written = f" ({count})" if count else ""
    return (
        f'<details class="notes" data-keep="notes"><summary>tags, notes, labels{written}</summary>'
        f'<div class="bar-of-controls">{"".join(fields)}'
        f'<button type="button" name="save_notes">Save to {safe(target)}</button></div></details>'
    )


def _field(name: str, title: str, value: str, hint: str) -> str:
    return (
        f'<label class="control">{safe(title)}<input type="text" name="{name}" value="{safe(value)}" '
        f'placeholder="{safe(hint)}" autocomplete="off"></label>'
    )
