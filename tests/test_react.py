import pytest
from hypothesis import given
from hypothesis import strategies as st

from spa_lab import react


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thought: I need a cup.\nAction: go to desk 1", ("I need a cup.", "go to desk 1")),
        ("Action: look", ("", "look")),
        ("Action:look", ("", "look")),
        ("  Thought:  a \n b  \n  Action:   look  ", ("a \n b", "look")),
        ("Thought: a\r\nAction: look\r\n", ("a", "look")),
        ("Thought: a\nAction:\nlook", ("a", "look")),  # as the released \s? reads it
        ("Thought: a\nAction: look\nObservation: You see.\nThought: b\nAction: go", ("a", "look")),
        ("Thought: a\nAction: look\nAction: go", ("a", "look")),
        ("Thought: an Action: is due\nAction: look", ("an Action: is due", "look")),
        ("Thought: a Action: look", ("a", "look")),
        ("just do it\nAction: look", ("just do it", "look")),
        ("Thought: I do not know", ("I do not know", "")),
        ("Thought: a\nAction:", ("a", "")),
        ("Thought: a\nAction:  \n \n", ("a", "")),
        ("action: look", ("action: look", "")),
        ("", ("", "")),
        ("Thought: Thought: a\nAction: look", ("Thought: a", "look")),
        ("Action: search[red dress: size m]", ("", "search[red dress: size m]")),
    ],
)
def test_parse_by_hand(text, expected):
    assert react.parse(text) == expected


def test_write_leaves_out_an_empty_thought():
    assert react.write("a", "look") == "Thought: a\nAction: look"
    assert react.write("", "look") == "Action: look"


_pieces = st.sampled_from(
    ["Thought:", "Action:", "\n", " ", "\t", "\r", "look", "Observation:", "\x1c", "\u2028"]
)
_any_text = st.one_of(
    st.text(st.characters(), max_size=200), st.lists(_pieces, max_size=20).map("".join)
)  # lone surrogates too


@given(_any_text)
def test_parse_never_raises_and_gives_stripped_lines(text):
    thought, action = react.parse(text)
    assert thought == thought.strip()
    assert action == action.strip()
    assert "\n" not in action
    assert thought in text and action in text


_words = st.text(st.characters(codec="utf-8"), max_size=60).map(str.strip)


@given(
    _words.filter(lambda s: "Action:" not in s and not s.startswith("Thought:")),
    _words.filter(lambda s: s and "\n" not in s),
)
def test_parse_gives_back_what_write_wrote(thought, action):
    assert react.parse(react.write(thought, action)) == (thought, action)


def test_messages_by_hand(make_trajectory):
    trajectory = make_trajectory(grounded=(True, False))
    assert react.messages(trajectory) == [
        {"role": "user", "content": "You see a door."},
        {"role": "assistant", "content": "Thought: think 0\nAction: act 0"},
        {"role": "user", "content": "reply 0"},
        {"role": "assistant", "content": "Thought: think 1\nAction: act 1"},
    ]


def test_messages_with_manual_and_prefix(make_trajectory):
    chat = react.messages(make_trajectory(grounded=(True, True)), manual="Rules.", prefix="Observation: ")
    assert [message["content"] for message in chat if message["role"] == "user"] == [
        "Rules.\n\nYou see a door.",
        "Observation: reply 0",
    ]


def test_the_agent_reads_what_training_shows(make_trajectory):
    trajectory = make_trajectory()
    chat = react.messages(trajectory, manual="Rules.")
    assert len(chat) == 6
    for t in range(len(trajectory)):
        seen = react.history(trajectory.initial_observation, trajectory.steps[:t], manual="Rules.")
        assert seen == chat[: 2 * t + 1]
        assert seen[-1]["role"] == "user"


def test_messages_are_verbatim_even_where_parsing_fails(make_trajectory):
    trajectory = make_trajectory(grounded=(True,))
    object.__setattr__(trajectory.steps[0], "text", "  gibberish \n")
    assert react.messages(trajectory)[1]["content"] == "  gibberish \n"


@pytest.mark.parametrize(
    ("text", "thought", "action"),
    [
        (
            "<think>\nAction: look\n</think>\n\nThought: take it\nAction: take mug 1",
            "Action: look\ntake it",
            "take mug 1",
        ),
        ("Action: look\n</think>\nAction: wait", "Action: look", "wait"),  # the template opened the thought
        ("<think>\nAction: look might be good", "Action: look might be good", ""),
        ("<think>a</think>Action: go\n<think>Action: look", "aAction: go\nAction: look", ""),
        ("<think>a</think>", "a", ""),
    ],
)
def test_an_action_inside_a_thought_is_none(text: str, thought: str, action: str) -> None:
    assert react.parse(text) == (thought, action)
