"""An episode's tokens as coloured text: which are learnt, which only read."""

from collections.abc import Sequence
from html import escape
from types import MappingProxyType

from spa_lab.view import style

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


def _painted(text: str, kind: str) -> str:
    return f'<span style="{_LOOKS[kind]}">{escape(text)}</span>'
