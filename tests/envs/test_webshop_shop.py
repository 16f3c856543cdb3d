"""The generated shop, its panels, its expert and the expert's mistakes."""

import itertools
import json
import random
import re
from pathlib import Path

import pytest

from benchmarks.webshop import world_speed
from spa_lab.envs.base import Task
from spa_lab.envs.demonstrations import demonstrate
from spa_lab.envs.webshop import environment
from spa_lab.envs.webshop.expert import WebshopExpert
from spa_lab.envs.webshop.files import read_instructions, read_labels, read_products
from spa_lab.envs.webshop.fuzzy import token_set_ratio
from spa_lab.envs.webshop.generator import PRODUCTS_EACH, generated_shop, write_catalogue
from spa_lab.envs.webshop.goals import human_goals
from spa_lab.envs.webshop.memory import Memory
from spa_lab.envs.webshop.panels import (
    BY_LENGTH,
    LENGTH_SIZE,
    LENGTHS,
    LONGEST,
    PANEL_FILE,
    SPLITS,
    check_overlap,
    find_by_length,
    human_instructions,
    is_unseen_pair,
    make_task,
    panel_hash,
    split_of,
    tasks,
)
from spa_lab.envs.webshop.parsed_instruction import read_instruction
from spa_lab.envs.webshop.reward import ALIKE, normalize_color
from spa_lab.envs.webshop.thoughts import THOUGHTS
from spa_lab.envs.webshop.vocabulary import GROUP_NAMES, KINDS, kind_of, phrases

PANELS = {split: tasks(split, 60) for split in SPLITS}


def same(first: str, second: str) -> bool:
    return token_set_ratio(normalize_color(first), normalize_color(second)) > ALIKE


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.noun)
def test_phrases_of_a_kind_are_distinct_for_the_reward(kind) -> None:  # type: ignore[no-untyped-def]
    assert len(set(kind.attributes)) == 6
    for first, second in itertools.combinations(kind.attributes, 2):
        assert token_set_ratio(first, second) <= ALIKE, (first, second)
    values = [value for _, group in kind.groups for value in group]
    for first, second in itertools.combinations(values, 2):
        assert not same(first, second), (first, second)
    assert not set(values) & GROUP_NAMES
    assert [k.noun for k in KINDS if k.noun in kind.noun] == [kind.noun]
    assert sum(is_unseen_pair(kind, attribute) for attribute in kind.attributes) == 1


def test_the_reward_sees_exactly_the_attributes_that_the_pages_name() -> None:
    for product in generated_shop().products.values():
        kind = kind_of(product.title)
        assert kind is not None and kind.noun == product.query
        for attribute in kind.attributes:
            shown = attribute in product.title or attribute in product.bullets
            like = any(token_set_ratio(label, attribute) > ALIKE for label in product.attributes)
            assert shown == like == (attribute in product.attributes)


def test_every_trained_attribute_occurs_in_a_goal() -> None:
    asked = {a for kind in KINDS for a in kind.attributes if not is_unseen_pair(kind, a)}
    assert {attribute for kind in KINDS for attribute in kind.attributes} - asked <= {"stain resistant"}


def test_the_generated_shop_is_pinned() -> None:
    shop = generated_shop()
    assert len(shop.products) == len(KINDS) * PRODUCTS_EACH == 320
    assert panel_hash([task for panel in PANELS.values() for task in panel]) == (
        "6ca785f6176288397812422311a148b541a6d1f096a5a916f0a9e41710e670b9"
    ), "other tasks than those that were measured"


def test_panels() -> None:
    check_overlap(PANELS)
    for split, panel in PANELS.items():
        assert len({task.id for task in panel}) == 60
        assert {task.kind for task in panel[:5]} == {"fashion", "beauty", "electronics", "garden", "grocery"}
        for task in panel:
            goal = task.payload
            kind = kind_of(goal.name)
            assert kind is not None
            assert split_of(kind, goal.attributes, goal.options) == task.split == split
            assert 3 <= task.expert_length <= LONGEST
            assert task.instruction == goal.instruction
    assert tasks("seen", 7) == PANELS["seen"][:7]
    assert make_task("unseen", 33) == PANELS["unseen"][33]


def test_the_same_number_of_tasks_per_length() -> None:
    panel = tasks(BY_LENGTH, len(LENGTHS) * LENGTH_SIZE)
    assert panel_hash(panel) == json.loads(PANEL_FILE.read_text())["sha256"]
    assert len({task.id for task in panel}) == 280
    for start in range(0, 280, 10):
        assert [task.expert_length for task in panel[start : start + 10]] == list(LENGTHS)
    check_overlap({"unseen": panel, **{split: PANELS[split] for split in ("train", "seen")}})
    assert {task.split for task in panel} == {"unseen_by_length"}
    with pytest.raises(ValueError, match="has 280 tasks, asked for 281"):
        tasks(BY_LENGTH, 281)
    with pytest.raises(ValueError, match="after 5, need 28 each"):
        find_by_length(5)


def test_wrong_panels_are_refused() -> None:
    for split, n in (("test", 1), ("train", -1)):
        with pytest.raises(ValueError, match=f"no panel '{split}' with {n} tasks"):
            tasks(split, n)
    with pytest.raises(ValueError, match="asks for the same as"):
        check_overlap({"train": PANELS["train"], "seen": [*PANELS["seen"], PANELS["train"][7]]})


def test_instructions_state_the_goal() -> None:
    for task in itertools.chain(*PANELS.values()):
        wanted, goal = read_instruction(task.instruction), task.payload
        assert (wanted.kind.noun, wanted.attributes, wanted.options, wanted.limit) == (
            goal.query,
            goal.attributes,
            goal.options,
            goal.price_upper,
        )


