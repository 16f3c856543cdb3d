"""A run folder: what was asked (config, seed), what came out, where it comes from, and what is done.

    run.json                    config, seed, versions, commit, device, n, seconds of every finished stage
    trajectories/NAME.jsonl     one trajectory a line; credits/, truths/ and metrics/ alike
    models/NAME/                what the model's own library writes

The state lives on the disk, not in the object: everybody who opens the folder sees the same. One process
writes at a time; others may look.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, TypeVar, get_args

from spa_lab.store import records
from spa_lab.store.files import StoreError, disk, read_text, replacing, settled, tidy, write_text
from spa_lab.store.provenance import git_commit, versions
from spa_lab.store.records import SCHEMA, Record
from spa_lab.types import Credit, Trajectory, ValueTruth

Kind = Literal["trajectories", "credits", "truths", "metrics", "models"]
_T = TypeVar("_T")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*")
_FIELDS = {"config": dict, "seed": int, "stages": dict}
"""What must be in run.json for the run to be taken up again."""


@dataclass(frozen=True)
class Run:
    """One run folder; made by `Run.create` or `Run.open`."""

    path: Path

    @classmethod
    def create(cls, path: Path | str, config: Mapping[str, Any], *, seed: int) -> "Run":
        """Begin a run, or take up one that was begun with the same config and seed.

        Removes what a killed process left half written. A run that goes on under other versions or
        another commit says so in run.json, under `resumed_with`.

        Args:
            path: the folder; made if missing.
            config: plain JSON values, e.g. `dataclasses.asdict` of the configs.
            seed: the run's seed.

        Raises:
            ValueError: the run there has another config or seed (names each key and both values), its
                run.json is broken or of an unknown schema, or a config value has no JSON form.
            StoreError: the disk refused, or the folder holds something that is no run.
        """
        run = cls(Path(path))
        asked = _as_json({"config": config, "seed": seed})
        with disk(run.path, "make the folder"):
            run.path.mkdir(parents=True, exist_ok=True)
        for folder in (run.path, *(run.path / kind for kind in get_args(Kind))):
            tidy(folder)
        source = {"git_commit": git_commit(), "versions": versions()}
        if run._file.exists():
            run._take_up(asked, source)
        else:
            run._begin(asked, source)
        return run

    @classmethod
    def open(cls, path: Path | str) -> "Run":
        """A run to look at; writes nothing, so the folder may be read-only or still be at work.

        Raises:
            StoreError: there is no run.json.
            ValueError: run.json is broken or of an unknown schema.
        """
        run = cls(Path(path))
        if not run._file.exists():
            raise StoreError(run.path, "no run folder: it holds no run.json")
        run._read()
        return run

    @property
    def provenance(self) -> Record:
        """All of run.json: config, seed, versions, commit, device, n, n_seeds, stages."""
        return self._read()

    @property
    def config(self) -> Record:
        """The config that the run was begun with; tuples have become lists."""
        return self._read()["config"]

    @property
    def seed(self) -> int:
        """The seed that the run was begun with."""
        return self._read()["seed"]

    def note(self, *, device: str | None = None, n: int | None = None, n_seeds: int | None = None) -> None:
        """Write down what is known only later: device, number of evaluated tasks, number of seeds."""
        facts = {"device": device, "n": n, "n_seeds": n_seeds}
        self._write(self._read() | {name: fact for name, fact in facts.items() if fact is not None})

    def finished(self, stage: str) -> bool:
        """Whether the stage was gone through to its end."""
        return stage in self._read()["stages"]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Do a stage: marked as finished, with its wall time in seconds, only if the block succeeds.

        The time of attempts that were interrupted is not in it.

        Raises:
            ValueError: the stage is finished already; ask `finished` first.
        """
        _check_name(name)
        if self.finished(name):
            raise ValueError(f"{self._file}: stage {name!r} is finished already")
        start = perf_counter()
        yield
        facts = self._read()
        facts["stages"][name] = {"seconds": round(perf_counter() - start, 3)}
        self._write(facts)

    def names(self, kind: Kind) -> list[str]:
        """Names under which something of that kind is saved, sorted."""
        entries = _visible(self.path / kind)
        return [entry.name if kind == "models" else entry.stem for entry in entries]

    def save_trajectories(self, name: str, trajectories: Sequence[Trajectory]) -> None:
        """Replace the trajectories saved under `name`.

        Raises:
            ValueError: an id is there twice, or a field has a type that it must not have.
            StoreError: the disk refused; what was saved before is still there. So for every `save_...`.
        """
        records.check_unique([trajectory.id for trajectory in trajectories], "trajectory")
        self._save("trajectories", name, map(records.encode_trajectory, trajectories))

    def load_trajectories(self, name: str) -> list[Trajectory]:
        """The trajectories saved under `name`, in their order.

        Raises:
            StoreError: there are none; names those that are there. So for every `load_...`.
            ValueError: naming file and line: truncated or broken, unknown schema, invalid values.
        """
        return self._load("trajectories", name, records.decode_trajectory)

    def peek_trajectories(self, name: str) -> list[Record]:
        """As `load_trajectories`, but quick: plain JSON objects, see `records.peek_trajectory`."""
        return self._load("trajectories", name, records.peek_trajectory)

    def save_credits(self, name: str, credits: Sequence[Credit]) -> None:
        """Replace the credits saved under `name`."""
        self._save("credits", name, map(records.encode_credit, credits))

    def load_credits(self, name: str) -> list[Credit]:
        """The credits saved under `name`, in their order."""
        return self._load("credits", name, records.decode_credit)

    def save_truths(self, name: str, truths: Sequence[ValueTruth]) -> None:
        """Replace the truths saved under `name`."""
        self._save("truths", name, map(records.encode_truth, truths))

    def load_truths(self, name: str) -> list[ValueTruth]:
        """The truths saved under `name`, in their order."""
        return self._load("truths", name, records.decode_truth)

    def save_metrics(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace the metrics saved under `name`: rows of numbers and text; NaN and infinity become None."""
        self._save("metrics", name, map(records.encode_metrics, rows))

    def load_metrics(self, name: str) -> list[Record]:
        """The rows saved under `name`, in their order."""
        return self._load("metrics", name, records.encode_metrics)

    @contextmanager
    def saving_model(self, name: str) -> Iterator[Path]:
        """Replace the model saved under `name` by the folder that the block makes at the yielded path."""
        with replacing(self._target("models", name)) as partial:
            yield partial

    def model(self, name: str) -> Path:
        """The folder of the model saved under `name`, to load it from; raises StoreError if there is none."""
        folder = settled(self._target("models", name))
        if not folder.exists():
            raise self._nothing("models", name)
        return folder

    @property
    def _file(self) -> Path:
        return self.path / "run.json"

    def _begin(self, asked: Record, source: Record) -> None:
        if others := [entry.name for entry in _visible(self.path)]:
            raise StoreError(
                self.path, f"holds {', '.join(others[:3])} but no run.json; choose another folder"
            )
        begun = {"begun": datetime.now(UTC).isoformat(timespec="seconds")}
        self._write(asked | {"device": None, "n": None, "n_seeds": 1} | begun | source | {"stages": {}})

    def _take_up(self, asked: Record, source: Record) -> None:
        facts = self._read()
        there, wanted = _settings(facts), _settings(asked)
        both = [
            f"{key} is {_shown(there, key)}, asked {_shown(wanted, key)}"
            for key in there | wanted
            if key not in there or key not in wanted or there[key] != wanted[key]
        ]
        if both:
            raise ValueError(f"{self._file}: begun with other settings: {'; '.join(both)}")
        sources = [{key: facts.get(key) for key in source}, *facts.get("resumed_with", [])]
        if source != sources[-1]:
            self._write(facts | {"resumed_with": [*sources[1:], source]})

    def _read(self) -> Record:
        facts = records.load(read_text(self._file), str(self._file))
        for name, kind in _FIELDS.items():
            if not isinstance(facts.get(name), kind):
                raise ValueError(
                    f"{self._file}: {name!r} must be a {kind.__name__}, found {facts.get(name)!r:.60}"
                )
        return facts

    def _write(self, facts: Record) -> None:
        write_text(self._file, records.dump(facts, indent=2) + "\n")

    def _target(self, kind: Kind, name: str) -> Path:
        _check_name(name)
        return self.path / kind / (name if kind == "models" else f"{name}.jsonl")

    def _save(self, kind: Kind, name: str, lines: Iterable[Record]) -> None:
        records.write_lines(self._target(kind, name), lines)

    def _load(self, kind: Kind, name: str, decode: Callable[[Record], _T]) -> list[_T]:
        path = self._target(kind, name)
        if not path.exists():
            raise self._nothing(kind, name)
        return records.read_lines(path, decode)

    def _nothing(self, kind: Kind, name: str) -> StoreError:
        there = ", ".join(self.names(kind)) or "none"
        return StoreError(self.path, f"no {kind} called {name!r}; there are: {there}")


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.glob("*") if not entry.name.startswith("."))


def _settings(record: Mapping[str, Any]) -> Record:
    """What must not change when a run is taken up again, by dotted key."""
    return _flat({"seed": record["seed"], "config": record["config"]})


def _flat(nested: Mapping[str, Any], prefix: str = "") -> Record:
    flat: Record = {}
    for key, value in nested.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _shown(settings: Record, key: str) -> str:
    return repr(settings[key]) if key in settings else "absent"


def _as_json(record: Mapping[str, Any]) -> Record:
    """The settings as they read back from run.json; raises ValueError naming what has no JSON form."""
    for key, value in _settings(record).items():
        try:
            records.dump({key: value})
        except ValueError as error:
            raise ValueError(f"{key} = {value!r:.60}: {error}") from None
    return records.load(records.dump({"schema": SCHEMA, **record}), "settings")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"a name holds letters, digits and ._@+- and starts with a letter or digit, got {name!r}"
        )
