"""Tokens as coloured text: which are learnt and which only read; and the number that a log has for each."""

from collections.abc import Sequence
from html import escape
from types import MappingProxyType

from spa_lab.types import TokenNumbers
from spa_lab.view import style
from spa_lab.view.html.markup import safe
from spa_lab.view.text import shortened

LEARNT = "#dce8f4"
"""Background of a token over which the loss is taken."""
_LOOKS = MappingProxyType(
    {
        "learnt": f"background:{LEARNT};color:{style.INK};border-bottom:2px solid {style.POSITIVE}",
        "read": f"color:{style.MUTED}",
        "masked": f"color:{style.INK};text-decoration:line-through",
    }
)
"""Kind -> how it looks; no two differ by colour alone."""


def tokens_html(tokens: Sequence[str], kinds: Sequence[str]) -> str:
    """The text of all tokens, each painted by its kind, under a legend.

    Args:
        tokens: (L,) text of each token; whatever it holds is shown as it is written.
        kinds: (L,) "learnt" (the loss is taken over it), "read" (input only) or "masked" (written by the
            agent, but not to be imitated).

    Returns:
        HTML for `IPython.display.HTML`, light ground also in a dark theme.

    Raises:
        ValueError: another kind, or not one for each token.
    """
    if len(tokens) != len(kinds):
        raise ValueError(f"got {len(kinds)} kinds for {len(tokens)} tokens")
    unknown = [kind for kind in kinds if kind not in _LOOKS]
    if unknown:
        raise ValueError(f"kinds are {', '.join(_LOOKS)}, got {unknown[0]!r}")
    legend = " ".join(_painted(f" {kind} ", kind) for kind in _LOOKS)
    body = "".join(_painted(token, kind) for token, kind in zip(tokens, kinds, strict=True))
    ground = f"background:{style.WHITE};white-space:pre-wrap;padding:0.8em"
    return f'<pre style="{ground}">{legend}\n\n{body}</pre>'


MOST_TOKENS = 400
"""Tokens of one step whose numbers are shown."""


def numbers_html(tokens: TokenNumbers, step: int, largest: float) -> str:
    """The words of a step, each tinted by its number; a list that unfolds. Empty without tokens.

    Negative numbers are underlined as well as tinted; the number itself is in the tooltip. Tokens without
    text are shown as their numbers.

    Args:
        tokens: of the trajectory.
        step: index of the step.
        largest: the size of a number that is fully tinted, > 0.
    """
    numbers = tokens.numbers[step]
    if not len(numbers):
        return ""
    texts = tokens.texts[step] if tokens.texts is not None else [f"{value:.2f} " for value in numbers]
    words = "".join(
        f'<span class="numbered {"below" if value < 0 else "above"}" '
        f'style="--share:{min(abs(value) / largest, 1.0):.2f}" title="{value:.4g}">{safe(text)}</span>'
        for text, value in zip(texts[:MOST_TOKENS], numbers[:MOST_TOKENS].tolist(), strict=True)
    )
    left = len(numbers) - MOST_TOKENS
    note = f'<span class="note">{left:,} more tokens</span>' if left > 0 else ""
    name = safe(shortened(tokens.name, 40))
    head = f"{name} of {len(numbers):,} tokens, mean {numbers.mean():.3g}"
    return (
        f'<details class="token-numbers" data-keep="{name}-{step}"><summary>{head}</summary>'
        f'<span class="prose" dir="auto">{words}</span>{note}</details>'
    )


def _painted(text: str, kind: str) -> str:
    return f'<span style="{_LOOKS[kind]}">{escape(text)}</span>'
