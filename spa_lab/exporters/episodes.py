"""One episode of a run with everything that the run holds of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from spa_lab.advantages import discounted_sums
from spa_lab.store import Run
from spa_lab.store.records import encode_labels, encode_trajectory
from spa_lab.types import Credit, Labels, TokenNumbers, Trajectory, ValueTruth, check_credit_of

Record = dict[str, Any]
VERSION = 1
"""Of the part of a record that only this package reads."""


@dataclass(frozen=True)
class Episode:
    """A trajectory, and what is known of its steps.

    Invariant: all of it is of the same number of steps.
    """

    trajectory: Trajectory
    credits: Mapping[str, Credit] = field(default_factory=dict)
    """Source -> credit."""
    truth: ValueTruth | None = None
    labels: tuple[Labels, ...] = ()
    tokens: tuple[TokenNumbers, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the log that it was read from."""

    def __post_init__(self) -> None:
        for credit in self.credits.values():
            check_credit_of(self.trajectory, credit)
        n, key = len(self.trajectory), self.trajectory.id
        numbers = [(f"labels by {one.source!r}", len(one)) for one in self.labels]
        numbers += [(f"{one.name} of the tokens", len(one)) for one in self.tokens]
        numbers += [("measured values", len(self.truth.progress))] if self.truth is not None else []
        for what, length in numbers:
            if length != n:
                raise ValueError(f"{what} of {key!r}: of {length} steps, the trajectory has {n}")

    def step_numbers(self, decay: float = 1.0) -> list[Record]:
        """One object for every step, for readers of other tools; what nobody knows is null or missing.

        grounded: g_t. contributions: source -> c_t. advantages: source -> sum_k decay^(k-t) c_k over the
        steps k >= t: GAE with a critic of 0 and decay = gamma * lambda. progress, value: measured Delta_t and
        V(h_t). labels: labeller -> number.

        Args:
            decay: gamma * lambda per step, in [0, 1].
        """
        ahead = {name: discounted_sums(one.contributions, decay) for name, one in self.credits.items()}
        numbers = []
        for t, step in enumerate(self.trajectory.steps):
            row: Record = {"grounded": step.grounded}
            if self.credits:
                row["contributions"] = {name: float(c.contributions[t]) for name, c in self.credits.items()}
                row["advantages"] = {name: float(values[t]) for name, values in ahead.items()}
            if self.truth is not None:
                row |= {"progress": float(self.truth.progress[t]), "value": float(self.truth.values[t])}
            given = [(one.source, encode_labels(one)["values"][t]) for one in self.labels]
            if given:
                row["labels"] = {source: value for source, value in given if value is not None}
            numbers.append(row)
        return numbers

    def extension(self) -> Record:
        """All that the texts of the steps do not say, exactly, as a row of `importers.steps` without them."""
        row = encode_trajectory(self.trajectory)
        # of an outcome of 0 or 1 a reader would infer the success, if it were left out
        row = {name: value for name, value in row.items() if value is not None or name == "success"}
        row["steps"] = [self._step(t, step) for t, step in enumerate(row["steps"])]
        credits = self.credits.values()
        row["credits"] = {one.source: one.contributions.tolist() for one in credits}
        row["base_values"] = {one.source: float(one.base_value) for one in credits}
        row["standard_errors"] = {
            one.source: one.standard_error.tolist() for one in credits if one.standard_error is not None
        }
        row["labels"] = {one.source: encode_labels(one)["values"] for one in self.labels}
        if self.truth is not None:
            row["truth"] = {
                "values": self.truth.values.tolist(),
                "standard_error": self.truth.standard_error.tolist(),
                "branches": self.truth.branches,
                "policy": self.truth.policy,
                "step_cap": self.truth.step_cap,
            }
        row["meta"] = dict(self.meta)
        return {"version": VERSION} | {name: value for name, value in row.items() if value != {}}

    def _step(self, t: int, step: Record) -> Record:
        plain = {name: step[name] for name in ("thought", "action", "grounded") if step[name] is not None}
        numbers = {one.name: one.numbers[t].tolist() for one in self.tokens if len(one.numbers[t])}
        if numbers:
            plain["token_numbers"] = numbers
        texts = next((one.texts[t] for one in self.tokens if one.texts is not None and one.texts[t]), None)
        return plain | ({"tokens": list(texts)} if texts else {})


def episodes_of(run: Run, names: tuple[str, ...] = ()) -> Iterator[Episode]:
    """The episodes of a run, file by file.

    Args:
        run: the run.
        names: of files of trajectories; all if empty.

    Raises:
        StoreError: there is no such file.
        ValueError: a file is broken (names file and line), or holds numbers of another number of steps, as
            after a log was read again.
    """
    credits, truths = run.credits(), run.truth()
    labels: dict[str, list[Labels]] = {}
    for labelled in run.labels():
        labels.setdefault(labelled.trajectory_id, []).append(labelled)
    tokens: dict[str, list[TokenNumbers]] = {}
    for numbers in run.tokens():
        tokens.setdefault(numbers.trajectory_id, []).append(numbers)
    for name in names or run.names("trajectories"):
        meta = run.load_import(name)[1] if name in run.names("imports") else {}
        for trajectory in run.load_trajectories(name):
            key = trajectory.id
            yield Episode(
                trajectory,
                {source: by_id[key] for source, by_id in credits.items() if key in by_id},
                truths.get(key),
                tuple(labels.get(key, ())),
                tuple(tokens.get(key, ())),
                meta.get(key, {}),
            )
