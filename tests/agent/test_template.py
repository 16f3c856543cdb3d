"""Chat templates of the usual families: what is fed equals what the template renders, or it is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from spa_lab import react
from spa_lab.agent.codec import Codec
from spa_lab.agent.episode import TokenRules
from spa_lab.agent.models import load_policy, save_policy
from spa_lab.agent.rollout import Policy
from spa_lab.agent.tokenizer import build_tokenizer
from spa_lab.configs.checks import SettingError
from spa_lab.configs.prompt import PromptConfig
from spa_lab.types import Trajectory

# in our own words, after the structure of the published ones
LLAMA32 = """{{- bos_token }}
{%- if not date_string is defined %}{%- set date_string = strftime_now("%d %b %Y") %}{%- endif %}
{%- if messages[0].role == 'system' %}{%- set system = messages[0].content | trim %}
{%- set messages = messages[1:] %}{%- else %}{%- set system = '' %}{%- endif %}
{{- "<|start|>system<|stop|>\n\nToday Date: " + date_string + "\n\n" + system + "<|eot_id|>" }}
{%- for m in messages %}{{- "<|start|>" + m.role + "<|stop|>\n\n" + m.content | trim + "<|eot_id|>" }}
{%- endfor %}{%- if add_generation_prompt %}{{- "<|start|>assistant<|stop|>\n\n" }}{%- endif %}"""
CHATML = """{%- if messages[0].role != 'system' %}
{{- "<|im_start|>system\nYou help.<|im_end|>\n" }}{%- endif %}
{%- for m in messages %}{{- "<|im_start|>" + m.role + "\n" + m.content + "<|im_end|>\n" }}{%- endfor %}
{%- if add_generation_prompt %}{{- "<|im_start|>assistant\n" }}{%- endif %}"""
QWEN3 = """{%- set ns = namespace(last=-1) %}
{%- for m in messages %}{%- if m.role == 'user' %}{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}
{%- for m in messages %}{%- set said = m.content.split('</think>')[-1].lstrip('\n') %}
{%- if m.role != 'assistant' %}{{- "<|im_start|>" + m.role + "\n" + m.content + "<|im_end|>\n" }}
{%- elif loop.index0 > ns.last %}
{{- "<|im_start|>assistant\n<think>\n\n</think>\n\n" + said + "<|im_end|>\n" }}
{%- else %}{{- "<|im_start|>assistant\n" + said + "<|im_end|>\n" }}{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- "<|im_start|>assistant\n" }}
{%- if enable_thinking is defined and not enable_thinking %}{{- "<think>\n\n</think>\n\n" }}{%- endif %}
{%- endif %}"""
GEMMA = """{{- bos_token }}{%- for m in messages %}
{%- if m.role == 'system' %}{{- raise_exception('System role not supported') }}{%- endif %}
{{- "<start_of_turn>" + ("model" if m.role == "assistant" else m.role) + "\n" + m.content | trim }}
{{- "<end_of_turn>\n" }}{%- endfor %}
{%- if add_generation_prompt %}{{- "<start_of_turn>model\n" }}{%- endif %}"""
R1 = """{{- bos_token }}{%- for m in messages %}{%- if m.role == 'user' %}{{- "<|User|>" + m.content }}
{%- else %}{{- "<|Assistant|>" + m.content.split('</think>')[-1] + "<|im_end|>" }}{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- "<|Assistant|><think>\n" }}{%- endif %}"""
MISTRAL = """{{- bos_token }}{%- for m in messages %}
{%- if m.role == 'user' %}{{- "[INST] " + m.content + "[/INST]" }}
{%- else %}{{- " " + m.content | trim + "</s>" }}{%- endif %}{%- endfor %}"""
SPECIAL = (
    "<s>", "</s>", "<|start|>", "<|stop|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>", "<start_of_turn>",
    "<end_of_turn>", "<|User|>", "<|Assistant|>", "[INST]", "[/INST]",
)  # fmt: skip
OPENING = "You see a door."


def _tokenizer(template: str) -> PreTrainedTokenizerFast:
    tokenizer = build_tokenizer([], ["mug"], at_least=1)  # bytes
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    tokenizer.bos_token, tokenizer.chat_template = "<s>", template
    return tokenizer


def _asked(tokenizer: PreTrainedTokenizerFast, system: str = "", **options: Any) -> tuple[int, ...]:
    """What Hugging Face's library feeds before the first reply."""
    chat = [{"role": "system", "content": system}] if system else []
    chat += [{"role": "user", "content": OPENING}]
    rendered = tokenizer.apply_chat_template(chat, tokenize=True, add_generation_prompt=True, **options)
    return tuple(rendered["input_ids"])


ACCEPTED = [
    ("llama32", LLAMA32, "template", {"date_string": "26 Jul 2024"}),
    ("chatml", CHATML, "template", {}),
    ("chatml", CHATML, "off", {}),
    ("gemma", GEMMA, "template", {}),
    ("qwen3", QWEN3, "off", {"enable_thinking": False}),
    ("qwen3", QWEN3, "kept", {}),
    ("r1", R1, "kept", {}),
    ("mistral", MISTRAL, "kept", {}),
]


