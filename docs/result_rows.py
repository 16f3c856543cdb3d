"""What the tables of measured results are made of: kinds of tables and columns for `result_tables.py`."""

import math
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from spa_lab import Comparison, tables
from spa_lab.pipeline.results import read_results
from spa_lab.stats import paired_bootstrap
from spa_lab.view.tables.controls import areas_of
from spa_lab.view.tables.evaluation import LENGTH_BINS, bin_label, paired_scores
from spa_lab.view.tables.scoreboard import pooled_scoreboard
from spa_lab.view.text import signed_in_full

RESULTS = Path(__file__).resolve().parents[1] / "data/results"
ONE_SEED = {"README.md": " (one seed)", "README.zh.md": "（一个种子）"}  # noqa: RUF001
UNKNOWN = "?"
"""Stands for a number that was left out."""
DIFFERENCE = ("difference", "difference_low", "difference_high")
"""Columns of `numbers`: a difference to the reference and its interval."""
Row = list[str]


class Source(NamedTuple):
    """Where the numbers of a table come from and go to."""

    page: str
    points: bool
    """Leave intervals out."""


class Rows(Protocol):
    """An entry of `TABLES`."""

    def rows(self, source: Source, old: Sequence[Row]) -> list[Row]:
        """Titles of the columns, then the rows; `old` is the table as it stands in the page."""


@cache
def comparison(folder: str, reference: str | None = None) -> Comparison:
    """The comparison of a folder, against another arm than its own reference."""
    if reference is None:
        return Comparison.read(RESULTS / folder)
    return comparison(folder).against(reference)


@cache
def numbers(folder: str, world: str, reference: str | None, points: bool) -> pd.DataFrame:
    """`Comparison.tables` by policy; with `points` without intervals."""
    made = comparison(folder, reference)
    if not points:
        return made.tables[world].set_index("policy")
    pooled = tables.success_table(made.frame(world).drop(columns="run_seed")).set_index("policy")
    differences = made.by_seed[world].groupby("policy")["difference"].mean()
    intervals = dict.fromkeys(("low", "high", "difference_low", "difference_high"), float("nan"))
    return pooled.assign(difference=differences, **intervals)


def rate(value: float, places: int = 1) -> str:
    """A fraction in per cent."""
    return UNKNOWN if pd.isna(value) else f"{100 * value:.{places}f}"


def points_of(value: float) -> str:
    """A difference of fractions in points; 0 has no sign."""
    return UNKNOWN if pd.isna(value) else signed_in_full(100 * value, 1)


def with_bounds(point: float, low: float, high: float) -> str:
    """A difference of fractions in points with its interval, "+1.0 [−2.0, +4.0]"."""
    return f"{points_of(point)} [{points_of(low)}, {points_of(high)}]"


@dataclass(frozen=True)
class Arms:
    """A row for every arm of one world of a comparison."""

    folder: str
    world: str
    columns: Sequence["Column"]
    titles: Mapping[str, Sequence[str]]
    """Arm -> its first cells, in the order of the rows; a first one in `**` makes `Column.strong` bold."""
    heads: Sequence[str] = ("method",)
    """Titles of the first cells."""
    other_machine: frozenset[int | str] = frozenset()
    """Seeds and arms that ran elsewhere: not in the CPU minutes."""

    def rows(self, source: Source, old: Sequence[Row]) -> list[Row]:
        """See `Rows`."""
        known = list(self.by_seed["policy"].unique())
        if missing := [policy for policy in self.titles if policy not in known]:
            raise ValueError(f"{self.folder}/{self.world}: the data have no arm {missing[0]!r}")
        order = dict.fromkeys([*self.titles, *known])
        heads = [column.head.format(seeds=span(self.seeds)) for column in self.columns]
        return [[*self.heads, *heads], *(self._row(policy, source) for policy in order)]

    def _row(self, policy: str, source: Source) -> Row:
        first = self.titles.get(policy, [policy.replace("|", r"\|")])
        title, *more = [*first, *[""] * len(self.heads)][: len(self.heads)]
        strong = title.startswith("**")
        cells = [
            f"**{cell}**" if strong and column.strong and cell else cell
            for column in self.columns
            for cell in [column.cell(self, policy, source.points)]
        ]
        seeds = list(self.successes(policy).index)
        if seeds != self.seeds and not any(column.cell is by_seed for column in self.columns):
            title += f" ({'seeds' if len(seeds) > 1 else 'seed'} {span(seeds)})"
        return [title, *more, *cells]

    @property
    def by_seed(self) -> pd.DataFrame:
        """Success by arm and training seed."""
        table = comparison(self.folder).by_seed[self.world]
        return table[table["policy"] != "base"]

    @property
    def seeds(self) -> list[int]:
        """Of all arms."""
        return sorted(self.by_seed["run_seed"].unique())

    def successes(self, policy: str) -> "pd.Series[float]":
        """Success of one arm by its seeds."""
        return self.by_seed[self.by_seed["policy"] == policy].set_index("run_seed")["success"]

    def row(self, policy: str, points: bool, reference: str | None = None) -> "pd.Series[float]":
        """The numbers of one arm."""
        return numbers(self.folder, self.world, reference, points).loc[policy]


