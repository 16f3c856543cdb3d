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


def choice(name: str, title: str, value: str, options: Mapping[str, str] | Sequence[str]) -> str:
    """A drop-down list; `options` maps values to labels, or lists values that are their own labels."""
    shown = options if isinstance(options, Mapping) else {option: option for option in options}
    items = "".join(
        f'<option value="{safe(key)}"{" selected" if key == value else ""}>{safe(shortened(text, 60))}'
        "</option>"
        for key, text in shown.items()
    )
    return f'<label class="control">{safe(title)}<select name="{name}">{items}</select></label>'


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


def field(name: str, title: str, value: str, kind: str, hint: str = "", enter: str = "") -> str:
    """A text field of `kind` "search", "text" or "number"; `enter` names the button that Enter presses."""
    return (
        f'<label class="control">{safe(title)}<input type="{kind}" name="{name}" value="{safe(value)}" '
        f'placeholder="{safe(hint)}" autocomplete="off" spellcheck="false" data-enter="{enter}"></label>'
    )


def button(name: str, title: str, *, key: str = "", enabled: bool = True) -> str:
    """A button; `key` is its keyboard shortcut."""
    hint = f" <kbd>{safe(key)}</kbd>" if key else ""
    disabled = "" if enabled else " disabled"
    return (
        f'<button type="button" name="{name}" data-key="{safe(key)}"{disabled}>{safe(title)}{hint}</button>'
    )


def row(*controls: str) -> str:
    """Controls side by side."""
    return f'<div class="bar-of-controls">{"".join(controls)}</div>'
