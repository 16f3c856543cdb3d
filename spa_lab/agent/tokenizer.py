"""The small tokenizer of the embedded agent: made from text, whole phrases as tokens, bytes for the rest.

Text is split around the names of things ("mug 2"), and each name and each frequent phrase between
names becomes one token. Sequences are three to five times shorter than with words, which is what lets
a whole episode be learnt from in milliseconds. Any other text falls back to bytes, so nothing is
unknown.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

END, WORLD, AGENT, PAD = "<|end|>", "<|world|>", "<|agent|>", "<|pad|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "<|world|>{{ message['content'] }}<|agent|>"
    "{% else %}{{ message['content'] }}<|end|>{% endif %}{% endfor %}"
)
"""Roles as single tokens: what the world says, then what the agent writes up to its end token."""


def build_tokenizer(
    texts: Iterable[str], names: Sequence[str], *, at_least: int, numbered: bool = True
) -> PreTrainedTokenizerFast:
    """A tokenizer whose whole-phrase tokens occur `at_least` times in `texts`.

    Args:
        texts: messages as the world and the agent write them.
        names: words for kinds of things; with a number behind them they are one token.
        at_least: occurrences that earn a phrase its own token.
        numbered: names stand behind a blank and mostly before a number, which both belong to the token
            (" mug 2"); else they stand between anything but letters, digits and hyphens ("[red]", "$2.50"),
            or reach as far as they say, if they end with a blank (" - $2.50 - ").

    Returns:
        A fast tokenizer with end, pad and two role tokens and a chat template.
    """
    alone = _alternatives(name for name in names if not name.endswith(" "))
    pattern = rf" (?:{alone})(?: \d+)?\b" if numbered else rf"(?<![\w-])(?:{alone})(?![\w-])"
    if reaching := _alternatives(name for name in names if name.endswith(" ")):
        pattern = f"{reaching}|{pattern}"
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    cut = pre_tokenizers.Sequence([split, to_bytes])
    counts: Counter[str] = Counter()
    for text, times in Counter(texts).items():  # pages come again and again
        for piece, _ in cut.pre_tokenize_str(text):
            counts[piece] += times
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    for special in (END, WORLD, AGENT, PAD):
        counts.pop(special, None)  # spelled out in a text it stays bytes, or it would be the special token
    phrases = sorted(piece for piece, n in counts.items() if n >= at_least and len(piece) > 1)
    vocabulary = {piece: i for i, piece in enumerate([*alphabet, *phrases])}
    # no merges: with `ignore_merges` a piece is either one whole token or its bytes
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = cut
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD)
    fast.add_special_tokens({"additional_special_tokens": [WORLD, AGENT]})
    fast.chat_template = CHAT_TEMPLATE
    return fast


def _alternatives(names: Iterable[str]) -> str:
    """A pattern for any of the names, the longest that fits."""
    return "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
