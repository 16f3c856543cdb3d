"""Reading PDDL problems: names, and every kind of text that is not a game."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from spa_lab.envs.base import Task
from spa_lab.envs.household.pddl import MAX_DEPTH, read_problem
from spa_lab.envs.household.reader import entity_names, read_game

MakeTask = Callable[..., Task]
GAMES = Path(__file__).parents[1] / "fixtures" / "alfworld" / "games.jsonl.gz"


def test_numbers_descend_in_the_order_of_ids_and_basins_are_named() -> None:
    ids = ["cup_bar_1", "cup_bar_2", "cupboard_bar_1", "mug", "sink_bar_1", "sink_bar_1_bar_sinkbasin"]
    assert list(entity_names(ids).values()) == [
        "cup 2",
        "cup 1",
        "cupboard 1",
        "mug ",
        "sink 1",
        "sinkbasin 1",
    ]


def test_only_mentioned_entities_count(tiny_task: MakeTask) -> None:
    text = tiny_task().payload.problem.replace("(:objects\n", "(:objects\nMug_bar_0 Mug_bar_2 - object\n")
    assert "mug 1" in read_game(text, "tiny").objects
    text = text.replace("(:init\n", "(:init\n(isClean Mug_bar_2)\n")
    assert [name for name in read_game(text, "tiny").objects if "mug" in name] == ["mug 2", "mug 1"]


def test_case_comments_and_layout_do_not_matter(tiny_task: MakeTask) -> None:
    text = tiny_task().payload.problem
    other = text.upper().replace("\n", " \n\t; ) a comment (\n")
    assert read_problem(other) == read_problem(text)


@pytest.mark.parametrize("part", [i / 12 for i in range(12)])
def test_a_truncated_problem_is_refused(part: float) -> None:
    with gzip.open(GAMES, "rt", encoding="utf-8") as file:
        text = json.loads(file.readline())["pddl_problem"].rstrip()
    cut = text[: int(part * len(text))]
    with pytest.raises(
        ValueError, match=r"^game 'cut': (the text ends at line \d+ with|expected 1 bracketed)"
    ):
        read_game(cut, "cut")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(define", "(undefine", r"expected '\(define \.\.\.\)', got \(undefine"),
        ("(:init", "(:unit", r"no \(:init \.\.\.\) section, found problem :domain :objects :unit :goal"),
        ("(:goal (opened Fridge_bar_1)", "(:goal", r"\(:goal \.\.\.\) must hold 1 expression, got 0"),
        ("(:init", "(:objects) (:init", r"\(:objects \.\.\.\) occurs twice"),
        ("(:init", ")) (:init", r"line \d+: '\)' without '\('"),
        ("(:goal", "(:goal" + "(" * MAX_DEPTH + ")" * MAX_DEPTH, r"line \d+: more than 64 brackets"),
        ("(:init", "(:init junk", r"expected a fact in \(:init \.\.\.\), got junk"),
        (
            "(:init",
            "(:init (opened Safe_bar_1)",
            r"\(opened safe_bar_1\) names safe_bar_1, which is not declared",
        ),
        ("(:init", "(:init (opened (a b))", r"names \(a b\), which is not declared"),
        ("(:init", "(:init (opened Mug_bar_1)", r"cannot use the fact \(opened mug_bar_1\)"),
        ("(:init", "(:init (inReceptacle Mug_bar_1)", r"cannot use the fact \(inreceptacle mug_bar_1\)"),
        ("(:init", "(:init (openable Mug_bar_1)", r"cannot use the fact \(openable mug_bar_1\)"),
        ("(:init", "(:init (canContain MugType)", r"cancontain takes 2 arguments, got 1: mugtype"),
        (
            "(:init",
            "(:init (inReceptacleObject Mug_bar_1 Shelf_bar_1)",
            r"cannot use .* mug_bar_1 shelf_bar_1",
        ),
        ("(:init", "(:init (receptacleAtLocation Mug_bar_1 loc_bar_1)", r"cannot use .* mug_bar_1 loc_bar_1"),
        (
            "(:init",
            "(:init (receptacleAtLocation Shelf_bar_1 loc_bar_1)",
            r"shelf_bar_1 is at more than 1 loc",
        ),
        (
            "(:init",
            "(:init (atLocation agent1 loc_bar_1)",
            r"expected 1 agent at 1 location, got 1 agents at 2",
        ),
        ("(atLocation agent1 loc_bar_0)", "", r"expected 1 agent at 1 location, got 1 agents at 0"),
        ("agent1 - agent", "agent1 agent2 - agent", r"expected 1 agent at 1 location, got 2 agents at 1"),
        ("agent1 - agent", "agent1 - agent Mug_bar_1 - otype", r"'mug_bar_1' is declared twice"),
        ("agent1 - agent", "agent1 - agent - object", r"'-' in a typed list needs names before it"),
        ("loc_bar_5 - location", "loc_bar_5 - location pan", r"'pan' is declared without a type"),
        (
            "loc_bar_5 - location",
            "loc_bar_5 - location (pan)",
            r"expected names in a typed list, got \(pan\)",
        ),
    ],
)
def test_a_malformed_problem_is_refused(tiny_task: MakeTask, old: str, new: str, message: str) -> None:
    text = tiny_task(goal="(opened Fridge_bar_1)").payload.problem
    assert old in text
    with pytest.raises(ValueError, match=rf"^game 'odd': .*{message}"):
        read_game(text.replace(old, new, 1), "odd")


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        ("opened", r"expected \(operator \.\.\.\), got 'opened'"),
        ("()", r"expected \(operator \.\.\.\), got \[\]"),
        (
            "(imply (opened Fridge_bar_1) (opened Fridge_bar_1))",
            r"cannot read \(imply \.\.\.\) with 2 arguments",
        ),
        ("(not)", r"cannot read \(not \.\.\.\) with 0 arguments"),
        ("(exists (?r - receptacle))", r"cannot read \(exists \.\.\.\) with 1 arguments"),
        ("(exists (?r - box) (opened ?r))", r"unknown type 'box'"),
        ("(exists (?r) (opened ?r))", r"'\?r' is declared without a type"),
        ("(opened ?r)", r"'\?r' in \(opened \.\.\.\) is neither declared nor a variable"),
        ("(and (not (and)) (opened Safe_bar_1))", r"'safe_bar_1' in \(opened \.\.\.\) is neither declared"),
        ("(exists (?r - otype) (and (objectType ?r ?r) (ajar ?r)))", r"cannot read \(ajar \.\.\.\)"),
        ("(checked Shelf_bar_1)", r"cannot read \(checked \.\.\.\) with 1 arguments"),
    ],
)
def test_a_goal_that_cannot_be_judged_is_refused(tiny_task: MakeTask, goal: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^game 'odd': (goal: )?.*{message}"):
        read_game(tiny_task(goal=goal).payload.problem, "odd")


@pytest.mark.parametrize(
    ("goal", "won"),
    [
        ("(and)", True),
        ("(or)", False),
        ("(= Mug_bar_1 Mug_bar_1)", True),
        ("(= Mug_bar_1 Book_bar_1)", False),
        ("(forall (?r - receptacle) (not (opened ?r)))", True),
        ("(exists (?x - object) (receptacleType ?x ShelfType))", True),  # every thing is an object
        ("(exists (?x - otype) (receptacleType ?x ShelfType))", False),
        ("(exists (?x - object) (exists (?x - receptacle) (inReceptacle Mug_bar_1 ?x)))", True),
        ("(forall (?o - object) (or (not (sliceable ?o)) (heatable ?o)))", True),
        ("(not (exists (?o - object) (and (sliceable ?o) (not (heatable ?o)))))", True),
        ("(inReceptacle Shelf_bar_1 Mug_bar_1)", False),
    ],
)
def test_goals_judged_at_the_start(tiny_task: MakeTask, goal: str, won: bool) -> None:
    game = read_game(tiny_task(goal=goal).payload.problem, "tiny")
    assert game.goal.holds(game.start) is won
