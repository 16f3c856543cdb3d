"""Generated games: readable, of the promised size, not yet won, split as promised."""

import random
import re
from collections import Counter
from itertools import product

import pytest

from spa_lab.envs.base import Task
from spa_lab.envs.household import catalogue
from spa_lab.envs.household.game import HouseholdTask
from spa_lab.envs.household.generator import SENTENCES, TASK_TYPES, generate_game, is_unseen_pair
from spa_lab.envs.household.houses import HOUSES, House, Size, is_unseen_composition, make_house
from spa_lab.envs.household.instruction import parse_instruction
from spa_lab.envs.household.world import HouseholdWorld

SIZES: tuple[Size, ...] = ("small", "medium", "large")
ROOMS = tuple(catalogue.ROOM_OBJECTS)
TYPE_NAMES = {
    t.lower(): t for t in [*catalogue.HOLDS, *catalogue.LAMPS, *sum(catalogue.ROOM_OBJECTS.values(), ())]
}


def games(size: Size, n: int, *, unseen: bool = False) -> list[HouseholdTask]:
    return [
        generate_game(
            random.Random(f"{size} {unseen} {i}"),
            task_type=TASK_TYPES[i % 6],
            size=size,
            unseen=unseen,
            game_id=str(i),
        )
        for i in range(n)
    ]


def facts(game: HouseholdTask, predicate: str) -> list[list[str]]:
    init = str(game.problem).partition("(:init")[2].partition("(:goal")[0]
    return [words.split() for words in re.findall(rf"\({predicate} ([^()]*)\)", init)]


def goal_pair(game: HouseholdTask) -> tuple[str, str]:
    wanted = parse_instruction(game.task)
    return TYPE_NAMES[wanted.target], TYPE_NAMES[wanted.goal or wanted.lamp]


def composition(house: House) -> tuple[str, ...]:
    return (house.room, *(receptacle.type for receptacle in house.receptacles))


@pytest.mark.parametrize(
    ("size", "receptacles", "objects"),
    [("small", (8, 12), (12, 19)), ("medium", (12, 20), (20, 39)), ("large", (13, 36), (27, 67))],
)
def test_sizes(size: Size, receptacles: tuple[int, int], objects: tuple[int, int]) -> None:
    for game in games(size, 60):
        assert receptacles[0] <= len(facts(game, "receptacleType")) <= receptacles[1]
        assert objects[0] <= len(facts(game, "objectType")) <= objects[1]


def test_every_game_is_readable_and_not_yet_won() -> None:
    world = HouseholdWorld()
    for game in [
        *games("small", 120),
        *games("small", 60, unseen=True),
        *games("medium", 24),
        *games("large", 24),
    ]:
        text = world.reset(Task(game.game_id, "household", "train", game.task_type, game.task, 0, game))
        assert text.endswith(f"Your task is to: {game.task}.")
        assert not world.step("look").done


def test_objects_lie_where_they_may_and_ids_are_unique() -> None:
    for game in [*games("small", 60), *games("large", 12)]:
        types = dict(facts(game, "objectType")) | dict(facts(game, "receptacleType"))
        allowed = {tuple(pair) for pair in facts(game, "canContain")}
        declared = re.findall(r"^(\S+) - (?:object|receptacle|location)$", str(game.problem), re.MULTILINE)
        assert len(declared) == len(set(declared))
        spots = [spot for _, spot in facts(game, "receptacleAtLocation")]
        assert len(spots) == len(set(spots))
        for thing, place in facts(game, "inReceptacle"):
            if types[thing].removesuffix("Type") in catalogue.LAMPS:
                assert types[place].removesuffix("Type") in catalogue.LAMP_STANDS
            else:
                assert (types[place], types[thing]) in allowed


def test_targets_exist_and_never_start_at_the_goal() -> None:
    for game in [*games("small", 120), *games("large", 24)]:
        target, goal = goal_pair(game)
        types = {thing: kind.removesuffix("Type") for thing, kind in facts(game, "objectType")}
        homes = {thing: place.rpartition("_bar_")[2] for thing, place in facts(game, "inReceptacle")}
        places = dict(facts(game, "receptacleType"))
        starts = [place for thing, place in facts(game, "inReceptacle") if types[thing] == target]
        assert len(starts) >= (2 if game.task_type == "pick_two_obj_and_place" else 1)
        assert all(places[place] != f"{goal}Type" for place in starts)
        if goal in catalogue.LAMPS:
            assert goal in types.values()
        assert set(homes) == set(types)


def test_some_targets_start_in_closed_receptacles() -> None:
    hidden = 0
    for game in games("small", 120):
        closed = {place for (place,) in facts(game, "openable")}
        target = goal_pair(game)[0]
        hidden += any(
            t.startswith(f"{target}_bar_") and place in closed for t, place in facts(game, "inReceptacle")
        )
    assert 20 <= hidden <= 100


def test_all_sentences_of_all_types_occur() -> None:
    sentences = Counter(
        (game.task_type, sentence)
        for game in games("small", 240)
        for sentence in SENTENCES[game.task_type]
        if re.fullmatch(sentence.format(target="[a-z]+", goal="[a-z]+"), game.task)
    )
    assert set(sentences) == {(kind, sentence) for kind, both in SENTENCES.items() for sentence in both}


@pytest.mark.parametrize("unseen", [False, True])
def test_games_keep_to_their_side_of_the_split(unseen: bool) -> None:
    for game in games("small", 120, unseen=unseen):
        assert is_unseen_pair(*goal_pair(game)) == unseen
        types = [kind.removesuffix("Type") for _, kind in facts(game, "receptacleType")]
        rooms = [room for room in ROOMS if is_unseen_composition(room, types) == unseen]
        assert set(rooms) & set(catalogue.TASK_ROOMS[game.task_type])


@pytest.mark.parametrize("size", SIZES)
def test_no_composition_is_on_both_sides(size: Size) -> None:
    sides = [
        {composition(make_house(room, size, n, unseen=unseen)) for room, n in product(ROOMS, range(HOUSES))}
        for unseen in (False, True)
    ]
    assert min(map(len, sides)) > HOUSES  # they are really different houses
    assert not sides[0] & sides[1]


def test_every_object_type_keeps_a_goal_for_training() -> None:
    for target in sorted(set(sum(catalogue.ROOM_OBJECTS.values(), ()))):
        goals = [goal for goal in catalogue.HOLDS if target in catalogue.HOLDS[goal]]
        if len(goals) > 1:  # with a single one there is nowhere to start
            assert sum(is_unseen_pair(target, goal) for goal in goals) < len(goals) / 2 + 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [({"task_type": "dance"}, "unknown task type 'dance'"), ({"size": "huge"}, "size 'huge'")],
)
def test_unknown_kinds_are_refused(change: dict[str, str], message: str) -> None:
    wanted = {"task_type": TASK_TYPES[0], "size": "small"} | change
    with pytest.raises(ValueError, match=message):
        generate_game(random.Random(0), **wanted)  # type: ignore[arg-type]


def test_unknown_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="'mug'"):
        is_unseen_pair("mug", "Cabinet")
