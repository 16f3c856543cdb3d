"""The expert: solves what it is given, from the texts alone, also when it is put off its path."""

import random
import re

import pytest

from spa_lab.envs.base import Task
from spa_lab.envs.household.expert import THOUGHTS, HouseholdExpert
from spa_lab.envs.household.game import HouseholdTask
from spa_lab.envs.household.generator import TASK_TYPES, generate_game
from spa_lab.envs.household.houses import Size
from spa_lab.envs.household.instruction import ParsedInstruction, parse_instruction
from spa_lab.envs.household.world import HouseholdWorld

THOUGHT = re.compile("|".join(f"(?:{thought})" for thought in THOUGHTS))
NONSENSE = ("dance", "go to moon 1", "take mug 9 from cabinet 1", "open fridge 1", "go to", "use desklamp 1")


def game(index: int, size: Size = "small") -> HouseholdTask:
    kind = TASK_TYPES[index % 6]
    return generate_game(random.Random(f"expert {index}"), task_type=kind, size=size, game_id=str(index))


def play(
    game: HouseholdTask, limit: int, noise: float = 0.0, rng: random.Random | None = None
) -> tuple[int | None, list[tuple[str, str]]]:
    """Steps to the win (None: none within `limit`) and what the expert thought and did."""
    world = HouseholdWorld()
    expert = HouseholdExpert(
        game.task, world.reset(Task(game.game_id, "h", "", game.task_type, game.task, 0, game))
    )
    moves = []
    for step in range(1, limit + 1):
        thought, action = expert.act()
        moves.append((thought, action))
        if rng is not None and rng.random() < noise:
            action = rng.choice(world.admissible() if rng.random() < 0.8 else NONSENSE)
        reply = world.step(action)
        if reply.done:
            return step, moves
        expert.observe(action, reply.observation)
    return None, moves


def test_solves_every_small_game_within_the_step_limit() -> None:
    lengths = [play(game(i), 40)[0] for i in range(240)]
    assert None not in lengths
    assert min(n for n in lengths if n) <= 4


@pytest.mark.parametrize(("size", "limit"), [("medium", 60), ("large", 120)])
def test_solves_bigger_games(size: Size, limit: int) -> None:
    assert all(play(game(i, size), limit)[0] for i in range(24))


def test_recovers_from_injected_mistakes() -> None:
    rng = random.Random(0)
    solved = [play(game(i), 80, 0.15, rng)[0] is not None for i in range(240)]
    assert sum(solved) >= 0.95 * len(solved)


def test_survives_mostly_random_play() -> None:
    rng = random.Random(1)
    solved = [play(game(i), 400, 0.5, rng)[0] is not None for i in range(60)]
    assert sum(solved) >= 0.9 * len(solved)


def test_thoughts_come_from_the_closed_set() -> None:
    rng = random.Random(2)
    thoughts = {t for i in range(120) for noise in (0.0, 0.3) for t, _ in play(game(i), 80, noise, rng)[1]}
    assert not [thought for thought in thoughts if not THOUGHT.fullmatch(thought)]
    later = [thought for thought in thoughts if not thought.startswith("I am to ")]
    assert later and max(len(thought.split()) for thought in later) <= 14


def test_thoughts_name_what_is_held_and_what_was_done_to_it() -> None:
    for i in range(60):
        held, done = "", ""
        for thought, action in play(game(i), 40)[1]:
            if held and thought != "It is closed.":
                assert thought.startswith(f"I have {done}{held}.")
            if taken := re.match(r"take (\w+ \d+) from", action):
                held, done = taken[1], ""
            elif changed := re.match(r"(heat|cool|clean) ", action):
                done = {"heat": "hot ", "cool": "cool ", "clean": "clean "}[changed[1]]
            elif action.startswith("move"):
                held = ""


def test_is_deterministic() -> None:
    assert all(play(game(i), 40) == play(game(i), 40) for i in range(12))


OPENING = (
    "You are in the middle of a room. Looking quickly around you, you see a cabinet 2, a cabinet 1, "
    "a countertop 1, a fridge 1, a microwave 1, and a sinkbasin 1.\n\nYour task is to: {}."
)


def expert(sentence: str, *history: tuple[str, str]) -> HouseholdExpert:
    player = HouseholdExpert(sentence, OPENING.format(sentence))
    for action, observation in history:
        player.observe(action, observation)
    return player


COUNTER = (
    "go to countertop 1",
    "You arrive at countertop 1. On the countertop 1, you see a mug 1, and a pan 1.",
)
TAKE = ("take mug 1 from countertop 1", "You pick up the mug 1 from the countertop 1.")
FRIDGE = ("go to fridge 1", "You arrive at fridge 1. The fridge 1 is closed.")
HEAT = ("heat mug 1 with microwave 1", "You heat the mug 1 using the microwave 1.")
MICROWAVE = ("go to microwave 1", "You arrive at microwave 1. The microwave 1 is closed.")


