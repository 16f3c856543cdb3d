"""The small tokenizer: names and frequent phrases are one token each, the rest is bytes."""

from collections.abc import Sequence

import pytest
from transformers import PreTrainedTokenizerFast

from spa_lab.agent.tokenizer import AGENT, END, PAD, WORLD, build_tokenizer

TEXTS = (
    "Action: take mug 1 from desk 12",
    "Action: take mug 2 from desk 12",
    "You see a mug 1.",
    "once only",
)
NAMES = ("desk", "mug", "desklamp")


def _pieces(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return [piece.replace("Ġ", " ") for piece in tokenizer.convert_ids_to_tokens(ids)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Action: take mug 1 from desk 12", ["Action: take", " mug 1", " from", " desk 12"]),
        ("Action: take mug 2", ["Action: take", *" mug 2"]),  # seen once
        (" mug 1", [" mug 1"]),
        (" mugs", list(" mugs")),
        ("once only", list("once only")),
        ("Action: dance", list("Action: dance")),
    ],
)
def test_what_occurs_twice_is_one_token(text: str, expected: Sequence[str]) -> None:
    assert _pieces(build_tokenizer(TEXTS, NAMES, at_least=2), text) == expected


def test_a_name_that_ends_with_a_blank_reaches_as_far_as_it_says() -> None:
    tokenizer = build_tokenizer(["see B1 - $2 - B2 - $2", "$2", "B1"] * 2, ["B1", "B2", "$2", " - $2 - "],
                                at_least=2, numbered=False)  # fmt: skip
    assert _pieces(tokenizer, "B1 - $2 - B2") == ["B1", " - $2 - ", "B2"]
    assert _pieces(tokenizer, "B2 - $2") == ["B2", " - ", "$2"]


def test_a_name_inside_a_longer_name_does_not_cut_it() -> None:
    tokenizer = build_tokenizer(["use desklamp 1 on desk 1"], NAMES, at_least=1)
    assert _pieces(tokenizer, "use desklamp 1 on desk 1") == ["use", " desklamp 1", " on", " desk 1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("click[in ear]", ["click[", "in ear", "]"]),
        ("ear, in ear.", ["ear", ", ", "in ear", "."]),
        ("for $2.50: B12", ["for ", "$2.50", ": ", "B12"]),
        ("search[t-shirt]", ["search[", "t-shirt", "]"]),
    ],
)
def test_names_without_numbers_are_whole_wherever_they_stand(text: str, expected: Sequence[str]) -> None:
    names = ["ear", "in ear", "$2.50", "B12", "t-shirt", "shirt", "t"]
    assert _pieces(build_tokenizer([text], names, at_least=1, numbered=False), text) == expected


@pytest.mark.parametrize("text", ["gear", "ears", "B123", "$2x50", "my-ear", "shirts"])
def test_names_without_numbers_are_not_found_in_other_words(text: str) -> None:
    names = ["ear", "B12", "$2.50", "shirt"]
    assert _pieces(build_tokenizer([text], names, at_least=1, numbered=False), text) == [text]


def test_names_are_told_apart_by_their_whole_number() -> None:
    tokenizer = build_tokenizer(["see mug 1"], NAMES, at_least=1)
    assert _pieces(tokenizer, "see mug 12") == ["see", *" mug 12"]


def test_order_of_texts_and_names_does_not_matter() -> None:
    tokenizer = build_tokenizer(TEXTS, NAMES, at_least=1)
    other = build_tokenizer(TEXTS[::-1], NAMES[::-1], at_least=1)
    assert tokenizer.get_vocab() == other.get_vocab()
    assert _pieces(tokenizer, TEXTS[0]) == _pieces(other, TEXTS[0])


def test_roles_are_single_special_tokens() -> None:
    tokenizer = build_tokenizer([], ["mug"], at_least=1)
    assert len(tokenizer) == 256 + 4
    assert set(tokenizer.all_special_tokens) == {END, WORLD, AGENT, PAD}
    assert (tokenizer.eos_token, tokenizer.pad_token) == (END, PAD)
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == "<|world|>a<|agent|>b<|end|>"


def test_a_text_that_spells_a_special_token_earns_no_token() -> None:
    tokenizer = build_tokenizer([END] * 5, ["mug"], at_least=1)
    ids = tokenizer(END, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == list(END)
