"""Form controls of a widget, as HTML. A change is reported as (name, value), see `Host.on_control`."""

from collections.abc import Mapping, Sequence

from spa_lab.view.html.markup import safe
from spa_lab.view.text import shortened


def slider(name: str, title: str, value: float, low: float, high: float, step: float) -> str:
    """A slider with its number."""
    return (
        f'<label class="control"><span>{safe(title)} = <output data-of="{name}">{value:g}</output></span>'
        f'<input type="range" name="{name}" min="{low:g}" max="{high:g}" step="{step:g}" value="{value:g}">'
        "</label>"
    )


def choice(
    name: str, title: str, value: str, options: Mapping[str, str] | Sequence[str], hint: str = ""
) -> str:
    """A drop-down list; `options` maps values to labels, or lists values that are their own labels.

    `hint` says what it is where the title is short or empty.
    """
    more = f' title="{safe(hint)}" aria-label="{safe(hint)}"' if hint else ""
    shown = options if isinstance(options, Mapping) else {option: option for option in options}
    items = "".join(
        f'<option value="{safe(key)}"{" selected" if key == value else ""}>{safe(shortened(text, 60))}'
        "</option>"
        for key, text in shown.items()
    )
    return f'<label class="control">{safe(title)}<select name="{name}"{more}>{items}</select></label>'


def ticks(name: str, title: str, chosen: Sequence[str], options: Sequence[str]) -> str:
    """Checkboxes: any number of the options."""
    boxes = "".join(
        f'<label><input type="checkbox" name="{name}" value="{safe(option)}"'
        f"{' checked' if option in chosen else ''}>{safe(shortened(option, 60))}</label>"
        for option in options
    )
    return (
        f'<fieldset class="control"><legend>{safe(title)}</legend><div class="ticks">{boxes}</div></fieldset>'
    )


def field(
    name: str,
    title: str,
    value: str,
    kind: str,
    hint: str = "",
    enter: str = "",
    options: Sequence[str] = (),
    list_id: str = "",
) -> str:
    """A text field.

    Args:
        name: under which it is reported.
        title: beside it.
        value: what stands in it.
        kind: "search", "text" or "number".
        hint: shown while it is empty.
        enter: name of the button that Enter presses.
        options: offered while the user types.
        list_id: id of the list of options, unique in the page.
    """
    offered = "".join(f'<option value="{safe(option)}"></option>' for option in options)
    known = f' list="{safe(list_id)}"' if options else ""
    choices = f'<datalist id="{safe(list_id)}">{offered}</datalist>' if options else ""
    return (
        f'<label class="control">{safe(title)}<input type="{kind}" name="{name}" value="{safe(value)}" '
        f'aria-label="{safe(title or hint)}" placeholder="{safe(hint)}" autocomplete="off" '
        f'spellcheck="false" data-enter="{enter}"{known}></label>{choices}'
    )


def button(
    name: str, title: str, *, value: str = "", key: str = "", hint: str = "", enabled: bool = True
) -> str:
    """A button.

    Args:
        name: under which it is reported.
        title: on the button.
        value: what it reports.
        key: its keyboard shortcut.
        hint: what it does and its key, where the title is short; the key is then not shown.
        enabled: whether it can be pressed.
    """
    shown = f" <kbd>{safe(key)}</kbd>" if key and not hint else ""
    more = f' title="{safe(hint)}" aria-label="{safe(hint)}"' if hint else ""
    disabled = "" if enabled else " disabled"
    return (
        f'<button type="button" name="{name}" value="{safe(value)}" data-key="{safe(key)}"{more}{disabled}>'
        f"{safe(title)}{shown}</button>"
    )


def chip(name: str, title: str, value: str, *, pressed: bool) -> str:
    """A small button that is on or off; among chips of one name one is on."""
    return (
        f'<button type="button" class="chip" name="{name}" value="{safe(value)}" '
        f'aria-pressed="{str(pressed).lower()}">{safe(title)}</button>'
    )


def look(value: str, title: str) -> str:
    """A checkbox that only changes how the page looks: the page answers it itself."""
    return (
        f'<label class="look"><input type="checkbox" name="look" value="{safe(value)}"> {safe(title)}</label>'
    )


def folded(name: str, title: str, body: str) -> str:
    """Controls that open below their title, above what follows."""
    return (
        f'<details class="menu" data-keep="{name}"><summary>{safe(title)}</summary>'
        f'<div class="menu-body">{body}</div></details>'
    )


def row(*controls: str) -> str:
    """Controls side by side."""
    return f'<div class="bar-of-controls">{"".join(controls)}</div>'