@pytest.mark.parametrize(
    ("sentence", "history", "move"),
    [
        (
            "put a mug in fridge",
            [],
            ("I am to put a mug in fridge. I need a mug. It is not here.", "go to cabinet 2"),
        ),
        (  # all around the room, in its order
            "put a mug in fridge",
            [("go to cabinet 1", "You arrive at cabinet 1. On the cabinet 1, you see nothing.")],
            ("I need a mug. There is none in cabinet 1.", "go to countertop 1"),
        ),
        ("put a mug in fridge", [COUNTER], ("I need a mug. I see mug 1.", "take mug 1 from countertop 1")),
        ("put a mug in fridge", [COUNTER, MICROWAVE], ("I need a mug. I saw mug 1.", "go to countertop 1")),
        ("put a mug in fridge", [COUNTER, TAKE], ("I have mug 1. I need a fridge.", "go to fridge 1")),
        ("put a mug in fridge", [COUNTER, TAKE, FRIDGE], ("It is closed.", "open fridge 1")),
        (
            "put a mug in fridge",
            [COUNTER, ("take pan 1 from countertop 1", "You pick up the pan 1 from the countertop 1.")],
            ("I do not need pan 1.", "move pan 1 to countertop 1"),
        ),
        (
            "put a mug in fridge",
            [("go to cabinet 1", "You arrive at cabinet 1. The cabinet 1 is closed.")],
            ("It is closed.", "open cabinet 1"),
        ),
        (
            "put a mug in fridge",
            [
                FRIDGE,
                ("open fridge 1", "You open the fridge 1. The fridge 1 is open. In it, you see a pot 1."),
                COUNTER,
                TAKE,
                ("go to fridge 1", "You arrive at fridge 1. The fridge 1 is open. In it, you see a pot 1."),
                ("close fridge 1", "You close the fridge 1."),
            ],
            ("It is closed.", "open fridge 1"),
        ),
        (
            "put a hot mug in fridge",
            [COUNTER, TAKE],
            ("I have mug 1. I need to heat it.", "go to microwave 1"),
        ),
        (
            "put a hot mug in fridge",
            [COUNTER, TAKE, MICROWAVE],
            ("I have mug 1. I need to heat it.", "heat mug 1 with microwave 1"),
        ),
        (
            "put a hot mug in fridge",
            [COUNTER, TAKE, MICROWAVE, HEAT],
            ("I have hot mug 1. I need a fridge.", "go to fridge 1"),
        ),
        (  # cooled again by mistake
            "put a hot mug in fridge",
            [
                COUNTER,
                TAKE,
                MICROWAVE,
                HEAT,
                FRIDGE,
                ("cool mug 1 with fridge 1", "You cool the mug 1 using the fridge 1."),
            ],
            ("I have mug 1. I need to heat it.", "go to microwave 1"),
        ),
        (  # put down in the wrong place
            "put a hot mug in fridge",
            [
                *(COUNTER, TAKE, MICROWAVE, HEAT),
                (
                    "open microwave 1",
                    "You open the microwave 1. The microwave 1 is open. In it, you see nothing.",
                ),
                ("move mug 1 to microwave 1", "You move the mug 1 to the microwave 1."),
            ],
            ("I need a mug. I see mug 1.", "take mug 1 from microwave 1"),
        ),
        (
            "put two mug in sinkbasin",
            [
                *(COUNTER, TAKE),
                ("go to sinkbasin 1", "You arrive at sinkbasin 1. On the sinkbasin 1, you see nothing."),
                ("move mug 1 to sinkbasin 1", "You move the mug 1 to the sinkbasin 1."),
            ],
            ("I need another mug. There is none in sinkbasin 1.", "go to cabinet 2"),
        ),
        (
            "find two mug and put them in cabinet",
            [
                ("go to cabinet 2", "You arrive at cabinet 2. The cabinet 2 is closed."),
                ("open cabinet 2", "You open the cabinet 2. The cabinet 2 is open. In it, you see a mug 2."),
                *(COUNTER, TAKE),
            ],
            ("I have mug 1. I need cabinet 2.", "go to cabinet 2"),
        ),
        (  # known from the inventory only
            "put a mug in fridge",
            [("inventory", "You are carrying: a mug 1.")],
            ("I have mug 1. I need a fridge.", "go to fridge 1"),
        ),
        (  # believed to be there, but is not
            "put a mug in fridge",
            [COUNTER, ("take mug 1 from countertop 1", "Nothing happens.")],
            ("I need a mug. There is none in countertop 1.", "go to fridge 1"),
        ),
        (  # two receptacles at the same location
            "put a mug in fridge",
            [MICROWAVE, ("go to countertop 1", "Nothing happens.")],
            ("I need a mug. It is not here.", "examine countertop 1"),
        ),
    ],
)
def test_decides(sentence: str, history: list[tuple[str, str]], move: tuple[str, str]) -> None:
    assert expert(sentence, *history).act() == move


