from collections.abc import Callable
from dataclasses import replace

from spa_lab.types import Trajectory
from spa_lab.view.tables.parting import comparison_table, first_difference


def test_where_two_episodes_part(make_trajectory: Callable[..., Trajectory]) -> None:
    left = make_trajectory(1.0, [True] * 4)
    other = replace(left.steps[2], action="another")
    right = replace(left, steps=(left.steps[0], replace(left.steps[1], action=" act  1 "), other))
    assert first_difference(left, left) is None
    assert first_difference(left, right) == 2
    assert first_difference(left, replace(left, steps=left.steps[:3])) == 3, "only one goes on"
    table = comparison_table(left, right)
    assert table["same_action"].tolist() == [True, True, False, False]
    assert table["same_reply"].tolist() == [True, True, True, False]
    assert table["parted"].tolist() == [False, False, True, True]
    assert table["right"].tolist()[-2:] == ["another", None]