@pytest.mark.parametrize("sentence", ["", "i need a red mug", "i need jeans in red", "rug"])
def test_a_foreign_instruction_is_refused(sentence: str) -> None:
    with pytest.raises(ValueError, match="instruction"):
        WebshopExpert(sentence)


def play(task: Task, rng: random.Random | None = None) -> tuple[float, list[tuple[str, str]]]:
    """Outcome and moves of the expert, which makes mistakes if `rng` is given."""
    env = environment()
    world = env.make_world()
    expert = env.make_expert(task, world.reset(task))
    moves = []
    for _ in range(60):
        slips = rng is not None and rng.random() < 0.3
        move = expert.slip(rng) if slips and rng is not None else expert.act()
        moves.append(move)
        reply = world.step(move[1])
        assert not (slips and reply.done), "a slip must leave a way back"
        if not slips:
            assert reply.grounded
        if reply.done:
            return reply.outcome, moves
        expert.observe(move[1], reply.observation)
    return 0.0, moves


def test_the_expert_solves_a_task_in_its_expert_length() -> None:
    lengths = set()
    for task in itertools.chain(*PANELS.values()):
        outcome, moves = play(task)
        assert (outcome, len(moves)) == (1.0, task.expert_length)
        lengths.add(len(moves))
        for thought, _ in moves:
            assert any(re.fullmatch(pattern, thought) for pattern in THOUGHTS), thought
    assert lengths >= set(range(3, 10))


def test_the_expert_recovers_from_its_mistakes() -> None:
    rng = random.Random(3)
    outcomes, kinds = [], set()
    for task in PANELS["train"]:
        outcome, moves = play(task, rng)
        outcomes.append(outcome)
        kinds |= {action.partition("[")[0] for _, action in moves}
        for thought, _ in moves:
            assert any(re.fullmatch(pattern, thought) for pattern in THOUGHTS), thought
    assert sum(outcome == 1.0 for outcome in outcomes) >= 56
    assert kinds == {"search", "click"}


def test_the_expert_continues_after_any_action() -> None:
    rng = random.Random(4)
    env = environment()
    for task in PANELS["train"][:30]:
        world = env.make_world()
        expert = env.make_expert(task, world.reset(task))
        for _ in range(30):
            actions = [a for a in world.admissible() if a != "click[buy now]"]
            action = rng.choice([*actions, "click[moon]", "", "search[rug]", "click[features] x"])
            expert.observe(action, world.step(action).observation)
            assert all(expert.act())
            assert all(expert.slip(rng))
        for _ in range(40):
            action = expert.act()[1]
            reply = world.step(action)
            assert reply.grounded
            if reply.done:
                break
            expert.observe(action, reply.observation)
        assert reply.outcome == 1.0


def test_a_refused_click_is_not_recorded_as_a_read_page() -> None:
    memory = Memory()
    head = "Instruction: [SEP] x [SEP] Back to Search [SEP] "
    memory.observe(
        "search[mug]", f"{head}Page 1 (Total results: 1) [SEP] Next > [SEP] B1 [SEP] Mug [SEP] $2.5"
    )
    item = f"{head}< Prev [SEP] size [SEP] xl [SEP] Mug [SEP] Price: $2.5 [SEP] Rating: N.A."
    memory.observe("click[b1]", item)
    memory.observe("click[description]", f"{head}< Prev [SEP] nice")
    memory.observe("click[features]", f"{head}< Prev [SEP] nice")
    assert (memory.features, memory.page) == ({}, "sub")
    memory.observe("click[< prev]", item)
    memory.observe("click[xl]", item)
    memory.observe("click[xxl]", item)
    assert memory.chosen == {"size": "xl"}


def test_demonstrations() -> None:
    env, rng = environment(), random.Random(0)
    for task in PANELS["train"][:20]:
        whole = demonstrate(env, task, mistakes=0.0, rng=rng).trajectory
        assert whole.success and len(whole) == task.expert_length
        assert len(demonstrate(env, task, mistakes=0.3, rng=rng).trajectory) <= env.step_limit


def test_texts_use_a_small_vocabulary() -> None:
    words = set(phrases())
    assert len(words) < 250
    text = " ".join(product.document for product in generated_shop().products.values())
    for phrase in sorted(words, key=len, reverse=True):
        text = text.replace(phrase, " ")
    rest = set(re.findall(r"[a-z]+", text))
    assert rest <= {"by", "and", *GROUP_NAMES}


def test_the_shop_written_as_official_files_reads_the_same(tmp_path: Path) -> None:
    write_catalogue(tmp_path, human_instructions(PANELS["unseen"]))
    labels = read_labels(tmp_path / "items_ins_v2.json")
    products = list(read_products(tmp_path / "items_shuffle.json", labels))
    assert {product.asin: product for product in products} == dict(generated_shop().products)
    goals = human_goals(products, read_instructions(tmp_path / "items_human_ins.json"), "h")
    assert {(g.asin, g.attributes, g.options) for g in goals} == {
        (t.payload.asin, t.payload.attributes, t.payload.options) for t in PANELS["unseen"]
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "items_human_ins.json", "items_ins_v2.json", "items_shuffle.json",
    ]  # fmt: skip
    assert json.loads((tmp_path / "items_shuffle.json").read_text())[0]["asin"].startswith("B")


def test_speed_is_measured() -> None:
    world = environment().make_world()
    speed = world_speed(world, PANELS["train"], steps=600, rng=random.Random(0))  # type: ignore[arg-type]
    assert speed.steps_per_second > 1000  # 10,000 is the aim; a busy machine is no finding
    assert speed.snapshot_us < 50
    with pytest.raises(ValueError, match="at least 1 task"):
        world_speed(world, [], rng=random.Random(0))  # type: ignore[arg-type]