def test_light_task_goes_back_to_a_lamp_seen_before() -> None:
    opening = (
        "..., you see a bed 1, a desk 1, and a shelf 1.\n\nYour task is to: look at book under the desklamp."
    )
    player = HouseholdExpert("look at book under the desklamp", opening)
    player.observe("go to desk 1", "You arrive at desk 1. On the desk 1, you see a desklamp 1.")
    player.observe("go to bed 1", "You arrive at bed 1. On the bed 1, you see a book 2.")
    player.observe("take book 2 from bed 1", "You pick up the book 2 from the bed 1.")
    assert player.act() == ("I have book 2. I need a desklamp. I saw desklamp 1.", "go to desk 1")
    player.observe("go to desk 1", "You arrive at desk 1. On the desk 1, you see a desklamp 1.")
    assert player.act() == ("I have book 2. I need a desklamp. I see desklamp 1.", "use desklamp 1")


def test_searches_again_when_everything_was_seen() -> None:
    history = [
        (f"go to {place}", f"You arrive at {place}. On the {place}, you see nothing.")
        for place in ("cabinet 1", "cabinet 2", "countertop 1", "fridge 1", "microwave 1", "sinkbasin 1")
    ]
    player = expert("put a mug in fridge", *history)
    nowhere = []
    for _ in range(12):
        nowhere.append(player.act())
        place = nowhere[-1][1].removeprefix("go to ")
        player.observe(nowhere[-1][1], f"You arrive at {place}. On the {place}, you see nothing.")
    assert nowhere[0] == ("I need a mug. There is none in sinkbasin 1.", "go to cabinet 2")
    assert nowhere[6:] == nowhere[:6] and len({action for _, action in nowhere}) == 6


def test_goes_on_looking_for_a_place_that_the_room_has_not() -> None:
    held = [COUNTER, TAKE]
    assert expert("put a mug in safe", *held).act()[0] == (
        "I have mug 1. I need a safe. There is none in countertop 1."
    )
    opening = "..., you see a bed 1, and a desk 1.\n\nYour task is to: put a hot mug in desk."
    player = HouseholdExpert("put a hot mug in desk", opening)
    player.observe("go to bed 1", "You arrive at bed 1. On the bed 1, you see a mug 1.")
    player.observe("take mug 1 from bed 1", "You pick up the mug 1 from the bed 1.")
    assert player.act() == ("I have mug 1. I need a microwave. There is none in bed 1.", "go to desk 1")


def test_slips_are_mistakes_with_a_false_thought() -> None:
    """Every kind of slip occurs, the same seed slips alike, and hardly any is what the expert would do."""
    rng = random.Random(0)
    history: list[list[tuple[str, str]]] = [[], [COUNTER], [COUNTER, TAKE], [COUNTER, TAKE, FRIDGE]]
    players = [expert("put a hot mug in fridge", *before) for before in history]
    slips = [player.slip(rng) for player in players for _ in range(60)]
    assert slips == [player.slip(rng) for rng in [random.Random(0)] for player in players for _ in range(60)]
    right = [player.act() for player in players for _ in range(60)]
    assert sum(a == b for a, b in zip(slips, right, strict=True)) < 0.1 * len(slips)
    assert {action.split()[0] for _, action in slips} == {"go", "take", "open", "move"}
    assert ("I need a mug. I see mug 2.", "take mug 2 from countertop 1") in slips
    assert ("I need a mug.", "go to cabinet 3") in slips


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("put some mug on shelf", ParsedInstruction("mug", "shelf", "", "", False)),
        ("clean some mug and put it in shelf", ParsedInstruction("mug", "shelf", "", "clean", False)),
        ("put a cool mug in shelf.", ParsedInstruction("mug", "shelf", "", "cool", False)),
        ("find two mug and put them in shelf", ParsedInstruction("mug", "shelf", "", "", True)),
        ("examine the mug with the floorlamp", ParsedInstruction("mug", "", "floorlamp", "", False)),
    ],
)
def test_reads_sentences(sentence: str, wanted: ParsedInstruction) -> None:
    assert parse_instruction(sentence) == wanted


def test_unreadable_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="tidy up"):
        expert("tidy up")
    with pytest.raises(ValueError, match="0 receptacles"):
        HouseholdExpert("put a mug in fridge", "Hello.")
