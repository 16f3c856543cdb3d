"""Tokens of trajectories: which step wrote what, found by construction and never guessed."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from spa_lab import react
from spa_lab.agent.codec import Codec, ContextTooLong, TokenBatch, TokenRow
from spa_lab.agent.tokenizer import build_tokenizer
from spa_lab.types import Step, Trajectory

TEXTS = ("You see a door.", "Action: look", "Action: take mug 1", "ok", "reply 0")

LLAMA = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>"
    "\n\n{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
)
CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are helpful.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
)
FORGETFUL = (  # shows what was thought in the last reply only, as reasoning models' templates do
    "{% for m in messages %}{% if m.role == 'user' %}<|world|>{{ m.content }}<|agent|>{% else %}"
    "{% if loop.last %}<think></think>{% endif %}{{ m.content }}<|end|>{% endif %}{% endfor %}"
)


def _tokenizer(template: str | None = None, *special: str, end: str = "<|end|>") -> PreTrainedTokenizerFast:
    tokenizer = build_tokenizer(TEXTS, ["mug"], at_least=1)
    tokenizer.add_special_tokens({"additional_special_tokens": list(special), "eos_token": end})
    if special:
        tokenizer.bos_token = special[0]
    tokenizer.chat_template = template or tokenizer.chat_template
    return tokenizer


def _llama() -> PreTrainedTokenizerFast:
    special = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    return _tokenizer(LLAMA, *special, end="<|eot_id|>")


def _chatml() -> PreTrainedTokenizerFast:
    return _tokenizer(CHATML, "<|im_start|>", "<|im_end|>", end="<|im_end|>")


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(_tokenizer())


@pytest.fixture
def two_steps(make_trajectory: Callable[..., Trajectory]) -> Trajectory:
    """Look, then take a mug; the world's last word is "never read"."""
    steps = [("look", "ok"), ("take mug 1", "never read")]
    return replace(
        make_trajectory(),
        steps=tuple(Step(f"Action: {action}", "", action, reply, True) for action, reply in steps),
    )


def test_every_token_knows_its_step(codec: Codec, two_steps: Trajectory) -> None:
    row = codec.row(two_steps)
    pieces = [piece.replace("Ġ", " ") for piece in codec.tokenizer.convert_ids_to_tokens(list(row.ids))]
    assert row.trajectory_id == "t1"
    assert list(zip(pieces, row.step, strict=True)) == [
        ("<|world|>", -1),
        ("You see a door.", -1),
        ("<|agent|>", -1),
        ("Action: look", 0),
        ("<|end|>", 0),
        ("<|world|>", -1),
        ("ok", -1),
        ("<|agent|>", -1),
        ("Action: take", 1),
        (" mug 1", 1),
        ("<|end|>", 1),
    ]


def test_batch_marks_what_the_policy_wrote_and_where_steps_end(codec: Codec, two_steps: Trajectory) -> None:
    one_step = replace(two_steps, id="short", steps=two_steps.steps[:1])
    batch = codec.encode([two_steps, one_step], limit=11)
    assert batch.ids.shape == batch.attention.shape == batch.step.shape == (2, 11)
    assert (batch.ids.dtype, batch.attention.dtype, batch.step.dtype) == (
        torch.int64,
        torch.bool,
        torch.int64,
    )
    assert batch.trajectory_ids == ("t1", "short")
    assert batch.action_mask.int().tolist() == [[0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1] + [0] * 6]
    assert batch.step_end.nonzero().tolist() == [[0, 4], [0, 10], [1, 4]]
    assert batch.attention.sum(1).tolist() == [11, 5]
    assert batch.ids[1, 5:].tolist() == [codec.pad_id] * 6


def test_adjacent_steps_stay_two(two_steps: Trajectory) -> None:
    """A template that puts nothing but the end token between messages, and a world that says nothing."""
    tokenizer = _tokenizer(
        "{% for m in messages %}{{ m.content }}{{ '<|end|>' if m.role != 'user' }}{% endfor %}"
    )
    silent = replace(two_steps, steps=tuple(replace(step, observation="") for step in two_steps.steps))
    batch = Codec(tokenizer).encode([silent], limit=99)
    assert batch.step.tolist() == [[-1, 0, 0, 1, 1, 1]]
    assert batch.step_end.int().tolist() == [[0, 0, 1, 0, 0, 1]]


def test_step_end_of_a_row_that_fills_the_batch() -> None:
    step = torch.tensor([[0, 0, 1, 2, 2]])
    batch = TokenBatch(torch.zeros_like(step), step >= 0, step, ("t",))
    assert batch.step_end.int().tolist() == [[0, 1, 1, 0, 1]]


def test_spelled_special_tokens_are_text(codec: Codec, two_steps: Trajectory) -> None:
    text = "<|end|><|world|>Action: look<|agent|><|pad|>"
    naughty = replace(
        two_steps,
        initial_observation=text,
        steps=tuple(replace(step, text=text, observation=text) for step in two_steps.steps),
    )
    row = codec.row(naughty)
    special = codec.tokenizer.convert_ids_to_tokens(
        [i for i in row.ids if i in codec.tokenizer.all_special_ids]
    )
    assert special == ["<|world|>", "<|agent|>", "<|end|>", "<|world|>", "<|agent|>", "<|end|>"]
    assert codec.decode([i for i, step in zip(row.ids, row.step, strict=True) if step == 0]) == text


@given(st.text())
@example("a . b , c ' s do n't !")
@example("  two  spaces \t\r\n\n")
@example("<|end|> mug 1 mug 12 mug")
@example("\x00\ud7ff\u2028🙂 é é")
def test_any_text_comes_back(text: str) -> None:
    codec = Codec(_CACHED)
    ids = codec.text_ids(text)
    assert codec.decode(ids) == text
    assert not set(ids) & set(_CACHED.all_special_ids)


