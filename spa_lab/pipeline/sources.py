"""Credit sources by name: what `spa-lab fidelity` scores; importing this module needs no torch.

A source is one entry of `SOURCES`. One from outside the package is a `CreditMethod`, or a function of an
`Experiment` and a progress report that returns one, in any module: "package.module:attribute".
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from spa_lab.plugins import is_object_path, load_object, unknown_name

if TYPE_CHECKING:
    from spa_lab.credit.methods import CreditMethod
    from spa_lab.pipeline.experiment import Experiment
    from spa_lab.pipeline.parallel import Report

    SourceFactory = Callable[[Experiment, Report], CreditMethod]

NO_MODEL, CONTINUATIONS = "none", "continuations"
"""Values of `SourceEntry.model`: nothing to fit; the continuations that the policy played."""
FILE = "file:"
"""Start of the name of a source that is a file of scores."""


@dataclass(frozen=True)
class SourceEntry:
    """Facts about a source, available without importing it."""

    factory: str
    """`package.module:function` of an `Experiment` and a `Report` that returns the `CreditMethod`."""
    title: str
    summary: str
    """One line for `--help`."""
    model: str = NO_MODEL
    """What it needs; sources of one model are made in one process, which fits the model once."""
    plays: bool = False
    """Whether giving credit plays continuations."""


def _entry(function: str, title: str, summary: str, model: str = NO_MODEL) -> SourceEntry:
    return SourceEntry(f"spa_lab.pipeline.source_factories:{function}", title, summary, model)


def _continued(function: str, title: str, summary: str, model: str = CONTINUATIONS) -> SourceEntry:
    return SourceEntry(f"spa_lab.pipeline.continued_sources:{function}", title, summary, model, plays=True)


SOURCES: Mapping[str, SourceEntry] = MappingProxyType(
    {
        "terminal": _entry("terminal", "terminal", "R at the last step"),
        "mean": _entry("mean", "mean", "R / T at every step"),
        "random": _entry("random_split", "random", "R split at random"),
        "grounding": _entry("grounding", "grounding", "1 for every executed action"),
        "step_index": _entry("step_index", "step index", "change of the mean outcome with the step's index"),
        "leave_one_out": _entry(
            "leave_one_out", "leave one out", "R less the mean of the other episodes of the task"
        ),
        "gigpo": _entry("gigpo", "GiGPO", "returns compared among visits of one state (anchor states)"),
        "spa": _entry("spa", "SPA-RL", "the run's progress estimator", "spa"),
        "spa_released_head": _entry(
            "spa_released_head",
            "SPA-RL, released head",
            "the estimator with the released code's head",
            "head",
        ),
        "spa_prefix": _entry(
            "spa_prefix", "SPA-RL, every prefix", "the estimator fitted at every prefix", "prefix"
        ),
        "spa_progress": _entry(
            "spa_progress",
            "SPA-RL, progress",
            "progress by sibling rollouts and a small model, refitted during training",
            "progress",
        ),
        "gigpo_progress": _entry(
            "gigpo_progress",
            "GiGPO + progress",
            "anchor states, and progress by sibling rollouts where they tell nothing",
            "progress",
        ),
        "spa_hindsight": _entry(
            "spa_hindsight",
            "SPA-RL, hindsight",
            "progress by a language model that is told the outcome, refitted during training",
            "hindsight",
        ),
        "occlusion": _entry("occlusion", "occlusion", "prediction with and without the step", "rudder"),
        "rudder": _entry("rudder", "RUDDER", "differences of a return predictor's values", "rudder"),
        "critic_td": _entry("critic_td", "critic, TD", "TD errors of a fine-tuned critic", "critic"),
        "critic_gae": _entry(
            "critic_gae", "critic, GAE", "GAE of a fine-tuned critic, lambda 0.95", "critic"
        ),
        "critic": _entry("critic", "ensemble critic", "TD errors of small heads on frozen features", "heads"),
        "mc_bisection_8": _continued(
            "mc_bisection_8",
            "Monte Carlo, bisection",
            "values by 8 continuations at the few steps that bisection finds",
            "bisection",
        ),
        "spa_progress_bisection": _continued(
            "spa_progress_bisection",
            "SPA-RL, progress, corrected",
            "progress by siblings, corrected at the few steps that bisection measures",
            "progress",
        ),
        "math_shepherd_8": _continued(
            "math_shepherd_8", "Math-Shepherd", "whether any of 8 continuations succeeds"
        ),
        "ipr_5": _continued("ipr_5", "IPR", "mean outcome of 5 continuations"),
        "mc_difference_8": _continued(
            "mc_difference_8", "Monte Carlo, 8", "differences of values by 8 continuations"
        ),
    }
)
"""From trivial to expensive: the order of tables and figures. Sources that are not here come last."""
SOURCE_TITLES: Mapping[str, str] = MappingProxyType({name: entry.title for name, entry in SOURCES.items()})
"""Source -> title in figures; a source from outside the package has its name as title."""


def in_order(sources: Iterable[str]) -> list[str]:
    """Names of sources, each once: those of `SOURCES` in its order, then the others as given."""
    names = list(dict.fromkeys(sources))
    return [*(name for name in SOURCES if name in names), *(name for name in names if name not in SOURCES)]


def find_source(source: "str | CreditMethod | SourceFactory") -> "SourceFactory":
    """The factory of a source.

    Args:
        source: a name in `SOURCES`, "package.module:attribute" of a `CreditMethod` or a factory, "file:" and
            a file of scores (see `importers.scores`), or such an object.

    Raises:
        ValueError: there is no such source, it cannot be imported, or the object is neither. The factory
            raises it, too, where it returns no `CreditMethod`.
    """
    from spa_lab.credit.methods import CreditMethod

    loaded = _loaded(source)
    if isinstance(loaded, CreditMethod):
        return lambda experiment, report: loaded

    def make(experiment: "Experiment", report: "Report") -> "CreditMethod":
        made = loaded(experiment, report)
        if not isinstance(made, CreditMethod):
            raise ValueError(
                f"credit source {source!r}: returned {type(made).__name__}, expected a CreditMethod"
            )
        return made

    return make


def known_name(source: "str | CreditMethod | SourceFactory") -> str | None:
    """The name under which a source gives credit; None where only its factory can tell.

    Raises:
        ValueError: as `find_source`.
    """
    from spa_lab.credit.methods import CreditMethod

    loaded = _loaded(source)
    return loaded.source if isinstance(loaded, CreditMethod) else None


def check_own_names(named: "Iterable[tuple[str | CreditMethod | SourceFactory, str]]") -> None:
    """Check that no source would overwrite the credit of another.

    Args:
        named: sources as they were asked for, and the names under which they give credit.

    Raises:
        ValueError: one from outside the package has the name of a built-in one, or two have one name.
    """
    owners: dict[str, object] = {}
    for source, name in named:
        if isinstance(source, str) and source in SOURCES:
            continue
        if name in SOURCES:
            raise ValueError(f"credit source {source!r:.80}: its name {name!r} is a built-in source's")
        if owners.setdefault(name, source) != source:
            raise ValueError(
                f"credit sources {owners[name]!r:.80} and {source!r:.80} have the same name, {name!r}"
            )


def _loaded(source: "str | CreditMethod | SourceFactory") -> Any:
    """The `CreditMethod` or the factory; raises ValueError as `find_source`."""
    loaded: Any = source
    if isinstance(source, str) and source.startswith(FILE):
        from spa_lab.pipeline.labels import recorded_scores

        loaded = recorded_scores(source.removeprefix(FILE))
    elif isinstance(source, str):
        if source not in SOURCES and not is_object_path(source):
            raise unknown_name("credit source", source, list(SOURCES))
        loaded = load_object(SOURCES[source].factory if source in SOURCES else source, "credit source")
    if not callable(loaded):
        raise ValueError(
            f"credit source {source!r}: expected a CreditMethod or a function that returns one, "
            f"got {type(loaded).__name__}"
        )
    return loaded