@pytest.mark.parametrize(
    ("template", "thinking", "options"),
    [case[1:] for case in ACCEPTED],
    ids=[f"{name}-{thinking}" for name, _, thinking, _ in ACCEPTED],
)
def test_a_reply_is_asked_for_as_the_template_does(
    template: str, thinking: Any, options: dict[str, Any], trajectory: Trajectory
) -> None:
    tokenizer = _tokenizer(template)
    codec = Codec(tokenizer, prompt=PromptConfig(thinking=thinking))
    assert codec.opening_ids(OPENING) == _asked(tokenizer, **options)
    row = codec.row(trajectory)
    for t, step in enumerate(trajectory.steps):
        written = [i for i, owner in zip(row.ids, row.step, strict=True) if owner == t]
        text = step.text if thinking != "kept" or template != R1 else f"<think>\n{step.text}"
        assert written[-1] == codec.end_id and codec.decode(written) == text
        assert codec.written_ids(text) == tuple(written)
    if thinking == "template":
        chat = react.messages(trajectory)
        rendered = tokenizer.apply_chat_template(chat, tokenize=False, **options)
        assert rendered.rstrip("\n") == tokenizer.decode(list(row.ids))


@pytest.mark.parametrize(
    ("template", "thinking", "message"),
    [
        (QWEN3, "template", r"rewrites earlier messages .*--prompt.thinking off .*--prompt.thinking kept"),
        (R1, "template", r"asks for one by '<\|Assistant\|><think>\\n'; --prompt.thinking off"),
        (R1, "off", "cannot switch thinking off; try --prompt.thinking kept"),
        (MISTRAL, "template", r"asks for one by '\[/INST\]'; --prompt.thinking off"),
        (CHATML.replace("m.content", "m.content.split('</think>')[-1]"), "template", "drops the thoughts"),
    ],
    ids=["qwen3", "r1", "r1-off", "mistral", "forgets"],
)
def test_others_are_refused_with_the_remedy(template: str, thinking: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Codec(_tokenizer(template), prompt=PromptConfig(thinking=thinking))


def test_the_day_of_a_run_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The template would show the day; it shows the one of the settings."""
    tokenizer = _tokenizer(LLAMA32)
    assert _asked(tokenizer) != Codec(tokenizer).opening_ids(OPENING)
    opening = tokenizer.decode(Codec(tokenizer, prompt=PromptConfig(date="2025-01-02")).opening_ids(OPENING))
    assert "Today Date: 02 Jan 2025" in opening
    with pytest.raises(SettingError, match="date: expected a date like 2024-07-26, got 'today'"):
        PromptConfig(date="today")


def test_a_system_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    for template, options in ((LLAMA32, {"date_string": "26 Jul 2024"}), (CHATML, {})):
        codec = Codec(_tokenizer(template), prompt=PromptConfig(system="Be brief."))
        assert codec.opening_ids(OPENING) == _asked(codec.tokenizer, "Be brief.", **options)
    with pytest.raises(ValueError, match=r"System role not supported; leave --prompt.system empty"):
        Codec(_tokenizer(GEMMA), prompt=PromptConfig(system="Be brief."))


def test_tokens_that_merge_over_a_border_are_refused() -> None:
    """A template whose border is a part of a frequent phrase."""
    tokenizer = build_tokenizer(["You are in a room.\n\nYour task is to look. ok"] * 2, ["mug"], at_least=1)
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }} ok"
        "{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}"
    )
    with pytest.raises(ValueError, match="tokens merge over the border of a message"):
        Codec(tokenizer)


def test_every_end_token_of_the_generation_config_ends_a_step(
    make_policy: Callable[..., Policy], tmp_path: Path, trajectory: Trajectory
) -> None:
    policy = make_policy("Action: look")
    tokenizer = policy.codec.tokenizer
    other = int(tokenizer.convert_tokens_to_ids("<|pad|>"))
    policy.model.generation_config.eos_token_id = [policy.codec.end_id, other]
    save_policy(policy, tmp_path / "model")
    codec = load_policy(tmp_path / "model", name="x").codec
    assert codec.stop_ids == {codec.end_id, other}
    rules, word = TokenRules(codec, 99, 5), codec.text_ids("Action: look")[0]
    assert rules.is_complete((word, other)) and not rules.is_complete((word, word))
    assert rules.after_step((word, other), "ok") == codec.reply_ids("ok")
    assert codec.decode((word, other)) == codec.decode((word, codec.end_id)) == codec.decode((word,))
    row = codec.row(replace(trajectory, steps=trajectory.steps[:1]))
    ended = replace(row, ids=(*row.ids[:-1], other))
    assert codec.closed(ended) == ended


def test_the_context_can_be_capped(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    save_policy(make_policy(context=64), tmp_path / "model")
    for cap, context in ((None, 64), (40, 40), (1000, 64)):
        assert load_policy(tmp_path / "model", name="x", prompt=PromptConfig(context=cap)).context == context
    with pytest.raises(SettingError, match=r"context: expected a whole number >= 1 or none, got 0"):
        PromptConfig(context=0)
