"""Monte Carlo values against exact values on every probe; stopped, resumed and extended measurements."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from spa_lab.agent.codec import Codec
from spa_lab.agent.rollout import Policy
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.configs.prompt import PromptConfig
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.probes import PROBES, probe_environment
from spa_lab.react import write
from spa_lab.truth.exact import exact_values, lm_action_probs, play
from spa_lab.truth.monte_carlo import branch_outcomes
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import FloatArray, Trajectory

NAMES = sorted(PROBES)


class Probe(NamedTuple):
    """A probe, a small language model that plays it, two of its episodes and their exact values."""

    environment: Environment
    policy: Policy
    allowed: AllowedTexts
    tasks: list[Task]
    trajectories: list[Trajectory]
    values: list[FloatArray]
    config: RolloutConfig

    def branches(self, n: int, **options: Any) -> list[BranchOutcomes]:
        """n continuations from each history; the seed is 0 unless `options` say otherwise."""
        options = {"rng": random.Random(0), "allowed": self.allowed} | options
        return branch_outcomes(
            self.policy, self.environment, self.trajectories, self.tasks, self.config, branches=n, **options
        )


@pytest.fixture(scope="module")
def probe(make_policy: Callable[..., Policy]) -> Callable[[str], Probe]:
    """Name -> the probe with its exact values; computed once."""
    probes: dict[str, Probe] = {}

    def get(name: str) -> Probe:
        if name not in probes:
            probes[name] = _solved(name, make_policy)
        return probes[name]

    return get


def _solved(name: str, make_policy: Callable[..., Policy]) -> Probe:
    environment, rules = probe_environment(name), PROBES[name]
    if name == "corridor":  # 2^10 histories are too many for a test
        environment = replace(environment, step_limit=9)
    texts = [write("", action) for action in rules.actions]
    tasks = list(environment.tasks("train", 2))
    openings = [rules.opening(task.payload) for task in tasks]
    policy = make_policy(
        "Action:", *texts, *(text for opening in openings for text in opening), spread=0.1, seed=4
    )
    allowed = AllowedTexts.of(texts, policy.codec)
    probs = lm_action_probs(policy, allowed, temperature=0.7)
    trajectories = [
        play(probs, environment, task, texts, policy="tiny", seed=seed) for seed, task in enumerate(tasks)
    ]
    exact = exact_values(probs, environment, trajectories, tasks, texts, policy="tiny")
    config = RolloutConfig(temperature=0.7, max_new_tokens=allowed.max_tokens, parallel=1024)
    values = [solution.values for solution in exact]
    return Probe(environment, policy, allowed, tasks, trajectories, values, config)


def _within_error(measured: BranchOutcomes, values: FloatArray) -> bool:
    """No value is further than four standard errors from the exact one."""
    return bool((np.abs(measured.values - values) <= 4 * measured.standard_error + 1e-12).all())


@pytest.mark.parametrize("name", NAMES)
def test_monte_carlo_agrees_with_exact_values(probe: Callable[[str], Probe], name: str) -> None:
    known = probe(name)
    for measured, values in zip(known.branches(400), known.values, strict=True):
        assert _within_error(measured, values)
        assert measured.values[-1] == values[-1]


def test_intervals_cover_and_errors_fall_as_one_over_root_n(probe: Callable[[str], Probe]) -> None:
    """Over blocks of one measurement, for histories whose outcome is uncertain."""
    errors: dict[int, list[float]] = {25: [], 100: [], 400: []}
    covered, scaled = [], []
    for name in ("fork", "distractor", "lamp", "key"):
        known = probe(name)
        for measured, values in zip(known.branches(1600, rng=random.Random(1)), known.values, strict=True):
            uncertain = np.flatnonzero(np.abs(values - 0.5) < 0.45)
            for n, collected in errors.items():
                for start in range(0, 1600, n):
                    block = measured.subset(start, start + n)
                    error = (block.values - values)[uncertain]
                    collected += error.tolist()
                    scaled += (error / block.standard_error[uncertain]).tolist() if n == 100 else []
                    low, high = block.interval()[uncertain].T
                    covered += ((low <= values[uncertain]) & (values[uncertain] <= high)).tolist()
    rms = {n: float(np.sqrt(np.mean(np.square(collected)))) for n, collected in errors.items()}
    assert rms[25] / rms[100] == pytest.approx(2, rel=0.15)
    assert rms[100] / rms[400] == pytest.approx(2, rel=0.25)
    assert 0.92 <= np.mean(covered) <= 0.98
    assert np.sqrt(np.mean(np.square(scaled))) == pytest.approx(1, abs=0.15), "standard errors are calibrated"


class _Killed(Exception):
    pass


def _same(measured: list[BranchOutcomes], other: list[BranchOutcomes]) -> bool:
    return all(
        np.array_equal(a, b)
        for x, y in zip(measured, other, strict=True)
        for a, b in zip(x.outcomes, y.outcomes, strict=True)
    )


def test_a_killed_measurement_is_resumed(probe: Callable[[str], Probe], tmp_path: Path) -> None:
    lamp = probe("lamp")
    whole = lamp.branches(40)
    one_by_one = lamp._replace(config=replace(lamp.config, parallel=1))

    def kill(share: float) -> None:
        if any(tmp_path.iterdir()):
            raise _Killed

    with pytest.raises(_Killed):
        one_by_one.branches(40, folder=tmp_path, on_progress=kill)
    (file,) = tmp_path.iterdir()
    before = file.stat()
    resumed = lamp.branches(40, folder=tmp_path)
    assert _same(resumed, whole)
    assert len(list(tmp_path.iterdir())) == 2
    assert file.stat() == before, "it is not written again"
    other_seed = lamp.branches(40, folder=tmp_path, rng=random.Random(9))
    assert _same(other_seed, whole), "saved outcomes are not played again"


def test_progress_is_reported_while_continuations_run(probe: Callable[[str], Probe], tmp_path: Path) -> None:
    lamp = probe("lamp")
    shares: list[float] = []
    lamp.branches(40, folder=tmp_path, on_progress=shares.append)
    assert shares == sorted(set(shares))
    assert len(shares) > len(lamp.trajectories), "not only at the end of a trajectory"
    assert shares[-1] == 1
    lamp.branches(40, folder=tmp_path, on_progress=lambda share: pytest.fail("nothing is left to play"))


def test_a_finished_measurement_is_extended(probe: Callable[[str], Probe], tmp_path: Path) -> None:
    lamp = probe("lamp")
    lamp.branches(10, folder=tmp_path)
    assert _same(lamp.branches(25, folder=tmp_path, rng=random.Random(9)), lamp.branches(25))
    fewer = lamp.branches(5, folder=tmp_path)
    assert [outcomes.counts.min() for outcomes in fewer] == [25, 25]


def test_measurements_under_other_settings_are_not_joined(
    probe: Callable[[str], Probe], tmp_path: Path
) -> None:
    lamp = probe("lamp")
    lamp.branches(4, folder=tmp_path)
    longer = replace(lamp.environment, step_limit=lamp.environment.step_limit + 1)
    with pytest.raises(ValueError, match=r"measured under other settings: temperature 0.7, now 0.5"):
        lamp._replace(config=replace(lamp.config, temperature=0.5)).branches(4, folder=tmp_path)
    with pytest.raises(ValueError, match=r"other settings: allowed \["):
        lamp.branches(4, folder=tmp_path, allowed=None)
    with pytest.raises(ValueError, match=r"other settings: policy 'tiny', now 'new'"):
        lamp._replace(policy=replace(lamp.policy, name="new")).branches(4, folder=tmp_path)
    with pytest.raises(ValueError, match=r"other settings: step_cap 5, now 6"):
        lamp._replace(environment=longer).branches(4, folder=tmp_path)
    changed = [
        replace(trajectory, steps=(replace(trajectory.steps[0], text="Action: else"),))
        for trajectory in lamp.trajectories
    ]
    with pytest.raises(ValueError, match="other settings: text"):
        lamp._replace(trajectories=changed).branches(4, folder=tmp_path)


def test_other_weights_under_the_same_name_are_other_settings(
    probe: Callable[[str], Probe], tmp_path: Path
) -> None:
    lamp = probe("lamp")
    lamp.branches(4, folder=tmp_path)
    weight = lamp.policy.model.get_output_embeddings().weight
    kept = weight.data.clone()
    try:
        weight.data += 0.001
        with pytest.raises(ValueError, match="other settings: weights"):
            lamp.branches(4, folder=tmp_path)
    finally:
        weight.data = kept


def test_another_prompt_is_another_setting(probe: Callable[[str], Probe], tmp_path: Path) -> None:
    """Whatever the policy reads around the texts; files of earlier versions, which do not say, are taken."""
    lamp = probe("lamp")
    lamp.branches(4, folder=tmp_path)
    codec = lamp.policy.codec

    def read_with(manual: str, prompt: PromptConfig) -> Probe:
        other = Codec(codec.tokenizer, manual=manual, prompt=prompt, stop_ids=codec.stop_ids)
        return lamp._replace(policy=replace(lamp.policy, codec=other))

    with pytest.raises(ValueError, match=r"other settings: prompt '[0-9a-f]{16}', now '[0-9a-f]{16}'$"):
        read_with("go left", codec.prompt).branches(4, folder=tmp_path)
    shorter = replace(codec.prompt, context=lamp.policy.context - 1)
    with pytest.raises(ValueError, match=rf"other settings: context {lamp.policy.context}, now"):
        read_with(codec.manual, shorter).branches(4, folder=tmp_path)
    for file in tmp_path.iterdir():
        record = json.loads(file.read_text())
        for name in ("prompt", "context"):
            del record["settings"][name]
        file.write_text(json.dumps(record))
    assert _same(lamp.branches(6, folder=tmp_path), lamp.branches(6))
    assert {"prompt", "context"} <= json.loads(file.read_text())["settings"].keys(), "named once extended"


@pytest.mark.parametrize("content", ["", "{", '{"schema": 1}', '{"schema": 9}'])
def test_a_broken_file_is_named(probe: Callable[[str], Probe], tmp_path: Path, content: str) -> None:
    lamp = probe("lamp")
    lamp.branches(4, folder=tmp_path)
    file = sorted(tmp_path.iterdir())[0]
    file.write_text(content)
    with pytest.raises(ValueError, match=file.name.replace("#", ".")):
        lamp.branches(4, folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("holds", "trajectories"), ("trajectory_id", "z"), ("outcome", 0.5), ("settings", None)],
)
def test_a_file_of_something_else_is_refused(
    probe: Callable[[str], Probe], tmp_path: Path, name: str, value: object
) -> None:
    lamp = probe("lamp")
    lamp.branches(4, folder=tmp_path)
    file = sorted(tmp_path.iterdir())[0]
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    with pytest.raises(ValueError, match="other settings" if name == "settings" else f"{name} is {value!r}"):
        lamp.branches(4, folder=tmp_path)


def test_outcomes_come_in_the_order_of_the_trajectories(probe: Callable[[str], Probe]) -> None:
    fork = probe("fork")
    backwards = fork.trajectories[::-1]
    truths = [outcomes.to_truth() for outcomes in fork._replace(trajectories=backwards).branches(3)]
    assert [truth.trajectory_id for truth in truths] == [trajectory.id for trajectory in backwards]
    assert [truth.branches for truth in truths] == [3, 3]


def test_a_continuation_does_not_depend_on_other_trajectories(probe: Callable[[str], Probe]) -> None:
    fork = probe("fork")
    assert _same(fork.branches(9)[:1], fork._replace(trajectories=fork.trajectories[:1]).branches(9))
    assert not _same(fork.branches(9, rng=random.Random(1)), fork.branches(9))


def test_bad_input_is_refused(probe: Callable[[str], Probe]) -> None:
    fork = probe("fork")
    with pytest.raises(ValueError, match="needs at least 1 branch, got 0"):
        fork.branches(0)
    with pytest.raises(ValueError, match="task 'probe-fork-train-000' is not among 1"):
        fork._replace(tasks=fork.tasks[1:]).branches(2)
    with pytest.raises(ValueError, match="one is there twice"):
        fork._replace(trajectories=fork.trajectories[:1] * 2).branches(2)
    with pytest.raises(ValueError, match="the longest allowed text has"):
        fork._replace(config=replace(fork.config, max_new_tokens=1)).branches(2)
