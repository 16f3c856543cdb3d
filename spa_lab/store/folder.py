"""The files of a run folder by name: run.json, JSON lines, models, checkpoints.

`store.run.Run` adds what they are. The state lives on the disk, so every process that opens the folder sees
the same. One process at a time writes run.json; others may read.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, Self, TypeVar, get_args

from spa_lab.store import lines, records, run_file, schema1
from spa_lab.store.checkpoint import Checkpoint, Shards
from spa_lab.store.contents import CreditRole, Header, Measurement, Result, TrajectoryRole
from spa_lab.store.files import StoreError, disk, remove, replacing, settled, tidy
from spa_lab.store.lines import Record
from spa_lab.store.provenance import git_commit, versions
from spa_lab.store.records import TaskRecord
from spa_lab.types import Credit, Labels, TokenNumbers, Trajectory, ValueTruth

Kind = Literal[
    "trajectories", "credits", "truths", "labels", "tokens", "tasks", "metrics", "results", "imports",
    "models", "checkpoints",
]  # fmt: skip
_FOLDERS = ("models", "checkpoints")
"""Kinds of which an entry is a folder; the others are files of JSON lines."""
_T = TypeVar("_T")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*")


@dataclass(frozen=True)
class RunFolder:
    """One run folder; made by `create` or `open`."""

    path: Path

    @classmethod
    def create(cls, path: Path | str, config: Mapping[str, Any], *, seed: int) -> Self:
        """Start a run, or resume one that was started with the same config and seed.

        Removes what a killed process left half written. A run that is resumed under other versions or another
        commit says so in run.json, under `resumed_with`.

        Args:
            path: the folder; made if missing.
            config: plain JSON values, e.g. `dataclasses.asdict` of the configs.
            seed: the run's seed, >= 0.

        Raises:
            ValueError: the seed is below 0, the run there has another config or seed (names each key and both
                values), its run.json is broken or of another schema, or a config value has no JSON form.
            StoreError: the disk refused, or the folder holds something that is no run.
        """
        if seed < 0:
            raise ValueError(f"seed: expected a whole number >= 0, got {seed}")
        run = cls(Path(path))
        asked = run_file.as_json({"config": config, "seed": seed})
        with disk(run.path, "make the folder"):
            run.path.mkdir(parents=True, exist_ok=True)
        kinds = [run.path / kind for kind in get_args(Kind)]
        for folder in (run.path, *kinds, *run.path.glob("checkpoints/*/"), run.outcomes):
            tidy(folder)
        source = {"git_commit": git_commit(), "versions": versions()}
        if run._file.exists():
            run_file.resume(run._file, asked, source)
        else:
            run_file.start(run._file, asked, source)
        return run

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """A run to read; writes nothing, so the folder may be read-only or in use by another process.

        Raises:
            StoreError: there is no run.json.
            ValueError: run.json is broken or of an unknown schema.
        """
        run = cls(Path(path))
        if not run._file.exists():
            there = run.path.is_dir()
            raise StoreError(run.path, "no run folder: it holds no run.json" if there else "no such folder")
        run_file.read(run._file)
        return run

    @property
    def provenance(self) -> Record:
        """All of run.json: config, seed, versions, commit, device, n, n_seeds, methods, stages."""
        return run_file.read(self._file)

    @property
    def config(self) -> Record:
        """The config that the run was started with; tuples have become lists."""
        return self.provenance["config"]

    @property
    def seed(self) -> int:
        """The seed that the run was started with."""
        return self.provenance["seed"]

    @property
    def methods(self) -> dict[str, str]:
        """Name -> title of the training methods of the run, in its order."""
        facts = self.provenance
        if facts["schema"] == schema1.SCHEMA:
            return schema1.methods_of(facts["config"])
        return {str(name): str(title) for name, title in (facts.get("methods") or {}).items()}

    def note(
        self,
        *,
        device: str | None = None,
        n: int | None = None,
        n_seeds: int | None = None,
        methods: Mapping[str, str] | None = None,
        server: str | None = None,
    ) -> None:
        """Add facts to run.json that are not settings.

        Args:
            device: where the models ran.
            n: number of evaluated tasks.
            n_seeds: number of seeds.
            methods: name -> title of the training methods.
            server: URL of what played instead of the models in our processes.
        """
        facts: Record = {"device": device, "n": n, "n_seeds": n_seeds, "server": server}
        facts["methods"] = methods and dict(methods)
        before = self.provenance
        after = before | {name: fact for name, fact in facts.items() if fact is not None}
        if after != before:
            run_file.write(self._file, after)

    def finished(self, stage: str) -> bool:
        """Whether the stage is finished."""
        return stage in self.provenance["stages"]

    def record(self, stage: str, task: str, seconds: float) -> None:
        """Note the wall time of a finished task of a stage that may go on; kept until `finish`.

        Added to that of a task of the same label: an interrupted stage divides what is left anew.
        """
        _check_name(stage)
        facts = self.provenance
        tasks = facts.setdefault("running", {}).setdefault(stage, {})
        tasks[task] = round(tasks.get(task, 0.0) + seconds, 3)
        run_file.write(self._file, facts)

    def finish(self, stage: str) -> None:
        """Mark a stage as finished; its time is the sum over its tasks, which may have run side by side.

        Of an attempt that was interrupted, cloning, the estimator and training count what led to the last
        checkpoint; explorations and evaluations count nothing.

        Raises:
            ValueError: the stage is finished already.
        """
        _check_name(stage)
        facts = self.provenance
        if stage in facts["stages"]:
            raise ValueError(f"{self._file}: stage {stage!r} is finished already")
        tasks = facts.get("running", {}).pop(stage, {})
        if not facts.get("running", True):
            del facts["running"]
        facts["stages"][stage] = {"seconds": round(sum(tasks.values()), 3), "tasks": tasks}
        run_file.write(self._file, facts)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A stage of one task: marked as finished, with its wall time, only if the block succeeds.

        Raises:
            ValueError: the stage is finished already; ask `finished` first.
        """
        _check_name(name)
        if self.finished(name):
            raise ValueError(f"{self._file}: stage {name!r} is finished already")
        start = perf_counter()
        yield
        self.record(name, name, perf_counter() - start)
        self.finish(name)

    def names(self, kind: Kind) -> list[str]:
        """Names under which something of that kind is saved, sorted."""
        pattern = "*" if kind in _FOLDERS else "*.jsonl"
        entries = sorted(path for path in (self.path / kind).glob(pattern) if not path.name.startswith("."))
        return [entry.name if kind in _FOLDERS else entry.stem for entry in entries]

    def save_trajectories(
        self,
        name: str,
        trajectories: Sequence[Trajectory],
        *,
        role: TrajectoryRole = "episodes",
        policy: str | None = None,
        panel: str | None = None,
    ) -> None:
        """Replace the trajectories saved under `name`.

        Args:
            name: of the file.
            trajectories: N >= 0.
            role: see `TrajectoryRole`.
            policy: who played; the policy that all trajectories name if None.
            panel: the tasks' split; the split that all trajectories name if None.

        Raises:
            ValueError: a duplicate id, or a field has a type that it must not have.
            StoreError: the disk refused; what was saved before is still there. So for every `save_...`.
        """
        records.check_unique([trajectory.id for trajectory in trajectories], "trajectory")
        policy = policy or _common(trajectory.policy for trajectory in trajectories)
        panel = panel or _common(trajectory.split for trajectory in trajectories)
        header = {"role": role, "policy": policy, "panel": panel}
        self._save("trajectories", name, header, map(records.encode_trajectory, trajectories))

    def load_trajectories(self, name: str) -> list[Trajectory]:
        """The trajectories saved under `name`, in their order.

        Raises:
            StoreError: there are none; names those that are there. So for every `load_...`.
            ValueError: naming file and line: truncated or broken, unknown schema, invalid values.
        """
        loaded = self._load("trajectories", name, records.decode_trajectory)
        try:
            records.check_unique([trajectory.id for trajectory in loaded], "trajectory")
        except ValueError as error:
            raise ValueError(f"{self._target('trajectories', name)}: {error}") from None
        return loaded

    def peek_trajectories(self, name: str) -> list[Record]:
        """As `load_trajectories`, but fast: plain JSON objects, see `records.peek_trajectory`."""
        return self._load("trajectories", name, records.peek_trajectory)

    def save_credits(self, name: str, credits: Sequence[Credit], *, role: CreditRole = "given") -> None:
        """Replace the credits saved under `name`."""
        header = {"role": role, "source": _common(credit.source for credit in credits)}
        self._save("credits", name, header, map(records.encode_credit, credits))

    def load_credits(self, name: str) -> list[Credit]:
        """The credits saved under `name`, in their order."""
        return self._load("credits", name, records.decode_credit)

    def save_truths(
        self, name: str, truths: Sequence[ValueTruth], *, measurement: Measurement = "first"
    ) -> None:
        """Replace the measured values saved under `name`."""
        self._save("truths", name, {"measurement": measurement}, map(records.encode_truth, truths))

    def load_truths(self, name: str) -> list[ValueTruth]:
        """The measured values saved under `name`, in their order."""
        return self._load("truths", name, records.decode_truth)

    def save_labels(self, name: str, labels: Sequence[Labels]) -> None:
        """Replace the labels of steps saved under `name`."""
        source = _common(one.source for one in labels)
        self._save("labels", name, {"source": source}, map(records.encode_labels, labels))

    def load_labels(self, name: str) -> list[Labels]:
        """The labels of steps saved under `name`, in their order."""
        return self._load("labels", name, records.decode_labels)

    def save_tokens(self, name: str, tokens: Sequence[TokenNumbers]) -> None:
        """Replace the numbers of tokens saved under `name`."""
        self._save("tokens", name, {}, map(records.encode_tokens, tokens))

    def load_tokens(self, name: str) -> list[TokenNumbers]:
        """The numbers of tokens saved under `name`, in their order."""
        return self._load("tokens", name, records.decode_tokens)

    def save_tasks(self, panel: str, tasks: Sequence[TaskRecord]) -> None:
        """Replace the tasks saved under the name of their panel."""
        self._save("tasks", panel, {"panel": panel}, map(records.encode_task, tasks))

    def save_metrics(
        self,
        name: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        stage: str | None = None,
        method: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Replace the curve saved under `name`: rows of numbers and text; NaN and infinity become None.

        Args:
            name: of the file.
            rows: one per update.
            stage: the training stage; `name` if None.
            method: the training method, where the stage depends on it.
            settings: those of this curve alone, for `Run.check_metrics`; plain JSON values.
        """
        header = {"stage": stage or name, "method": method} | ({"settings": settings} if settings else {})
        self._save("metrics", name, header, map(records.encode_metrics, rows))

    def load_metrics(self, name: str) -> list[Record]:
        """The rows saved under `name`, in their order."""
        return self._load("metrics", name, records.encode_metrics)

    def save_results(
        self, name: str, rows: Sequence[Mapping[str, Any]], *, result: Result = "scoreboard"
    ) -> None:
        """Replace the results saved under `name`: rows of numbers and text, as in `save_metrics`."""
        self._save("results", name, {"result": result}, map(records.encode_metrics, rows))

    @contextmanager
    def saving_model(self, name: str) -> Iterator[Path]:
        """Replace the model saved under `name` by the folder that the block makes at the yielded path."""
        with replacing(self._target("models", name)) as partial_folder:
            yield partial_folder

    def model(self, name: str) -> Path:
        """The folder of the model saved under `name`, to load it from; raises StoreError if there is none."""
        folder = settled(self._target("models", name))
        if not folder.exists():
            raise self._nothing("models", name)
        return folder

    def checkpoint(self, name: str) -> Checkpoint:
        """The state of a long stage that can be resumed; there need not be one yet."""
        return Checkpoint(self._target("checkpoints", name))

    def shards(self, name: str) -> Shards:
        """Finished parts of a set of trajectories; there need not be any yet."""
        return Shards(self._target("checkpoints", name))

    def remove_checkpoints(self, beginnings: tuple[str, ...]) -> None:
        """Delete checkpoints and shards, and what is left half written of them.

        Args:
            beginnings: of the names of those to delete.

        Raises:
            StoreError: the disk refused.
        """
        folder = self.path / "checkpoints"
        with disk(self.path, "remove checkpoints of"):
            for entry in list(folder.glob("*")):
                if entry.name.removeprefix(".").startswith(beginnings):
                    remove(entry)
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    @property
    def outcomes(self) -> Path:
        """Folder of the raw outcomes of branches."""
        return self.path / "outcomes"

    @property
    def _file(self) -> Path:
        return self.path / "run.json"

    def _target(self, kind: Kind, name: str) -> Path:
        _check_name(name)
        return self.path / kind / (name if kind in _FOLDERS else f"{name}.jsonl")

    def _headers(self, kind: Kind) -> list[tuple[str, Header]]:
        """Name and header of every file of a kind; raises ValueError naming file and line."""
        headers = []
        for name in self.names(kind):
            path = self._target(kind, name)
            fields = lines.read_header(path) or schema1.header_of(kind, name)
            headers.append((name, Header(fields, f"{path}, line 1")))
        return headers

    def _save(self, kind: Kind, name: str, header: Record, items: Iterable[Record]) -> None:
        lines.write_lines(self._target(kind, name), {"holds": kind} | header, items)

    def _load(self, kind: Kind, name: str, decode: Callable[[Record], _T], holds: str = "") -> list[_T]:
        path = self._target(kind, name)
        if not path.exists():
            raise self._nothing(kind, name)
        if lines.read_header(path) is None:
            header = schema1.header_of(kind, name)
            return lines.read_lines(path, kind, lambda record: decode(schema1.renamed(record, header)))
        return lines.read_lines(path, holds or kind, decode)

    def _nothing(self, kind: Kind, name: str) -> StoreError:
        names = ", ".join(self.names(kind)) or "none"
        return StoreError(self.path, f"no {kind} called {name!r}; there are: {names}")


def _common(values: Iterable[str]) -> str | None:
    """The value that all share; None without one."""
    different = set(values)
    return different.pop() if len(different) == 1 else None


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"a name holds letters, digits and ._@+- and starts with a letter or digit, got {name!r}"
        )
