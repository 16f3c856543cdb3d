"""Exact values: chances of texts by hand, and what enumeration refuses."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from spa_lab.agent.rollout import Policy
from spa_lab.agent.sampling import AllowedTexts, draw, next_token_log_probs
from spa_lab.envs.probe_rules import PROBES
from spa_lab.envs.probes import probe_environment
from spa_lab.react import write
from spa_lab.truth.exact import (
    History,
    exact_values,
    lm_action_probs,
    play,
    scripted_action_probs,
    uniform_chances,
)
from spa_lab.truth.scripted import ScriptedPlayer

TEXTS = ("Action: go left", "Action: go right", "Action: go")


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    """Writes "Action: go" in one token: texts share a beginning."""
    return make_policy(*TEXTS, names=("left", "right"), layers=2, spread=0.3, seed=1)


HISTORIES = [
    History("You are at a fork."),
    History("You are at a fork.").then("Action: go left", "The path bends."),
    History("x").then("Action: go", "No.").then("Action: go right", ""),
]


@torch.inference_mode()
def _by_hand(policy: Policy, history: History, menu: AllowedTexts, temperature: float) -> list[float]:
    """Token by token, everything read anew; at each one only what continues a listed text."""
    found = []
    for text in menu.tokens:
        chance, ids = 1.0, list(history.ids(policy.codec))
        for j, token in enumerate(text):
            logits = policy.model(torch.tensor([ids])).logits[0, -1].double() / temperature
            allowed = {other[j] for other in menu.tokens if other[:j] == text[:j] and len(other) > j}
            weights = {i: float(logits[i].exp()) for i in allowed}
            chance *= weights[token] / sum(weights.values())
            ids.append(token)
        found.append(chance)
    return found


@pytest.mark.parametrize("batch_tokens", [1, 100, 16_384])
def test_language_chances_by_hand(policy: Policy, batch_tokens: int) -> None:
    menu = AllowedTexts.of(TEXTS, policy.codec)
    found = lm_action_probs(policy, menu, temperature=0.6, batch_tokens=batch_tokens)(HISTORIES)
    assert found.shape == (3, 3)
    assert found.sum(1) == pytest.approx(1)
    for row, history in zip(found, HISTORIES, strict=True):
        assert row == pytest.approx(_by_hand(policy, history, menu, 0.6), abs=1e-5)
    assert np.ptp(found, axis=0).max() > 0.001, "the model reads the history"


def test_greedy_chances_are_zero_and_one(policy: Policy) -> None:
    menu = AllowedTexts.of(TEXTS, policy.codec)
    found = lm_action_probs(policy, menu, temperature=0)(HISTORIES)
    assert sorted(found.flatten().tolist()) == [0.0] * 6 + [1.0] * 3
    soft = lm_action_probs(policy, menu, temperature=0.01)(HISTORIES[:1])
    assert soft.argmax() == found[0].argmax()


def test_a_history_is_encoded_as_in_a_rollout(policy: Policy) -> None:
    environment = probe_environment("fork")
    (task,) = environment.tasks("train", 1)
    one = play(uniform_chances(3), environment, task, TEXTS, policy="coin", seed=1)
    history = History(one.initial_observation)
    row = policy.codec.row(one)
    for t, step in enumerate(one.steps):
        assert row.ids[: row.step.index(t)] == history.ids(policy.codec)
        history = history.then(step.text, step.observation)


def test_menus(policy: Policy) -> None:
    menu = AllowedTexts.of(TEXTS, policy.codec)
    (word,) = policy.codec.text_ids("Action: go")
    assert menu.longest == 3
    assert menu.following([]) == [word]
    assert policy.codec.end_id in menu.following([word]) and len(menu.following([word])) == 3
    assert menu.following([word, policy.codec.end_id]) == []
    for texts in ((), ("a", "a")):
        with pytest.raises(ValueError, match="needs distinct texts"):
            AllowedTexts.of(texts, policy.codec)


def test_draws_invert_the_distribution() -> None:
    chances = torch.tensor([[0.25, 0.5, 0.25], [0.0, 1.0, 0.0]], dtype=torch.float64)
    assert draw(chances.log(), [[0.0, 0.2499, 0.25, 0.7499, 0.75, 0.9999], [0.0, 0.9999]]) == [
        [0, 0, 1, 1, 2, 2],
        [1, 1],
    ]


def test_a_forbidden_token_has_no_chance(policy: Policy) -> None:
    menu = AllowedTexts.of(TEXTS, policy.codec)
    logits = torch.zeros(1, len(policy.codec.tokenizer))
    chances = next_token_log_probs(logits, [[]], temperature=1.0, menu=menu).exp()
    assert float(chances.sum()) == pytest.approx(1) and int((chances > 0).sum()) == 1


def test_what_is_no_episode_of_the_menu_is_refused() -> None:
    environment = probe_environment("fork")
    tasks = environment.tasks("train", 2)
    texts = TEXTS[:2]
    one = play(uniform_chances(2), environment, tasks[0], texts, policy="coin", seed=1)

    def of(**changes: object) -> None:
        wrong = replace(one, **changes)  # type: ignore[arg-type]
        exact_values(uniform_chances(2), environment, [wrong], tasks, texts, policy="coin")

    first, *rest = one.steps
    with pytest.raises(ValueError, match="step 0: 'Action: dance' is not one of the 2 listed texts"):
        of(steps=(replace(first, text="Action: dance"), *rest))
    with pytest.raises(ValueError, match="step 0: recorded 'x', the world now says 'The path bends"):
        of(steps=(replace(first, observation="x"), *rest))
    with pytest.raises(ValueError, match=r"ended after 3 steps with .*, in the world it goes on"):
        of(steps=one.steps[:3])
    with pytest.raises(ValueError, match=r"ended after 4 steps with 0\.5, in the world it ends with"):
        of(outcome=0.5)
    with pytest.raises(ValueError, match="step 4 of 5: the episode ends after 4 steps"):
        of(steps=(*one.steps, first))
    with pytest.raises(ValueError, match="task 'other' is not among 2"):
        of(task_id="other")
    with pytest.raises(ValueError, match=f"task '{tasks[0].id}': more than 6 histories, 2 steps deep"):
        exact_values(uniform_chances(2), environment, [one], tasks, texts, policy="coin", max_histories=6)


@pytest.mark.parametrize("name", sorted(PROBES))
def test_the_careless_expert_exactly_and_by_playing_on(name: str) -> None:
    """The enumeration and the player itself are two programs; they agree within the errors."""
    environment = probe_environment(name)
    (task,) = environment.tasks("train", 1)
    player = ScriptedPlayer(environment, 0.3, environment.step_limit)
    texts = [write("", action) for action in PROBES[name].actions]
    chances = scripted_action_probs(environment, task, texts, player.slips)
    one = play(chances, environment, task, texts, policy=player.name, seed=0)
    (exact,) = exact_values(chances, environment, [one], [task], texts, policy=player.name)
    measured = player.measure(task, one, 200, rng=random.Random(1))
    assert (np.abs(measured.values - exact.values) <= 4 * measured.standard_error + 1e-12).all()
    np.testing.assert_allclose((exact.chances * exact.q).sum(axis=1), exact.values[:-1])
    assert set(exact.chances.flatten().round(9)) == {0.3, 0.7}
