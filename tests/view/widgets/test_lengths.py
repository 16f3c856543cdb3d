import json
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from spa_lab.types import Trajectory
from spa_lab.view.tables.evaluation import success_by_length
from spa_lab.view.tables.frames import trajectories_frame
from spa_lab.widgets import LengthView

Press = Callable[..., None]


@pytest.fixture
def frame(make_trajectory: Callable[..., Trajectory]) -> pd.DataFrame:
    """Two policies on the same four tasks, of which the expert's length of three is known."""
    several = [
        replace(make_trajectory(float(i < 3 - j), [True] * (i + 1), id=f"{p}/{i}", task_id=f"k{i}"), policy=p)
        for j, p in enumerate(("<b>spa", "ppo"))
        for i in range(4)
    ]
    return trajectories_frame(several, expert_length={"k0": 2, "k1": 7, "k2": 8})


def test_numbers_are_those_of_the_table(frame: pd.DataFrame, press: Press) -> None:
    view = LengthView(frame)
    known = frame[frame["expert_length"].notna()]
    pd.testing.assert_frame_equal(view.to_frame(), success_by_length(known))
    row = view.to_frame().iloc[1]  # 5-9 steps of the first policy: 2 of 2
    assert (row["k"], row["n"]) == (2, 2)
    cells = [f">{row['success']:.3f}<", f">{row['low']:.3f}<", f">{row['high']:.3f}<"]
    assert all(cell in view.static() for cell in cells)
    assert "Left out: 2 of 8 episodes, whose tasks have no known expert length" in view.note
    assert "<b>spa" not in view.static() and "&lt;b&gt;spa" in view.static()
    press(view, policies=json.dumps(["ppo", "unheard of"]))
    assert view.policies == ["ppo"] and set(view.to_frame()["policy"]) == {"ppo"}
    press(view, policies="[]")
    assert "Select at least one policy" in view.note and view.chart == view.numbers == ""


def test_a_policy_of_unknown_lengths_is_not_taken_for_none(frame: pd.DataFrame, press: Press) -> None:
    unknown = frame["expert_length"].mask(frame["policy"] == "ppo")
    view = LengthView(frame.assign(expert_length=unknown))
    press(view, policies=json.dumps(["ppo"]))
    assert "None of the ticked policies has an episode whose expert length is known." in view.note
    assert "Select" not in view.note and view.chart == view.numbers == ""
    press(view, by="n_steps")
    assert view.chart and "None of" not in view.note


def test_bins_of_episodes_carry_their_warning(frame: pd.DataFrame, press: Press) -> None:
    view = LengthView(frame)
    assert "By episode length." not in view.note
    press(view, by="n_steps")
    assert "By episode length." in view.note and "This length is a result" in view.note
    assert "Left out" not in view.note
    assert not re.search(r'value="n_steps" selected', LengthView(frame).controls)


def test_several_trainings_are_pooled_over_seeds_and_tasks(frame: pd.DataFrame, press: Press) -> None:
    """The choice of policies moves no number, and episodes of other tasks share no bin."""
    known = frame[frame["expert_length"].notna()]
    other = known.assign(success=~known["success"], trajectory_id=known["trajectory_id"] + "/1", run_seed=1)
    several = pd.concat([known.assign(run_seed=0), other])
    with pytest.raises(ValueError, match=r"'<b>spa' has 2 training runs: pass rng"):
        LengthView(several)
    view = LengthView(several, rng=np.random.default_rng(0))
    whole = success_by_length(several, rng=np.random.default_rng(0))
    pd.testing.assert_frame_equal(view.to_frame(), whole)
    assert view.to_frame()["n_seeds"].max() == 2 and "over tasks and 2 seeds" in view.chart.replace(
        "<br>", " "
    )
    press(view, policies=json.dumps(["ppo"]))
    subset = whole[whole["policy"] == "ppo"].reset_index(drop=True)
    pd.testing.assert_frame_equal(view.to_frame(), subset)
    assert "the episode itself" not in view.controls
    press(view, by="n_steps")
    assert view.by == "expert_length"
    with pytest.raises(ValueError, match="each of 2 training runs"):
        LengthView(several.assign(expert_length=pd.Series([pd.NA] * len(several), dtype="Int64")))


def test_without_an_expert_only_episodes_have_a_length(frame: pd.DataFrame) -> None:
    view = LengthView(frame.assign(expert_length=pd.Series([pd.NA] * len(frame), dtype="Int64")))
    assert view.by == "n_steps" and "expert" not in view.controls
    with pytest.raises(ValueError, match="no rows"):
        LengthView(frame.iloc[:0])