class Column(NamedTuple):
    """A column of `Arms`."""

    head: str
    """Its title; `{seeds}` becomes the seeds of the data."""
    cell: Callable[[Arms, str, bool], str]
    strong: bool = False
    """Bold in rows with a bold title."""


def span(seeds: Sequence[int]) -> str:
    """The seeds in words, "0 to 3"."""
    first, last = min(seeds), max(seeds)
    whole = len(seeds) > 1 and list(seeds) == list(range(first, last + 1))
    return f"{first} to {last}" if whole else ", ".join(map(str, seeds))


def by_seed(arms: Arms, policy: str, _: bool) -> str:
    """Success of each seed; "–" for one that the arm lacks."""
    rates = arms.successes(policy)
    return ", ".join(rate(rates[seed]) if seed in rates.index else "–" for seed in arms.seeds)


def grounding(arms: Arms, policy: str, points: bool) -> str:
    """Share of the steps that were executed."""
    return f"{rate(arms.row(policy, points)['grounding'], 0)} %"


def reward(arms: Arms, policy: str, points: bool) -> str:
    """Mean outcome."""
    return f"{arms.row(policy, points)['outcome']:.2f}"


def on_lengths(arms: Arms, policy: str, _: bool) -> str:
    """Success on the panel by length."""
    frame = comparison(arms.folder).frame(arms.world, by_length=True)
    return f"{rate(frame.loc[frame['policy'] == policy, 'success'].mean())} %"


def minutes(places: int = 1) -> Column:
    """CPU minutes of training, a mean over seeds that ran in one attempt; empty if they round to 0."""

    def cell(arms: Arms, policy: str, _: bool) -> str:
        costs = comparison(arms.folder).known_costs
        elsewhere = costs[["run_seed", "policy"]].isin(arms.other_machine).any(axis=1)
        here = costs[(costs["env"] == arms.world) & ~elsewhere]
        spent = here.loc[here["policy"] == policy, "cpu_seconds"].mean() / 60
        if pd.isna(spent):
            return "–"
        return f"{spent:.{places if spent < 10 else 0}f}" if round(spent, places) else ""

    return Column("CPU minutes", cell)


def success(head: str = "success") -> list[Column]:
    """Success and its interval."""

    def point(arms: Arms, policy: str, points: bool) -> str:
        return f"{rate(arms.row(policy, points)['success'])} %"

    def interval(arms: Arms, policy: str, points: bool) -> str:
        row = arms.row(policy, points)
        return f"{rate(row['low'])}–{rate(row['high'])}"

    return [Column(head, point, strong=True), Column("95 %", interval)]


def difference(head: str, reference: str | None = None) -> list[Column]:
    """Difference to an arm and its interval; None: to the reference of the comparison."""

    def point(arms: Arms, policy: str, points: bool) -> str:
        value = arms.row(policy, points, reference)["difference"]
        return "" if pd.isna(value) else points_of(value)

    def interval(arms: Arms, policy: str, points: bool) -> str:
        row = arms.row(policy, points, reference)
        low, high = points_of(row["difference_low"]), points_of(row["difference_high"])
        return "" if pd.isna(row["difference"]) else f"{low} to {high}"

    return [Column(head, point, strong=True), Column("95 %", interval, strong=True)]


