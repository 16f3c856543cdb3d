"""The small tokenizer of the embedded agent: whole phrases as tokens, bytes for all other text.

Text is split around the names of things ("mug 2"), and each name and each frequent phrase between names
becomes one token. Sequences are three to five times shorter than with words, so that training on a whole
episode takes milliseconds. Any other text falls back to bytes, so there are no unknown tokens.
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
"""Roles as single tokens: a message of the world, then one of the agent up to its end token."""


def build_tokenizer(
    texts: Iterable[str], names: Sequence[str], *, at_least: int, numbered: bool = True
) -> PreTrainedTokenizerFast:
    """A tokenizer whose whole-phrase tokens occur `at_least` times in `texts`.

    Args:
        texts: messages as the world and the agent write them.
        names: words for kinds of things; together with a number after them they are one token.
        at_least: occurrences from which on a phrase is a token.
        numbered: names follow a space and mostly precede a number, both part of the token (" mug 2");
            otherwise they stand between anything but letters, digits and hyphens ("[red]", "$2.50"), or, if
            they end with a space, include all their characters (" - $2.50 - ").

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
    for text, times in Counter(texts).items():  # pages repeat
        for piece, _ in cut.pre_tokenize_str(text):
            counts[piece] += times
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    for special in (END, WORLD, AGENT, PAD):
        counts.pop(special, None)  # in a text it must stay bytes, or it would become the special token
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
    """A pattern for any of the names, longest match first."""
    return "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
