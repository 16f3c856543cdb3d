"""All figures that runs allow: drawn, written, and reported with what was left out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from spa_lab.pipeline.compared_runs import compared_runs, settings_of
from spa_lab.pipeline.comparison import FACTS, Comparison
from spa_lab.pipeline.control_titles import ARM_TITLES
from spa_lab.pipeline.evaluations import evaluations
from spa_lab.pipeline.figures import boards, compared, credit, episodes, training
from spa_lab.pipeline.figures import evaluations as of_runs
from spa_lab.pipeline.figures.asked import Asked, LeftOut, Made, check_names, is_wanted
from spa_lab.store import Run
from spa_lab.store.csv_tables import read_table
from spa_lab.store.files import write_text
from spa_lab.view.paper import PaperFigure, controls_figure
from spa_lab.view.paper.macros import FILE, keys_of, macros
from spa_lab.view.paper.paper_figure import check_formats
from spa_lab.view.provenance import described, in_words, provenance_of
from spa_lab.view.tables.controls import COLUMNS, controls_table


class Maker(NamedTuple):
    """Makes the figures whose names are, or begin with, `names`."""

    names: tuple[str, ...]
    make: Callable[[Sequence[Run], Asked], Made]


MAKERS: tuple[Maker, ...] = (
    Maker(episodes.NAMES, episodes.of_episodes),
    Maker(credit.NAMES, credit.of_credit),
    Maker(of_runs.NAMES, of_runs.of_evaluations),
    Maker(("scoreboard",), boards.of_scoreboards),
    Maker(("gradient",), boards.of_gradients),
    Maker(tuple(training.CURVES), training.of_training),
)
"""Of runs of one setting, in the order of the report."""
NAMES = (
    *dict.fromkeys(name for maker in MAKERS for name in maker.names),
    *compared.MORE,
    "controls",
)
"""Of all figures, or their beginnings."""
CONTROLS = "curves.csv.gz"
"""Curves that `python -m spa_lab.pipeline.controls` wrote."""


def figures(*, runs: Sequence[Path], out: Path, asked: Asked | None = None, in_caption: bool = False) -> str:
    """Write all figures and tables that the runs allow.

    Args:
        runs: folders of finished runs; those that differ in their seed alone are pooled, settings that
            differ are compared, and figures of episodes, credit and training are of the first setting. Or
            one folder: the report of a grid, or curves of positive controls.
        out: folder for the files; made if missing.
        asked: what to draw.
        in_caption: close every caption with n, seeds, rollouts, preset and commit.

    Returns:
        What was written, and what was left out and why.

    Raises:
        ValueError: no run, a name, format, trajectory or source that does not exist, or a trajectory or
            sources of what holds no episodes.
        StoreError: a folder is no run, or the disk refused.
    """
    asked = asked or Asked()
    check_names(asked.only, NAMES)
    check_formats(asked.formats)
    of_folder = next((made for file, made in FOLDERS.items() if _holds(runs, file)), None)
    if of_folder is None and (other := [path for path in runs if _is_no_run(path)]):
        raise ValueError(f"{other[0]}: a report, or curves of controls, is drawn alone; give one folder")
    if of_folder and (asked.trajectory is not None or asked.sources):
        raise ValueError(f"{runs[0]}: holds no episodes, so that --trajectory and --sources have no effect")
    made, provenance = of_folder(runs[0], asked) if of_folder else _of_folders(runs, asked)
    written, missing = [], []
    lines = []
    for each in made:
        if isinstance(each, LeftOut):
            missing.append(f"left out: {each.name}: {each.why}")
            continue
        sentence = in_words(provenance | dict(each.facts)) if in_caption else ""
        files = each.save(out, provenance, in_caption=sentence, formats=asked.formats)
        lines.append(f"{each.name:<24} {', '.join(path.name.removeprefix(each.name) for path in files)}")
        written.append(each)
    if "tex" in asked.formats and any(keys_of(figure) for figure in written):
        write_text(out / FILE, macros(written, provenance))
        lines.append(f"{FILE:<24} numbers as LaTeX macros")
    head = f"{len(written)} figures in {out}, {asked.page.width:.4g} in wide"
    return "\n".join([head, "", *lines, *([""] if missing else []), *missing])


def _holds(folders: Sequence[Path], file: str) -> bool:
    """Whether the only folder holds a file of this name."""
    return len(folders) == 1 and (Path(folders[0]) / file).is_file()


def _is_no_run(folder: Path) -> bool:
    return any(_holds([folder], file) for file in FOLDERS)


def _of_grid(folder: Path, asked: Asked) -> tuple[Made, dict[str, Any]]:
    comparison = Comparison.read(folder)
    n_tasks = int(comparison.outcomes.episodes["task_id"].nunique())
    provenance = described(comparison.facts, seeds=comparison.facts["seeds"], n=n_tasks)
    return _compared(comparison, asked, compared.NAMES), provenance


def _of_controls(folder: Path, asked: Asked) -> tuple[Made, dict[str, Any]]:
    curves = read_table(folder / CONTROLS, COLUMNS)
    figure = controls_figure(controls_table(curves), columns=asked.page, titles=ARM_TITLES)
    seeds = sorted(map(int, curves["seed"].unique()))
    return _wanted([figure], asked), described({}, seeds=seeds, n=int(curves["task"].nunique()))


def _of_folders(folders: Sequence[Path], asked: Asked) -> tuple[Made, dict[str, Any]]:
    settings = settings_of([Run.open(path) for path in folders])
    every = [run for setting in settings for run in setting.runs]
    return _of_runs(settings[0].runs, every, asked), provenance_of(every)


def _of_runs(first: Sequence[Run], every: Sequence[Run], asked: Asked) -> Made:
    """Figures of the first setting, and of all settings against each other."""
    one_setting = len(first) == len(every)
    for maker in MAKERS:
        if not one_setting and maker.names == of_runs.NAMES:
            continue
        if any(map(asked.wants, maker.names)):
            yield from _wanted(maker.make(first, asked), asked)
    names = compared.MORE if one_setting else compared.NAMES
    if not any(map(asked.wants, names)):
        return
    if any(evaluations(run) for run in every):
        yield from _compared(compared_runs(every), asked, names)
    else:
        yield LeftOut(", ".join(names), "no run holds evaluations")


def _compared(comparison: Comparison, asked: Asked, names: Sequence[str]) -> Made:
    """Figures of every world; their names end in the world where there are several."""
    for world in comparison.worlds:
        suffix = f"-{world}" if len(comparison.worlds) > 1 else ""
        every = list(compared.comparison_figures(comparison, world, columns=asked.page, suffix=suffix))
        drawn = {figure.name for figure in every}
        wanted = {f"{name}{suffix}": name for name in names}
        yield from _wanted((figure for figure in every if figure.name in wanted), asked)
        missing = (LeftOut(name, compared.WHY[base]) for name, base in wanted.items() if name not in drawn)
        yield from _wanted(missing, asked)


def _wanted(made: Iterable[PaperFigure | LeftOut], asked: Asked) -> Made:
    """What is asked for; what is left out counts where any of its names is."""
    for each in made:
        if any(is_wanted(name, asked, NAMES) for name in each.name.split(", ")):
            yield each


FOLDERS: Mapping[str, Callable[[Path, Asked], tuple[Made, dict[str, Any]]]] = MappingProxyType(
    {FACTS: _of_grid, CONTROLS: _of_controls}
)
"""File that a folder holds which is no run -> what draws it."""
