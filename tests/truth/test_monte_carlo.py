"""Monte Carlo truth against exact truth on every probe; measurements that are stopped, resumed, extended."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from spa_lab.agent.rollout import Policy
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.probe_rules import PROBES
from spa_lab.envs.probes import probe_environment
from spa_lab.react import write
from spa_lab.truth.exact import exact_values, lm_action_probs, play
from spa_lab.truth.monte_carlo import Budget, branch_outcomes
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import FloatArray, Trajectory

NAMES = sorted(PROBES)


class Known(NamedTuple):
    """A probe, a small language model that plays it, two of its episodes and their exact values."""

    environment: Environment
    policy: Policy
    menu: AllowedTexts
    tasks: list[Task]
    trajectories: list[Trajectory]
    values: list[FloatArray]
    config: RolloutConfig

    def branches(self, n: int | Budget, **options: object) -> list[BranchOutcomes]:
        """n branches from each history; the seed is 0 unless `options` say otherwise."""
        chosen = {"branches": n, "rng": random.Random(0), "menu": self.menu} | options
        return branch_outcomes(
            self.policy, self.environment, self.trajectories, self.tasks, self.config, **chosen
        )  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def known(make_policy: Callable[..., Policy]) -> Callable[[str], Known]:
    """Probe -> what is known of it; worked out once."""
    found: dict[str, Known] = {}

    def of(name: str) -> Known:
        if name not in found:
            found[name] = _known(name, make_policy)
        return found[name]

    return of


def _known(name: str, make_policy: Callable[..., Policy]) -> Known:
    environment, probe = probe_environment(name), PROBES[name]
    if name == "corridor":  # 2^10 histories are a lot for one test
        environment = replace(environment, step_limit=9)
    texts = [write("", action) for action in probe.actions]
    tasks = list(environment.tasks("train", 2))
    said = [probe.opening(task.payload) for task in tasks]
    policy = make_policy("Action:", *texts, *(text for pair in said for text in pair), spread=0.1, seed=4)
    menu = AllowedTexts.of(texts, policy.codec)
    chances = lm_action_probs(policy, menu, temperature=0.7)
    trajectories = [
        play(chances, environment, task, texts, policy="tiny", seed=seed) for seed, task in enumerate(tasks)
    ]
    exact = exact_values(chances, environment, trajectories, tasks, texts, policy="tiny")
    config = RolloutConfig(temperature=0.7, max_new_tokens=menu.longest, parallel=1024)
    return Known(environment, policy, menu, tasks, trajectories, [one.values for one in exact], config)


@pytest.mark.parametrize("name", NAMES)
def test_monte_carlo_agrees_with_exact_values(known: Callable[[str], Known], name: str) -> None:
    it = known(name)
    for one, values in zip(it.branches(400), it.values, strict=True):
        assert (np.abs(one.values - values) <= 4 * one.standard_error + 1e-12).all()
        assert one.values[-1] == values[-1]


def test_intervals_cover_and_errors_fall_as_one_over_root_n(known: Callable[[str], Known]) -> None:
    """Over blocks of one measurement, for histories whose outcome is open."""
    errors: dict[int, list[float]] = {25: [], 100: [], 400: []}
    covered, scaled = [], []
    for name in ("fork", "distractor", "lamp", "key"):
        it = known(name)
        for one, values in zip(it.branches(1600, rng=random.Random(1)), it.values, strict=True):
            unsure = np.flatnonzero(np.abs(values - 0.5) < 0.45)
            for n, found in errors.items():
                for i in range(0, 1600, n):
                    block = replace(one, outcomes=tuple(x[i : i + n] for x in one.outcomes))
                    off = (block.values - values)[unsure]
                    found += off.tolist()
                    scaled += (off / block.standard_error[unsure]).tolist() if n == 100 else []
                    low, high = block.interval()[unsure].T
                    covered += ((low <= values[unsure]) & (values[unsure] <= high)).tolist()
    rms = {n: float(np.sqrt(np.mean(np.square(found)))) for n, found in errors.items()}
    assert rms[25] / rms[100] == pytest.approx(2, rel=0.15)
    assert rms[100] / rms[400] == pytest.approx(2, rel=0.25)
    assert 0.92 <= np.mean(covered) <= 0.98
    assert np.sqrt(np.mean(np.square(scaled))) == pytest.approx(1, abs=0.15), "errors say how far off it is"


def test_common_numbers_leave_values_alone_and_make_progress_surer(known: Callable[[str], Known]) -> None:
    it = known("key")
    common, independent = it.branches(300, common=True)[1], it.branches(300)[1]
    values = it.values[1]
    assert (np.abs(common.values - values) <= 4 * common.standard_error + 1e-12).all()
    assert (np.abs(common.progress - np.diff(values)) <= 4 * common.progress_error + 1e-12).all()
    assert common.progress_error.sum() < 0.95 * independent.progress_error.sum()


class _Killed(Exception):
    pass


def _same(one: list[BranchOutcomes], other: list[BranchOutcomes]) -> bool:
    return all(
        np.array_equal(a, b)
        for x, y in zip(one, other, strict=True)
        for a, b in zip(x.outcomes, y.outcomes, strict=True)
    )


def test_a_killed_measurement_goes_on_where_it_was(known: Callable[[str], Known], tmp_path: Path) -> None:
    it = known("lamp")
    whole = it.branches(40)

    def kill(outcomes: BranchOutcomes) -> None:
        raise _Killed

    with pytest.raises(_Killed):
        it.branches(40, folder=tmp_path, on_trajectory=kill)
    (file,) = tmp_path.iterdir()
    before = file.read_bytes()
    played: list[str] = []
    resumed = it.branches(40, folder=tmp_path, on_trajectory=lambda one: played.append(one.trajectory_id))
    assert _same(resumed, whole)
    assert len(played) == 1
    assert file.read_bytes() == before
    assert _same(it.branches(40, folder=tmp_path, rng=random.Random(9)), whole), "what is there is not played"


def test_more_branches_are_added_to_a_finished_measurement(
    known: Callable[[str], Known], tmp_path: Path
) -> None:
    it = known("lamp")
    it.branches(10, folder=tmp_path)
    assert _same(it.branches(25, folder=tmp_path, rng=random.Random(9)), it.branches(25))
    assert [one.counts.min() for one in it.branches(5, folder=tmp_path)] == [25, 25]


def test_measurements_of_different_things_are_not_mixed(
    known: Callable[[str], Known], tmp_path: Path
) -> None:
    it = known("lamp")
    it.branches(4, folder=tmp_path)
    with pytest.raises(ValueError, match=r"measured with other settings: temperature 0.7, now 0.5"):
        it._replace(config=replace(it.config, temperature=0.5)).branches(4, folder=tmp_path)
    with pytest.raises(ValueError, match=r"other settings: menu \["):
        it.branches(4, folder=tmp_path, menu=None)
    with pytest.raises(ValueError, match=r"other settings: policy 'tiny', now 'new'"):
        it._replace(policy=replace(it.policy, name="new")).branches(4, folder=tmp_path)
    with pytest.raises(ValueError, match=r"are \(5, False\), asked \(5, True\)"):
        it.branches(4, folder=tmp_path, common=True)
    changed = [replace(one, steps=(replace(one.steps[0], text="Action: else"),)) for one in it.trajectories]
    with pytest.raises(ValueError, match="other settings: text"):
        it._replace(trajectories=changed).branches(4, folder=tmp_path)


def test_a_retrained_policy_of_the_same_name_is_another(
    known: Callable[[str], Known], make_policy: Callable[..., Policy], tmp_path: Path
) -> None:
    it = known("lamp")
    it.branches(4, folder=tmp_path)
    weight = it.policy.model.get_output_embeddings().weight
    kept = weight.data.clone()
    try:
        weight.data += 0.001
        with pytest.raises(ValueError, match="other settings: weights"):
            it.branches(4, folder=tmp_path)
    finally:
        weight.data = kept


@pytest.mark.parametrize("content", ["", "{", '{"schema": 1}', '{"schema": 9}'])
def test_a_broken_file_is_named(known: Callable[[str], Known], tmp_path: Path, content: str) -> None:
    it = known("lamp")
    it.branches(4, folder=tmp_path)
    file = sorted(tmp_path.iterdir())[0]
    file.write_text(content)
    with pytest.raises(ValueError, match=file.name.replace("#", ".")):
        it.branches(4, folder=tmp_path)


def test_a_budget_is_kept_and_spent_where_outcomes_are_open(known: Callable[[str], Known]) -> None:
    it = known("key")
    n = sum(map(len, it.trajectories))
    found = it.branches(Budget(100 * n))
    assert sum(int(one.counts.sum()) for one in found) == 100 * n
    counts = np.concatenate([one.counts for one in found])
    spread = np.concatenate([values[:-1] * (1 - values[:-1]) for values in it.values])
    assert counts[spread > 0.1].mean() > 2 * counts[spread == 0].mean()
    for one, values in zip(found, it.values, strict=True):
        assert (np.abs(one.values - values) <= 4 * one.standard_error + 1e-12).all()
    even = it.branches(100)
    assert sum((one.progress_error**2).sum() for one in found) < sum(
        (one.progress_error**2).sum() for one in even
    )
    with pytest.raises(ValueError, match=f"of {n} histories need a budget of {16 * n}, got 3"):
        it.branches(Budget(3))
    for bad in ({"first": 1}, {"rounds": 0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            Budget(100, **bad)


def test_truths_come_in_the_order_of_the_trajectories(known: Callable[[str], Known]) -> None:
    it = known("fork")
    outcomes = it._replace(trajectories=it.trajectories[::-1]).branches(3)
    found = [one.to_truth() for one in outcomes]
    assert [one.trajectory_id for one in found] == [one.id for one in it.trajectories[::-1]]
    assert [one.branches for one in found] == [3, 3]


def test_a_branch_does_not_depend_on_other_trajectories(known: Callable[[str], Known]) -> None:
    it = known("fork")
    assert _same(it.branches(9)[:1], it._replace(trajectories=it.trajectories[:1]).branches(9))
    assert not _same(it.branches(9, rng=random.Random(1)), it.branches(9))


def test_bad_input_is_refused(known: Callable[[str], Known]) -> None:
    it = known("fork")
    with pytest.raises(ValueError, match="needs at least 1 branch, got 0"):
        it.branches(0)
    with pytest.raises(ValueError, match="task 'probe-fork-train-000' is not among 1"):
        it._replace(tasks=it.tasks[1:]).branches(2)
    with pytest.raises(ValueError, match="one is there twice"):
        it._replace(trajectories=it.trajectories[:1] * 2).branches(2)
    with pytest.raises(ValueError, match="the menu's longest text has"):
        it._replace(config=replace(it.config, max_new_tokens=1)).branches(2)