def in_one_cell(columns: Sequence[Column]) -> Column:
    """A difference and its interval, "+1.0 [−2.0, +4.0]"."""
    point, interval = columns

    def cell(arms: Arms, policy: str, points: bool) -> str:
        value, bounds = (column.cell(arms, policy, points) for column in (point, interval))
        return f"{value} [{bounds.replace(' to ', ', ')}]" if value else ""

    return Column(point.head, cell)


@dataclass(frozen=True)
class Parts:
    """Success of every arm on parts of a panel in per cent, and in brackets the share of its executed steps.

    Heads hold the number of tasks.
    """

    folder: str
    world: str
    titles: Mapping[str, str]
    """Arm -> its first cell, in the order of the rows."""
    by_length: bool
    """By the expert's length, on the panel by length; otherwise by type of task, on the main panel."""

    def rows(self, source: Source, old: Sequence[Row]) -> list[Row]:
        """See `Rows`."""
        heads, made = ["method"], []
        for part, frame in self._parts():
            heads.append(f"{part} ({frame['task_id'].nunique()})")
            made.append(tables.success_table(frame.drop(columns="run_seed")).set_index("policy"))
        rows = [
            [title, *(self._cell(table.loc[arm]) for table in made)] for arm, title in self.titles.items()
        ]
        return [heads, *rows]

    def _parts(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """What a part is, and its episodes."""
        frame = comparison(self.folder).frame(self.world, by_length=self.by_length)
        if not self.by_length:
            yield from ((str(kind).replace("_", " "), part) for kind, part in frame.groupby("kind"))
            return
        for edges in LENGTH_BINS:
            part = frame[frame["expert_length"].between(edges[0], edges[1] or math.inf)]
            if len(part):
                yield bin_label(edges), part

    @staticmethod
    def _cell(row: "pd.Series[float]") -> str:
        return f"{rate(row['success'], 0)} ({rate(row['grounding'], 0)})"


class Contrast(NamedTuple):
    """One arm minus another."""

    ours: str
    theirs: str
    folders: Sequence[str]
    """Where their seeds are."""


@dataclass(frozen=True)
class Differences:
    """Success of one arm minus that of another on parts of the panels."""

    world: str
    head: str
    """Title of the first column."""
    columns: Mapping[str, Contrast]
    """Title of a column -> what it shows."""
    parts: Mapping[str, tuple[int, float] | None]
    """Title of a row -> first and last length of the expert, of the panel by length; None: the main panel."""

    def rows(self, source: Source, old: Sequence[Row]) -> list[Row]:
        """See `Rows`."""
        return [
            [self.head, *self.columns],
            *(
                [title, *(self._cell(contrast, lengths, source) for contrast in self.columns.values())]
                for title, lengths in self.parts.items()
            ),
        ]

    def _cell(self, contrast: Contrast, lengths: tuple[int, float] | None, source: Source) -> str:
        ours, theirs, folders = contrast
        if lengths is None and len(folders) == 1:  # the same number as in the table of all arms
            row = numbers(folders[0], self.world, theirs, source.points).loc[ours]
            return with_bounds(*row[list(DIFFERENCE)])
        frame = pd.concat(
            [comparison(each).frame(self.world, by_length=lengths is not None) for each in folders]
        )
        if lengths is not None:
            frame = frame[frame["expert_length"].between(*lengths)]
        first, second, _ = paired_scores(*(frame[frame["policy"] == arm] for arm in (ours, theirs)))
        if source.points:
            return with_bounds((first - second).mean(), math.nan, math.nan)
        interval = paired_bootstrap(first, second, rng=np.random.default_rng(0))
        return with_bounds(interval.point, interval.low, interval.high)


@dataclass(frozen=True)
class CreditMap:
    """What credit gains on walks, at the ends of the discount and with the most episodes."""

    titles: Mapping[str, str]
    """Arm -> head of its column."""
    strong: frozenset[tuple[int, float, str]]
    """Length, γλ and arm of the cells that are bold."""

    def rows(self, source: Source, old: Sequence[Row]) -> list[Row]:
        """See `Rows`."""
        curves = pd.read_csv(RESULTS / "map/map.csv.gz")
        fading, most = curves.loc[curves["arm"] == "terminal", "gamma_lambda"], curves["episodes"].max()
        shown = curves["gamma_lambda"].isin([fading.min(), fading.max()]) | (curves["arm"] == "exact")
        table = tables.credit_map_table(curves[shown & (curves["episodes"] == most)])
        rows = [[f"{most} episodes an iteration", "terminal", *self.titles.values()]]
        for (length, _), here in table.groupby(["length", "tokens"]):
            faded, by_arm = f"{here['gamma_lambda'].iloc[0]:.2f}", here.set_index("arm")
            gains = [self._gain(by_arm.loc[arm], (length, float(faded), arm)) for arm in self.titles]
            rows.append([f"{length} steps, γλ {faded}", f"{here['baseline'].iloc[0]:.2f}", *gains])
        return rows

    def _gain(self, row: "pd.Series[float]", place: tuple[int, float, str]) -> str:
        point, low, high = (f"{row[name]:+.2f}".replace("-", "−") for name in ("difference", "low", "high"))
        zero = re.compile(r"[+−](?=0\.00)")
        text = f"{point} [{zero.sub('', low)}, {zero.sub('', high)}]"
        return f"**{text}**" if place in self.strong else text


@dataclass(frozen=True)
class Controls:
    """Mean value over training with its interval: arms in rows, probes in columns."""

    probes: Mapping[str, str]
    """Probe -> head of its column."""
    groups: Sequence[Mapping[str, str]]
    """Arm -> its first cell; in each group the arm that is best on the first probe comes first."""

    def rows(self, source: Source, old: Sequence[Row]) -> list[Row]:
        """See `Rows`."""
        curves = pd.read_csv(RESULTS / "controls/curves.csv.gz")
        arms = [arm for group in self.groups for arm in group]
        shown = curves[curves["arm"].isin(arms) & curves["probe"].isin(list(self.probes))]
        table = self._points(shown) if source.points else tables.controls_table(shown)
        cells = {(row["probe"], row["arm"]): self._cell(row) for row in table.to_dict("records")}
        first = table[table["probe"] == next(iter(self.probes))].set_index("arm")["area"]
        made = [["arm", *self.probes.values()]]
        for group in self.groups:
            for arm in sorted(group, key=lambda each: -first[each]):
                made.append([group[arm], *(cells.get((probe, arm), "") for probe in self.probes)])
        return made

    @staticmethod
    def _points(curves: pd.DataFrame) -> pd.DataFrame:
        rows = [
            {"probe": probe, "arm": arm, "area": areas_of(of_arm).to_numpy().mean()}
            for (probe, arm), of_arm in curves.groupby(["probe", "arm"])
        ]
        return pd.DataFrame(rows).assign(low=math.nan, high=math.nan)

    @staticmethod
    def _cell(row: Mapping[Hashable, Any]) -> str:
        low, high = (UNKNOWN if math.isnan(value) else f"{value:.2f}" for value in (row["low"], row["high"]))
        return f"{row['area']:.2f} [{low}, {high}]"


@dataclass(frozen=True)
class OneRun:
    """Policies of a single run, with Wilson's intervals."""

    folder: str
    titles: Mapping[str, str]
    """Policy -> its first cell."""

    def rows(self, source: Source, old: Sequence[Row]) -> list[Row]:
        """See `Rows`."""
        table = tables.success_table(read_results(RESULTS / self.folder / "episodes.csv.gz"))
        rows = [["policy", "success", "95 %", "grounded steps", "steps"]]
        for row in table.to_dict("records"):
            share = f", {rate(row['success'])} %" if row["k"] else ""
            bounds, steps = f"{rate(row['low'])}–{rate(row['high'])}", f"{row['mean_steps']:.1f}"
            cells = [f"{row['k']} of {row['n']}{share}", bounds, f"{rate(row['grounding'], 0)} %", steps]
            rows.append([self.titles.get(row["policy"], row["policy"]), *cells])
        return rows


@dataclass(frozen=True)
class Scoreboards:
    """Sources of credit on scoreboards of several agents, pooled."""

    file: str
    """In `data/results`: scoreboards one below the other, with a column `run_seed`."""
    titles: Mapping[str, str]
    """Source -> its first cell."""

    def rows(self, source: Source, old: Sequence[Row]) -> list[Row]:
        """See `Rows`."""
        boards = [board for _, board in pd.read_csv(RESULTS / self.file).groupby("run_seed")]
        pooled = pooled_scoreboard(boards).set_index(["source", "outcome", "metric"]).sort_index()
        played = pd.concat(boards).groupby("source")["rollouts"].mean()

        def by_seed(name: str, outcome: str) -> list[str]:
            key = (name, outcome, "pair_accuracy")
            found = [board.set_index(["source", "outcome", "metric"])["value"][key] for board in boards]
            return [f"{pooled.loc[key, 'value']:.2f}", ", ".join(f"{value:.2f}" for value in found)]

        rows = [list(old[0])]
        for name, title in self.titles.items():
            both = pooled.loc[(name, "both", "pair_accuracy")]
            pivot = pooled.loc[(name, "both", "pivot_hit"), "value"]
            cells = [*by_seed(name, "failure"), *by_seed(name, "success")]
            cells += [f"{both['value']:.2f}, {both['low']:.2f}–{both['high']:.2f}", f"{pivot:.2f}"]
            rows.append([title, *cells, f"{played[name]:,.0f}"])
        return rows


@dataclass(frozen=True)
class Cells:
    """A table of which some cells come from the data; the others (None) stay as they are."""

    cells: Sequence[Sequence[Callable[[Source], str] | None]]

    def rows(self, source: Source, old: Sequence[Row]) -> list[Row]:
        """See `Rows`."""
        heads, *rows = old
        if [len(row) for row in rows] != [len(row) for row in self.cells]:
            raise ValueError(f"{source.page}: a table has other rows or columns than its entry in `TABLES`")
        made = [
            [text if cell is None else cell(source) for text, cell in zip(row, cells, strict=True)]
            for row, cells in zip(rows, self.cells, strict=True)
        ]
        return [heads, *made]


def paper(world: str, method: str, unit: str = "", quantity: str = "success") -> Callable[[Source], str]:
    """A number of the paper."""

    def cell(_: Source) -> str:
        known = tables.read_published().set_index(["world", "method", "quantity"])["percent"]
        return f"{known[(world, method, quantity)]:.1f}{unit}"

    return cell


def here(world: str, arm: str, quantity: str = "success", places: int = 1) -> Callable[[Source], str]:
    """A number of ours in per cent, from the comparison of the paper's methods."""

    def cell(source: Source) -> str:
        seeds = comparison("methods").by_seed[world]
        note = ONE_SEED[source.page] if (seeds["policy"] == arm).sum() == 1 else ""
        return rate(numbers("methods", world, None, True).at[arm, quantity], places) + note

    return cell


def bounded(world: str, arm: str) -> Callable[[Source], str]:
    """Our success in per cent with its interval, from the comparison of the paper's methods."""

    def cell(source: Source) -> str:
        row = numbers("methods", world, None, source.points).loc[arm]
        return f"{rate(row['success'])} [{rate(row['low'])}, {rate(row['high'])}]"

    return cell


def apart(world: str, arm: str) -> Callable[[Source], str]:
    """Our difference to the terminal reward in points with its interval, from the same comparison."""

    def cell(source: Source) -> str:
        row = numbers("methods", world, None, source.points).loc[arm]
        return with_bounds(*row[list(DIFFERENCE)])

    return cell


def shop(arm: str) -> Callable[[Source], str]:
    """Our average reward in the web shop."""
    return here("webshop", arm, "outcome", 0)
