"""Tokens as coloured text: which are learnt and which only read; and the number that a log has for each."""

import math
import re
from collections.abc import Sequence

from spa_lab.types import TokenNumbers
from spa_lab.view.html.markup import safe, styled
from spa_lab.view.text import shortened

KINDS = ("learnt", "read", "masked")
"""Classes in the style sheet; no two differ by colour alone."""
_TAG = re.compile(r"<\|(.*)\|>")


def tokens_html(tokens: Sequence[str], kinds: Sequence[str], nats: Sequence[float] = ()) -> str:
    """The text of all tokens, each painted by its kind, under a legend; every turn begins a line.

    Args:
        tokens: (L,) text of each token; whatever it holds is shown as it is written. Tokens of the template,
            such as "<|end|>", are shown as tags, and those that are only read begin a turn.
        kinds: (L,) "learnt" (the loss is taken over it), "read" (input only) or "masked" (written by the
            agent, but not to be imitated).
        nats: (L,) surprise of the model at each token, shown when the pointer rests on it; none if empty, and
            none where it is NaN.

    Returns:
        HTML for `IPython.display.HTML`, light or dark as the page is.

    Raises:
        ValueError: another kind, or not one for each token, or not a number for each.
    """
    if len(tokens) != len(kinds) or len(nats) not in (0, len(tokens)):
        raise ValueError(f"got {len(kinds)} kinds and {len(nats)} numbers for {len(tokens)} tokens")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"kinds are {', '.join(KINDS)}, got {unknown[0]!r}")
    legend = " ".join(_painted(kind, kind, math.nan) for kind in KINDS)
    known = nats if len(nats) else [math.nan] * len(tokens)
    body = "".join(map(_painted, tokens, kinds, known))
    return styled(f'<div class="painted"><p>{legend}</p><div class="prose">{body}</div></div>')


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


def _painted(text: str, kind: str, nats: float) -> str:
    tip = "" if math.isnan(nats) else f' title="{nats:.3f} nats"'
    tag = _TAG.fullmatch(text)
    if tag is None:
        return f'<span class="{kind}"{tip}>{safe(text)}</span>'
    turn = "<br>" if kind == "read" else ""
    return f'{turn}<span class="{kind} tag"{tip}>{safe(tag[1])}</span>'
