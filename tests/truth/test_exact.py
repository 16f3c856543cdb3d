"""Exact values: probabilities of texts by hand, and what enumeration refuses."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from spa_lab.agent.rollout import Policy
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.envs.probes import PROBES, probe_environment
from spa_lab.react import write
from spa_lab.truth.exact import (
    History,
    exact_values,
    lm_action_probs,
    play,
    scripted_action_probs,
    uniform_action_probs,
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
def _by_hand(policy: Policy, history: History, allowed: AllowedTexts, temperature: float) -> list[float]:
    """Token by token, everything read again; at each token only those that continue an allowed text."""
    probs = []
    for text in allowed.token_ids:
        prob, ids = 1.0, list(history.ids(policy.codec))
        for j, token in enumerate(text):
            logits = policy.model(torch.tensor([ids])).logits[0, -1].double() / temperature
            next_tokens = {
                other[j] for other in allowed.token_ids if other[:j] == text[:j] and len(other) > j
            }
            weights = {i: float(logits[i].exp()) for i in next_tokens}
            prob *= weights[token] / sum(weights.values())
            ids.append(token)
        probs.append(prob)
    return probs


@pytest.mark.parametrize("batch_tokens", [1, 100, 16_384])
def test_action_probs_of_a_language_model_by_hand(policy: Policy, batch_tokens: int) -> None:
    allowed = AllowedTexts.of(TEXTS, policy.codec)
    probs = lm_action_probs(policy, allowed, temperature=0.6, batch_tokens=batch_tokens)(HISTORIES)
    assert probs.shape == (3, 3)
    assert probs.sum(1) == pytest.approx(1)
    for row, history in zip(probs, HISTORIES, strict=True):
        assert row == pytest.approx(_by_hand(policy, history, allowed, 0.6), abs=1e-5)
    assert np.ptp(probs, axis=0).max() > 0.001, "the model must read the history"


def test_greedy_action_probs_are_zero_and_one(policy: Policy) -> None:
    allowed = AllowedTexts.of(TEXTS, policy.codec)
    probs = lm_action_probs(policy, allowed, temperature=0)(HISTORIES)
    assert sorted(probs.flatten().tolist()) == [0.0] * 6 + [1.0] * 3
    nearly_greedy = lm_action_probs(policy, allowed, temperature=0.01)(HISTORIES[:1])
    assert nearly_greedy.argmax() == probs[0].argmax()


def test_a_history_is_encoded_as_in_a_rollout(policy: Policy) -> None:
    environment = probe_environment("fork")
    (task,) = environment.tasks("train", 1)
    episode = play(uniform_action_probs(3), environment, task, TEXTS, policy="coin", seed=1)
    history = History(episode.initial_observation)
    row = policy.codec.row(episode)
    for t, step in enumerate(episode.steps):
        assert row.ids[: row.step.index(t)] == history.ids(policy.codec)
        history = history.then(step.text, step.observation)


def test_trajectories_that_do_not_fit_the_enumeration_are_refused() -> None:
    environment = probe_environment("fork")
    tasks = environment.tasks("train", 2)
    texts = TEXTS[:2]
    uniform = uniform_action_probs(2)
    episode = play(uniform, environment, tasks[0], texts, policy="coin", seed=1)

    def solve(**changes: object) -> None:
        wrong = replace(episode, **changes)  # type: ignore[arg-type]
        exact_values(uniform, environment, [wrong], tasks, texts, policy="coin")

    first, *rest = episode.steps
    with pytest.raises(ValueError, match="step 0: 'Action: dance' is not one of the 2 listed texts"):
        solve(steps=(replace(first, text="Action: dance"), *rest))
    with pytest.raises(ValueError, match="step 0: recorded 'x', the world now replies 'The path bends"):
        solve(steps=(replace(first, observation="x"), *rest))
    with pytest.raises(ValueError, match=r"ended after 3 steps with .*, in the world it continues"):
        solve(steps=episode.steps[:3])
    with pytest.raises(ValueError, match=r"ended after 4 steps with 0\.5, in the world it ends with"):
        solve(outcome=0.5)
    with pytest.raises(ValueError, match="step 4 of 5: the episode ends after 4 steps"):
        solve(steps=(*episode.steps, first))
    with pytest.raises(ValueError, match="it began with 'x', the world with "):
        solve(initial_observation="x")
    with pytest.raises(ValueError, match="2 texts, 1 of them distinct"):
        exact_values(uniform, environment, [episode], tasks, texts[:1] * 2, policy="coin")
    with pytest.raises(ValueError, match=r"probabilities of actions sum to 1\.5, expected at most 1"):
        more = uniform_action_probs(2)
        exact_values(lambda h: 1.5 * more(h), environment, [episode], tasks, texts, policy="coin")
    with pytest.raises(ValueError, match="task 'other' is not among 2"):
        solve(task_id="other")
    with pytest.raises(ValueError, match=f"task '{tasks[0].id}': more than 6 histories, 2 steps deep"):
        exact_values(uniform, environment, [episode], tasks, texts, policy="coin", max_histories=6)


@pytest.mark.parametrize("name", sorted(PROBES))
def test_the_scripted_player_has_the_same_values_by_enumeration_and_by_continuations(name: str) -> None:
    """Two independent programs; they agree within the standard errors."""
    environment = probe_environment(name)
    (task,) = environment.tasks("train", 1)
    player = ScriptedPlayer(environment, 0.3, environment.step_limit)
    texts = [write("", action) for action in PROBES[name].actions]
    action_probs = scripted_action_probs(environment, task, texts, player.slips)
    episode = play(action_probs, environment, task, texts, policy=player.name, seed=0)
    (exact,) = exact_values(action_probs, environment, [episode], [task], texts, policy=player.name)
    measured = player.measure(task, episode, 200, rng=random.Random(1))
    assert (np.abs(measured.values - exact.values) <= 4 * measured.standard_error + 1e-12).all()
    np.testing.assert_allclose((exact.action_probs * exact.q).sum(axis=1), exact.values[:-1])
    assert set(exact.action_probs.flatten().round(9)) == {0.3, 0.7}
