"""Whether credits, truths, labels and numbers of tokens fit the trajectories that they are about."""

from collections.abc import Sequence

from spa_lab.types import Credit, Labels, TokenNumbers, Trajectory, ValueTruth


def check_match(
    trajectories: Sequence[Trajectory],
    credits: Sequence[Credit],
    truths: Sequence[ValueTruth] = (),
    labels: Sequence[Labels] = (),
    tokens: Sequence[TokenNumbers] = (),
) -> None:
    """Check that each belongs to one of the trajectories, has a value for every step, and is there once.

    Trajectories of one id are allowed only if nothing has to be matched to them.

    Raises:
        ValueError: naming what and whose, and both lengths where they differ.
    """
    given = [(f"credit of {o.trajectory_id!r} by {o.source!r}", o.trajectory_id, len(o)) for o in credits]
    given += [(f"truth of {o.trajectory_id!r}", o.trajectory_id, len(o.progress)) for o in truths]
    given += [(f"labels of {o.trajectory_id!r} by {o.source!r}", o.trajectory_id, len(o)) for o in labels]
    given += [(f"{o.name} of the tokens of {o.trajectory_id!r}", o.trajectory_id, len(o)) for o in tokens]
    lengths: dict[str, int] = {}
    for trajectory in trajectories:
        if trajectory.id in lengths and given:
            raise ValueError(f"duplicate trajectory id {trajectory.id!r}: credits cannot be matched")
        lengths[trajectory.id] = len(trajectory)
    seen: set[str] = set()
    for what, owner, length in given:
        if owner not in lengths:
            raise ValueError(f"{what}: that trajectory is not among the {len(lengths)} given")
        if length != lengths[owner]:
            raise ValueError(f"{what} has {length} steps, the trajectory has {lengths[owner]}")
        if what in seen:
            raise ValueError(f"duplicate {what}")
        seen.add(what)
