"""A run folder: a typed record of what was asked, what came out, and where it comes from.

    run.json                    config, seed, versions, commit, device, n, methods, seconds of the stages
    trajectories/NAME.jsonl     one trajectory a line, after a header with role, policy and panel
    credits/, truths/           alike: role and source; first or second measurement
    tasks/PANEL.jsonl           kind and expert length of every task that was played
    metrics/NAME.jsonl          curves of training stages, nothing else
    results/NAME.jsonl          scoreboards and costs
    labels/NAME.jsonl           what people or judges say of steps
    tokens/NAME.jsonl           log-probabilities and advantages per token, of a log
    tokens/explore.jsonl        ids that explorations were sampled as, see `pipeline.sampled_tokens`
    imports/NAME.jsonl          ledger of an import, and fields of the log that have no place elsewhere
    models/NAME/                what the model's own library writes
    outcomes/                   raw outcomes of branches, see `spa_lab.truth.outcome_files`
    summary.json                success of every policy and the other numbers of the report
    deliveries.json             rows of metrics that trackers have received
    checkpoints/NAME/           work in progress, see `spa_lab.store.checkpoint`

Names are addresses: what a file holds is in its header.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

from spa_lab.store import lines, records, run_file
from spa_lab.store.contents import (
    CreditRole,
    CreditSet,
    Curve,
    Measurement,
    Result,
    ResultSet,
    TrajectoryRole,
    TrajectorySet,
    TruthSet,
)
from spa_lab.store.files import read_text
from spa_lab.store.folder import Kind, RunFolder
from spa_lab.store.lines import Record, parse
from spa_lab.store.records import TaskRecord
from spa_lab.types import Credit, Labels, TokenNumbers, ValueTruth

SUMMARY = "summary.json"
SAMPLED = "explore"
"""Name, in `tokens/`, of what is no numbers of tokens but the tokens themselves."""


@dataclass(frozen=True)
class Run(RunFolder):
    """One run folder; made by `Run.create` or `Run.open`."""

    def trajectory_sets(self) -> list[TrajectorySet]:
        """All files of trajectories, by name; their content is read when asked.

        Raises:
            ValueError: a file without a valid header (names file and line). So for the other listings.
        """
        return [
            TrajectorySet(
                name, header.choice("role", TrajectoryRole), header.text("policy"),
                header.text("panel"),
                partial(self.load_trajectories, name), partial(self.peek_trajectories, name),
            )
            for name, header in self._headers("trajectories")
        ]  # fmt: skip

    def credit_sets(self) -> list[CreditSet]:
        """All files of credits, by role ("given", "evaluation", "held_out", "scored") and name."""
        sets = [
            CreditSet(
                name,
                header.choice("role", CreditRole),
                header.text("source"),
                partial(self.load_credits, name),
            )
            for name, header in self._headers("credits")
        ]
        return sorted(sets, key=lambda credit_set: get_args(CreditRole).index(credit_set.role))

    def credits(self, role: CreditRole | None = None) -> dict[str, dict[str, Credit]]:
        """Source -> trajectory id -> credit; see `CreditRole` for duplicates.

        Args:
            role: of the files to read; all files if None.
        """
        by_source: dict[str, dict[str, Credit]] = {}
        for credit_set in self.credit_sets():
            if role in (None, credit_set.role):
                for credit in credit_set.load():
                    by_source.setdefault(credit.source, {})[credit.trajectory_id] = credit
        return by_source

    def truth_sets(self) -> list[TruthSet]:
        """All files of measured values, by name."""
        return [
            TruthSet(name, header.choice("measurement", Measurement), partial(self.load_truths, name))
            for name, header in self._headers("truths")
        ]

    def truth(self) -> dict[str, ValueTruth]:
        """Trajectory id -> measured values; empty if nothing was measured."""
        return self._measured("first")

    def second_truth(self) -> dict[str, ValueTruth]:
        """Trajectory id -> an independent repetition of the measurement; empty without one."""
        return self._measured("second")

    def labels(self) -> list[Labels]:
        """All labels of steps, by name of their file."""
        return [one for name in self.names("labels") for one in self.load_labels(name)]

    def tokens(self) -> list[TokenNumbers]:
        """All numbers of tokens, by name of their file; not the tokens that explorations were sampled as."""
        names = [name for name in self.names("tokens") if name != SAMPLED]
        return [one for name in names for one in self.load_tokens(name)]

    def tasks(self) -> dict[str, TaskRecord]:
        """Task id -> what is known of the task, for all tasks that were played; empty in runs of schema 1."""
        panels = [self._load("tasks", name, records.decode_task) for name in self.names("tasks")]
        return {task.id: task for panel in panels for task in panel}

    def save_import(
        self, name: str, ledger: Mapping[str, Any], meta: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Replace the account of an import saved under `name`.

        Args:
            name: of the file; that of the trajectories that came in.
            ledger: what came in and what did not, plain JSON values.
            meta: trajectory id -> fields of the log that have no place in a trajectory.
        """
        rows = [records.encode_meta({"trajectory_id": key, "meta": fields}) for key, fields in meta.items()]
        self._save("imports", name, {"ledger": records.encode_meta(ledger)}, rows)

    def load_import(self, name: str) -> tuple[Record, dict[str, Record]]:
        """The ledger and the meta saved under `name`."""
        rows = self._load("imports", name, records.encode_meta)
        header = lines.read_header(self._target("imports", name)) or {}
        return header["ledger"], {row["trajectory_id"]: row["meta"] for row in rows}

    def check_metrics(self, name: str, settings: Mapping[str, Any]) -> None:
        """Check that the curve saved under `name` was made with these settings; one that has none may be.

        Raises:
            ValueError: it was made with others (names each key and both values).
        """
        path = self._target("metrics", name)
        stored = (lines.read_header(path) or {}).get("settings")
        if stored is not None and (differ := run_file.differences(stored, settings)):
            raise ValueError(f"{path}: made with other settings: {'; '.join(differ)}")

    def curves(self) -> list[Curve]:
        """Metrics of the training stages, by name."""
        return [
            Curve(name, header.text("stage") or name, header.text("method"), self.load_metrics(name))
            for name, header in self._headers("metrics")
            if header.holds == "metrics"
        ]

    def result_sets(self) -> list[ResultSet]:
        """All files of results, by name."""
        # schema 1 kept results among the metrics; a scoreboard that was made again replaces them
        kind: Kind = "results" if self.names("results") else "metrics"
        return [
            ResultSet(
                name,
                header.choice("result", Result),
                partial(self._load, kind, name, records.encode_metrics, "results"),
            )
            for name, header in self._headers(kind)
            if header.holds == "results"
        ]

    def results(self, result: Result) -> list[Record] | None:
        """Rows of all results of one kind; None if there are none."""
        sets = [result_set for result_set in self.result_sets() if result_set.result == result]
        return [row for result_set in sets for row in result_set.load()] if sets else None

    def summary(self) -> Record | None:
        """The numbers of the report, see `pipeline.report.summarise`; None before there is one.

        Raises:
            StoreError: it cannot be read.
            ValueError: it is not JSON; the message names the file.
        """
        file = self.path / SUMMARY
        return parse(read_text(file), str(file)) if file.exists() else None

    def _measured(self, measurement: Measurement) -> dict[str, ValueTruth]:
        """Of two files that measured one trajectory, the first by name counts."""
        files = [truth_set for truth_set in self.truth_sets() if truth_set.measurement == measurement]
        return {truth.trajectory_id: truth for truth_set in reversed(files) for truth in truth_set.load()}