_CACHED = _tokenizer()


@pytest.mark.parametrize("make", [_tokenizer, _llama, _chatml], ids=["own", "llama", "chatml"])
@pytest.mark.parametrize("manual", ["", "Be brief."])
def test_rows_are_the_rendered_chat(
    make: Callable[[], PreTrainedTokenizerFast], manual: str, trajectory: Trajectory
) -> None:
    """Piece by piece or as one text: the same characters, up to what follows the last end token."""
    tokenizer = make()
    codec = Codec(tokenizer, manual=manual, prefix="Observation: ")
    row = codec.row(trajectory)
    chat = react.messages(trajectory, manual=manual, prefix="Observation: ")
    rendered = tokenizer.apply_chat_template(chat, tokenize=False)
    assert rendered.rstrip("\n") == tokenizer.decode(list(row.ids))
    for t, step in enumerate(trajectory.steps):
        ids = [i for i, owner in zip(row.ids, row.step, strict=True) if owner == t]
        assert ids[-1] == codec.end_id
        assert tokenizer.decode(ids) == step.text + tokenizer.eos_token
        assert codec.decode(ids) == step.text


def test_row_is_made_of_the_pieces_that_are_fed_in_play(trajectory: Trajectory) -> None:
    codec = Codec(_llama(), manual="Be brief.")
    ids = list(codec.opening_ids(trajectory.initial_observation))
    for t, step in enumerate(trajectory.steps):
        ids += [*codec.text_ids(step.text), codec.end_id]
        if t < 2:
            ids += codec.reply_ids(step.observation)
    assert codec.row(trajectory).ids == tuple(ids)


def test_an_end_token_may_be_special_without_a_name() -> None:
    """Some models list their end-of-turn token among the added tokens only, and stop elsewhere too."""
    tokenizer = _tokenizer()
    tokenizer.add_tokens([AddedToken("<|im_end|>", special=True), AddedToken("<|im_start|>", special=True)])
    tokenizer.chat_template = CHATML
    codec = Codec(tokenizer)
    assert tokenizer.convert_ids_to_tokens(codec.end_id) == "<|im_end|>"
    assert codec.end_id not in codec.text_ids("<|im_end|>")
    assert codec.decode([*codec.text_ids("ok"), codec.end_id]) == "ok"


def test_blanks_before_punctuation_are_kept_where_the_tokenizer_would_clean_them_up() -> None:
    """As Llama 3 asks for; releases of transformers before 5.7 do it without the second switch."""
    tokenizer = _llama()
    tokenizer.clean_up_tokenization_spaces = True
    tokenizer.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output = True
    codec, text = Codec(tokenizer), "Action: search[women 's shoes , size 9 . 5]"
    ids = codec.written_ids(text)
    assert tokenizer.decode(list(ids), skip_special_tokens=True) != text
    assert codec.decode(ids) == text


def test_a_tokenizer_that_puts_a_blank_before_text_is_accepted() -> None:
    """As SentencePiece does: decoding takes the blank away again."""
    bare = Tokenizer(models.BPE(vocab={"▁": 0} | {f"<0x{i:02X}>": i + 1 for i in range(256)}, merges=[]))
    bare.model.byte_fallback = True
    bare.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    bare.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare, eos_token="</s>")
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m.content }}{{ '</s>' if m.role != 'user' }}{% endfor %}"
    )
    codec = Codec(tokenizer)
    assert codec.decode(codec.written_ids("Action: take mug 1")) == "Action: take mug 1"


def test_a_tokenizer_that_changes_text_is_refused() -> None:
    tokenizer = _tokenizer()
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(ValueError, match=r'changes text, .*: "Thought: it .* comes back as "thought: it'):
        Codec(tokenizer)


def test_without_a_pad_token_the_end_token_pads() -> None:
    tokenizer = _chatml()
    tokenizer.pad_token = None
    codec = Codec(tokenizer)
    assert codec.pad_id == codec.end_id
    batch = codec.batch([TokenRow("a", (1, 2), (-1, 0)), TokenRow("b", (1,), (-1,))], limit=2)
    assert batch.attention.tolist() == [[True, True], [True, False]]
    assert batch.step.tolist() == [[-1, 0], [-1, -1]]


def test_no_chat_template() -> None:
    tokenizer = _tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(ValueError, match="no chat template"):
        Codec(tokenizer)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (FORGETFUL, "rewrites earlier messages .* --prompt.thinking off .* --prompt.thinking kept"),
        (
            "{% for m in messages[1:] %}<|world|>{{ m.content }}<|end|>{% endfor %}",
            "drops or rewrites",
        ),
        (
            "{% for m in messages %}{{ m.content | upper }}<|end|>{% endfor %}",
            "drops or rewrites",
        ),
        ("{% for m in messages %}{{ m.content }}{% endfor %}", "has no text after an assistant message"),
        ("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", "with a special token"),
    ],
)
def test_templates_no_cache_could_be_kept_for(template: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Codec(_tokenizer(template))


def test_too_long_says_who_and_how_much(codec: Codec, two_steps: Trajectory) -> None:
    assert codec.encode([two_steps], limit=11).ids.shape == (1, 11)
    with pytest.raises(ContextTooLong, match=r"'t1' needs 11 tokens, limit is 10"):
        codec.encode([replace(two_steps, id="short", steps=two_steps.steps[:1]), two_steps], limit=10)


def test_batch_of_nothing_is_refused(codec: Codec) -> None:
    with pytest.raises(ValueError):
        codec.encode([], limit=10)
