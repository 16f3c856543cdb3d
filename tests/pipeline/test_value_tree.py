"""Exact values of unrestricted models: equal to full enumeration, and 0 where nothing can succeed."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from spa_lab.agent.rollout import Policy
from spa_lab.envs.control_probes import CONTROL_PROBES, LEFT, RIGHT, control_environment
from spa_lab.envs.episode import RunningEpisode
from spa_lab.pipeline.value_tree import ValueTree
from spa_lab.react import write
from spa_lab.truth.exact import History, exact_values
from spa_lab.types import FloatArray, Trajectory


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy("Swamp 1.", write("", LEFT), write("", RIGHT), hidden=16, layers=2, spread=0.4)


def _play(name: str, actions: Sequence[str]) -> Trajectory:
    environment = control_environment(name)
    episode = RunningEpisode(environment, environment.tasks("train", 1)[0])
    for action in actions:
        if episode.ended is None:
            episode.act("", action)
    return episode.trajectory(id=" ".join(actions), policy="by hand", seed=0)


@torch.inference_mode()
def _chances(policy: Policy, histories: Sequence[History], texts: Sequence[str]) -> FloatArray:
    """(n, A) probability of each text and its end, one plain pass for each."""
    rows = []
    for history in histories:
        past = history.ids(policy.codec)
        row = []
        for text in texts:
            written = (*policy.codec.text_ids(text), policy.codec.end_id)
            logits = policy.model(torch.tensor([[*past, *written]])).logits[0].double()
            logprobs = torch.log_softmax(logits, dim=-1)
            row.append(sum(float(logprobs[len(past) - 1 + j, token]) for j, token in enumerate(written)))
        rows.append(row)
    return np.exp(rows)


def test_values_are_those_of_full_enumeration(policy: Policy) -> None:
    """Of a policy that gives most of its probability to other texts."""
    environment, texts = control_environment("last"), [write("", LEFT), write("", RIGHT)]
    tasks = environment.tasks("train", 1)
    trajectory = _play("last", [RIGHT, LEFT, RIGHT, LEFT, RIGHT, RIGHT])
    (expected,) = exact_values(
        lambda histories: _chances(policy, histories, texts),
        environment,
        [trajectory],
        tasks,
        texts,
        policy="x",
    )
    tree = ValueTree(environment, tasks, texts, policy.codec)
    values = tree.values(policy, [tasks[0].id])[tasks[0].id]
    assert 0 < values[0] < 0.5
    np.testing.assert_allclose(tree.along(values, trajectory), expected.values, rtol=1e-4, atol=1e-12)


def test_values_after_a_mistake_and_after_another_text_are_zero(policy: Policy) -> None:
    environment, texts = control_environment("gates"), [write("", LEFT), write("", RIGHT)]
    tasks = environment.tasks("train", 1)
    tree = ValueTree(environment, tasks, texts, policy.codec)
    values = tree.values(policy, [tasks[0].id])[tasks[0].id]
    right = CONTROL_PROBES["gates"].advise((0, 1), tasks[0].payload)[0][1]
    wrong = LEFT if right == RIGHT else RIGHT
    for actions in ([wrong] + [LEFT] * 7, ["dance"]):
        found = tree.along(values, _play("gates", actions))
        assert found[0] == values[0] > 0 and (found[1:] == 0).all()
    assert tree.along(values, _play("gates", [right, LEFT, "dance"]))[1] > values[0]
