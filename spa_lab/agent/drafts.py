"""Drafts: guesses of what is written next, which one forward pass reads together with the last token.

A draft changes nothing but speed: every token is still drawn from the model's own distribution by the random
number of the text, and a draft counts as far as it agrees. Follows prompt lookup decoding (Saxena 2023), a
form of speculative decoding (Leviathan et al. 2023, arXiv:2211.17192) without a second model.

Departs from both: it looks into all texts of the batch, and the acceptance test is equality with the token
that was drawn, so that the tokens are those of decoding one at a time.
"""

from collections.abc import Sequence

_CONTEXTS = (8, 4, 2)
"""Numbers of last tokens that are looked up, the longest first."""
_MOST = 100_000
"""Entries, about 20 MB, after which the table starts anew."""


class Drafts:
    """What was last written after the same few tokens.

    Args:
        end_id: the end-of-turn token; a draft stops before it, since the world writes what follows.
    """

    def __init__(self, end_id: int) -> None:
        self.end_id = end_id
        self._following: dict[tuple[int, ...], int] = {}

    def learn(self, past: Sequence[int], token: int) -> None:
        """`token` was written after `past`."""
        if len(self._following) > _MOST:
            self._following.clear()
        for n in _CONTEXTS:
            self._following[tuple(past[-n:])] = token

    def after(self, past: Sequence[int], most: int) -> list[int]:
        """At most `most` token ids that may follow `past`."""
        context: list[int] = list(past[-_CONTEXTS[0] :])
        draft: list[int] = []
        while len(draft) < most:
            keys = (tuple(context[-n:]) for n in _CONTEXTS)
            token = next((self._following[key] for key in keys if key in self._following), self.end_id)
            if token == self.end_id:
                break
            draft.append(token)
            context.append(token)
        return draft
