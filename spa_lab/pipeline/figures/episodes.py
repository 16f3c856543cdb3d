"""Figures of single episodes of the first run: contributions, running sum, advantages, text."""

from collections.abc import Sequence

from spa_lab.configs.presets import preset_from_dict
from spa_lab.pipeline.credited import credited, figure_order, telling_pair
from spa_lab.pipeline.figures.asked import Asked, LeftOut, Made
from spa_lab.pipeline.sources import SOURCE_TITLES
from spa_lab.store import Run
from spa_lab.types import Trajectory
from spa_lab.view import paper
from spa_lab.view.paper import Page, PaperFigure
from spa_lab.view.paper.contributions import CreditedTrajectory
from spa_lab.view.paper.rows import most_sources
from spa_lab.view.tables.advantages import AdvantageSettings

NAMES = ("contributions", "running-sum", "episode", "advantages")


def of_episodes(runs: Sequence[Run], asked: Asked) -> Made:
    """Contributions, running sum, text and advantages of single episodes of the first run."""
    run, page = runs[0], asked.page
    entries = credited_of(run, asked)
    if not entries:
        yield LeftOut(", ".join(NAMES), f"{run.path.name} holds no credits")
        return
    chosen = _chosen(entries, asked, run)
    n_shown = most_sources(page.width)
    for kind, entry in chosen.items():
        shown, rest = entry.credits[:n_shown], entry.credits[n_shown:]
        if rest:
            sources = ", ".join(credit.source for credit in rest)
            yield LeftOut(f"{NAMES[0]}-{kind}", f"no space for the sources {sources}; choose with --sources")
        yield paper.contributions_figure(
            entry.trajectory,
            shown,
            entry.truth,
            name=f"{NAMES[0]}-{kind}",
            columns=page,
            titles=SOURCE_TITLES,
        )
        yield paper.running_sum_figure(*entry, name=f"{NAMES[1]}-{kind}", columns=page, titles=SOURCE_TITLES)
        first = entry.credits[0]
        title = SOURCE_TITLES.get(first.source, first.source)
        yield paper.episode_figure(
            entry.trajectory, first, entry.truth, name=f"{NAMES[2]}-{kind}", columns=page, title=title
        )
        yield _advantages(entry, run, name=f"{NAMES[3]}-{kind}", page=page, title=title)
    kinds = {"success", "failure"} - set(chosen) if asked.trajectory is None else set()
    for kind in sorted(kinds):
        yield LeftOut(f"{NAMES[0]}-{kind}", f"no {kind} has credits")


def credited_of(run: Run, asked: Asked) -> list[CreditedTrajectory]:
    """All trajectories with credit; those that were measured first.

    Raises:
        ValueError: a source that is asked for gave no credit at all.
    """
    credits = run.credits()
    for source in asked.sources:
        if source not in credits:
            names = ", ".join(credits) or "none"
            raise ValueError(f"{run.path}: no source {source!r}; there are: {names}")
    order = asked.sources or figure_order(credits)
    ids = {name for by_id in credits.values() for name in by_id}
    return credited(run, _trajectories(run, ids), {source: credits[source] for source in order})


def _trajectories(run: Run, ids: set[str]) -> list[Trajectory]:
    """Those of the run that have these ids."""
    return [
        trajectory
        for entry in run.trajectory_sets()
        if any(record["id"] in ids for record in entry.peek())
        for trajectory in entry.load()
        if trajectory.id in ids
    ]


def _chosen(entries: Sequence[CreditedTrajectory], asked: Asked, run: Run) -> dict[str, CreditedTrajectory]:
    """The requested trajectory, or a telling success and failure."""
    if asked.trajectory is None:
        return telling_pair(entries)
    for entry in entries:
        if entry.trajectory.id == asked.trajectory:
            kinds = {True: "success", False: "failure", None: "episode"}
            return {kinds[entry.trajectory.success]: entry}
    raise ValueError(f"{run.path}: no trajectory {asked.trajectory!r} among {len(entries)} with credits")


def _advantages(
    entry: CreditedTrajectory, run: Run, *, name: str, page: Page, title: str
) -> PaperFigure | LeftOut:
    """The advantages of the first source; left out where the log does not say what they need."""
    try:
        settings = _advantage_settings(run)
        return paper.advantages_figure(
            entry.trajectory, entry.credits[0], settings, name=name, columns=page, title=title
        )
    except ValueError as error:
        return LeftOut(name, str(error))


def _advantage_settings(run: Run) -> AdvantageSettings:
    """As the run was trained; the defaults if it was not."""
    facts = run.config.get("preset")
    if not isinstance(facts, dict):
        return AdvantageSettings()
    used = {key: facts[key] for key in ("name", "reward", "ppo") if key in facts}
    try:
        preset = preset_from_dict(used)  # whatever became of the settings of other parts
    except ValueError as error:  # of another version
        raise ValueError(f"{run.path}: {error}") from None
    reward, ppo = preset.reward, preset.ppo
    undrawn = {
        name: setting
        for name, setting, drawn in (
            ("reward.step_weight", reward.step_weight, "one"),
            ("reward.grounding_rule", reward.grounding_rule, "world"),
            ("ppo.gamma_step", ppo.gamma_step, None),
            ("ppo.gae_over", ppo.gae_over, "action_tokens"),
        )
        if setting != drawn
    }
    if undrawn:
        what = ", ".join(f"{name} = {setting}" for name, setting in undrawn.items())
        raise ValueError(f"{run.path}: the figure cannot show advantages under {what}")
    return AdvantageSettings(
        alpha=reward.alpha, beta=reward.beta, gamma=ppo.gamma, lam=ppo.lam,
        granularity=ppo.gae_level, grounding_form=reward.grounding_form, residual=reward.residual,
    )  # fmt: skip
