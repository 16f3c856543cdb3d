"""When steps and episodes end, in tokens."""

from collections.abc import Callable

from spa_lab.agent.episode import TokenRules
from spa_lab.agent.rollout import Policy
from spa_lab.configs.rollout import RolloutConfig


def _rules(make_policy: Callable[..., Policy]) -> TokenRules:
    return make_policy("Action: wait", context=64).token_rules(RolloutConfig(max_new_tokens=3))


def test_a_step_ends_with_its_end_token_or_at_its_longest(make_policy: Callable[..., Policy]) -> None:
    rules = _rules(make_policy)
    word, end = rules.codec.text_ids("Action: wait")[0], rules.codec.end_id
    complete = [
        rules.is_complete(written) for written in ([word], [end], [word, end], [word] * 2, [word] * 3)
    ]
    assert complete == [False, True, True, False, True]


def test_only_a_step_that_was_cut_off_gets_an_end_token(make_policy: Callable[..., Policy]) -> None:
    rules = _rules(make_policy)
    word, end, reply = (
        rules.codec.text_ids("Action: wait")[0],
        rules.codec.end_id,
        rules.codec.reply_ids("ok"),
    )
    assert rules.after_step([word, end], "ok") == reply
    assert rules.after_step([word] * 3, "ok") == (end, *reply)


def test_a_full_context_leaves_no_room_for_another_step(make_policy: Callable[..., Policy]) -> None:
    """A step needs up to 3 tokens, and its end token one more."""
    rules = _rules(make_policy)
    assert rules.limit == 64 - 3 - 1
    assert [rules.fits(n) for n in (59, 60, 61)] == [True, False, False]
