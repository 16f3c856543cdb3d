"""Make the tables of measured results from `data/results`: `python docs/result_tables.py [--check]`.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->` in docs/results.md or a README. NAME
is a key of `TABLES`, which says what a table needs beyond the data. Seeds and arms are those of the data: an
arm that no entry names comes last, by the name that it has there. `--check` writes nothing and lists every
cell that is not what the data say.
"""

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from result_rows import (
    UNKNOWN,
    Arms,
    Cells,
    Column,
    Contrast,
    Controls,
    CreditMap,
    Differences,
    OneRun,
    Parts,
    Row,
    Rows,
    Scoreboards,
    Source,
    apart,
    bounded,
    by_seed,
    difference,
    grounding,
    here,
    in_one_cell,
    minutes,
    on_lengths,
    paper,
    reward,
    shop,
    success,
)

from spa_lab.view.tables.evaluation import LENGTH_BINS, bin_label

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("docs/results.md", "README.md", "README.zh.md")
TABLE = re.compile(r"(<!-- table: (\S+) -->\n\n)(.*?)(?=\n\n<!-- end of table -->)", re.DOTALL)

GROUNDED, BY_SEED = Column("grounded steps", grounding), Column("by seed", by_seed)
BY_LENGTH, MINUTES = Column("`unseen_by_length`", on_lengths), minutes()
FROM_CLONE = difference("− cloned", "cloned")
METHODS = {
    "cloned": "cloned (SFT)",
    "cloned, two passes": "cloned, two passes instead of one",
    "cloned, eight passes": "cloned, eight passes",
    "terminal reward": "PPO, terminal reward",
    "SPA-RL": "SPA-RL, paper's estimator, repaired",
    "SPA-RL, progress": "SPA-RL, progress",
    "StepAgent": "StepAgent, implicit",
    "outcome spread evenly": "mean: R / T at every step",
    "outcome split at random": "random: R split at random",
}
"""Arm of `data/results/methods` -> its title, where that is another one."""


def methods(
    world: str, columns: Sequence[Column], *order: str, elsewhere: frozenset[int | str] = frozenset()
) -> Arms:
    """The methods of the paper in one world; `elsewhere` as `Arms.other_machine`."""
    titles = {arm: (METHODS.get(arm, arm),) for arm in order}
    columns = [*success(), *difference("− terminal"), *columns]
    return Arms("methods", world, columns, titles, other_machine=elsewhere)


def parts(world: str, by_length: bool, *order: str) -> Parts:
    """The methods of the paper on parts of a panel."""
    return Parts("methods", world, {arm: METHODS.get(arm, arm) for arm in order}, by_length)


HOUSEHOLD = Arms(
    "household",
    "household",
    [*success(), *difference("− terminal"), GROUNDED, MINUTES],
    {arm: (arm,) for arm in ("cloned", "PPO, terminal reward", "RLOO, groups of 4", "SPA-RL, progress")},
)
BETTER_CLONE = Arms(
    "better_clone",
    "household",
    [*success("success, `unseen`"), *difference("− cloned"), GROUNDED, BY_SEED, BY_LENGTH],
    {
        "cloned": ("cloned, eight passes",),
        "terminal reward": ("PPO, terminal reward",),
        "SPA-RL, progress": ("SPA-RL, progress",),
        "StepAgent": ("StepAgent, implicit",),
        "GRPO": ("GRPO",),
        "RFT": ("RFT",),
    },
)
WEBSHOP_GROUPS = Arms(
    "webshop_groups",
    "webshop",
    [*success(), *difference("− cloned"), Column("reward", reward), GROUNDED, BY_SEED, BY_LENGTH],
    {arm: (arm,) for arm in ("cloned", "GRPO", "GiGPO")},
)
FRESH_SEEDS = Arms(
    "fresh_seeds",
    "household",
    [*success(), *difference("− terminal"), GROUNDED, BY_SEED, BY_LENGTH],
    {
        "cloned": ("cloned",),
        "terminal reward": ("PPO, terminal reward",),
        "SPA-RL": ("SPA-RL, paper's estimator, repaired",),
    },
)
FRESH_DIFFERENCES = Differences(
    "household",
    "SPA-RL − terminal, points",
    {
        "seeds 0 to 4": Contrast("SPA-RL", "terminal reward", ["methods"]),
        "seeds 5 to 8": Contrast("SPA-RL", "terminal reward", ["fresh_seeds"]),
        "all nine": Contrast("SPA-RL", "terminal reward", ["methods", "fresh_seeds"]),
    },
    {
        "25 to 29 steps (40 tasks)": (25, 29),
        "25 steps and more (80)": (25, math.inf),
        "fewer than 25 (200)": (1, 24),
        "`unseen` (256)": None,
    },
)
REGIME_LENGTHS = Differences(
    "household",
    "steps of the expert (40 tasks each)",
    {
        f"SPA-RL, {name} − terminal": Contrast(
            f"SPA-RL with {name}, per token", "terminal, per token", ["regime"]
        )
        for name in ("progress", "hindsight")
    },
    {bin_label(edges): (edges[0], edges[1] or math.inf) for edges in LENGTH_BINS},
)
REGIME = Arms(
    "regime",
    "household",
    [*success(), *difference("− terminal, per token"), BY_SEED],
    {
        "cloned": ("cloned",),
        "terminal, per token": ("PPO, terminal reward", "per token"),
        "SPA-RL with progress, per token": ("**SPA-RL, progress**", "per token"),
        "SPA-RL with hindsight, per token": ("**SPA-RL, hindsight**", "per token"),
        "mean, per token": ("mean: R / T at every step", "per token"),
        "random, per token": ("random: R split at random", "per token"),
        "SPA, per token": ("SPA-RL, paper's estimator, repaired", "per token"),
        "SPA as released, offline": ("SPA-RL as released, offline", "per token"),
        "SPA as published, per token": ("SPA-RL as published, online", "per token"),
        "terminal, per step": ("PPO, terminal reward", "per step"),
        "SPA-RL with progress, per step": ("SPA-RL, progress", "per step"),
    },
    heads=("method", "discount"),
)
LONG = Arms(
    "long",
    "household-long",
    [
        *success("success, `unseen`"),
        *difference("− terminal, preset"),
        Column("by seed, {seeds}", by_seed),
        BY_LENGTH,
        minutes(places=0),
    ],
    {
        "cloned": ("cloned",),
        "PPO, terminal reward": ("PPO, terminal reward", "preset"),
        "SPA-RL, progress": ("SPA-RL, progress", "preset"),
        "SPA-RL, hindsight": ("SPA-RL, hindsight", "preset"),
        "PPO, terminal reward, released discounts": ("PPO, terminal reward", "released"),
        "SPA-RL, progress, released discounts": ("SPA-RL, progress", "released"),
        "PPO, goal conditions": ("PPO, goal conditions, which the world tells", "preset"),
        "PPO, goal conditions, kept in failures": ("the same, kept in failures", "preset"),
    },
    heads=("method", "discounts"),
    other_machine=frozenset({0}),
)
PROBE_ARMS = {
    "exact": "exact credit",
    "shuffled": "exact credit, shuffled",
    "rft": "RFT",
    "spa_hindsight": "**SPA-RL, hindsight**",
    "stepagent": "StepAgent, implicit",
    "stepagent_inverse": "StepAgent by inverse RL",
    "mc_value": "Monte Carlo values",
    "monte_carlo": "Monte Carlo advantages",
    "mc_bisection": "Monte Carlo advantages by bisection",
    "prm4a": "PRM4A",
    "archer": "ArCHer",
    "mean": "mean",
    "rloo": "RLOO",
    "grpo": "GRPO",
    "gigpo": "GiGPO",
    "terminal": "PPO, terminal reward",
    "spa": "SPA-RL, paper's estimator, repaired",
    "spa_kept": "SPA-RL, paper's estimator, error kept, not clipped",
    "spa_progress": "SPA-RL, progress",
    "ragen": "RAGEN",
    "ragen_s": "RAGEN with filtered groups",
    "random": "random",
    "critic": "critic's TD errors",
    "mc_difference": "Monte Carlo differences",
    "progress_advantage": "progress advantage",
}
"""Arms of the positive controls without a discount."""
DISCOUNTED = {
    "spa_hindsight_discounted": "SPA-RL, hindsight; released discounts",
    "spa_progress_discounted": "SPA-RL, progress; released discounts",
    "terminal_discounted": "PPO, terminal reward; released discounts",
    "spa_published": "SPA-RL as published; released discounts",
    "spa_offline": "SPA-RL as published, offline; released discounts",
    "spa_released": "SPA-RL as released, offline; released discounts",
}
CONTROLS = Controls(
    {"gates": "`gates`", "signs": "`signs`", "search": "`search`", "last": "`last`"},
    [PROBE_ARMS, DISCOUNTED],
)
BISECTION = Scoreboards(
    "bisection/scoreboards.csv.gz",
    {
        "gigpo": "anchor states (GiGPO)",
        "spa_progress": "`spa_progress`",
        "mc_bisection_8": "`mc_bisection_8`",
        "spa_progress_bisection": "**`spa_progress_bisection`**",
        "second measurement": "second measurement, 8 at every step",
    },
)
MAP = CreditMap(
    {
        "published": "SPA-RL, estimator",
        "progress": "SPA-RL, progress",
        "hindsight": "SPA-RL, hindsight",
        "exact": "exact credit",
    },
    strong=frozenset(
        {(8, 0.22, "hindsight"), (12, 0.94, "hindsight"), (12, 0.22, "hindsight"), (12, 0.22, "exact")}
    ),
)
ALFWORLD, WEBSHOP, VIRTUALHOME = "ALFWorld unseen", "WebShop", "VirtualHome"


def _grounded(world: str) -> Callable[[Source], str]:
    """Executed steps of our SPA-RL in per cent."""
    return here(world, "SPA-RL", "grounding", 0)


IN_HOUSEHOLD = (
    "cloned", "cloned, two passes", "cloned, eight passes", "terminal reward", "SPA-RL",
    "SPA-RL, progress", "StepAgent", "RFT", "GRPO", "RAGEN", "GiGPO", "RLOO", "outcome spread evenly",
    "outcome split at random",
)  # fmt: skip
TABLES: Mapping[str, Rows] = {
    "household": HOUSEHOLD,
    "methods/household": methods(
        "household", [FROM_CLONE[0], GROUNDED, MINUTES, BY_SEED], *IN_HOUSEHOLD,
        elsewhere=frozenset(
            {"GiGPO", "GRPO", "RLOO", "outcome spread evenly", "outcome split at random"}
        ),
    ),
    "methods/household/lengths": parts("household", True, *IN_HOUSEHOLD),
    "methods/household/types": parts("household", False, *IN_HOUSEHOLD),
    "methods/virtualhome": methods(
        "virtualhome", [GROUNDED, MINUTES, BY_SEED, BY_LENGTH],
        "cloned", "cloned, two passes", "cloned, eight passes", "terminal reward", "SPA-RL",
        "SPA-RL, progress", "StepAgent", "GRPO", "GiGPO", "RFT", "RAGEN",
        elsewhere=frozenset({"GiGPO", "GRPO"}),
    ),
    "methods/webshop": methods(
        "webshop", [in_one_cell(FROM_CLONE), Column("reward", reward), GROUNDED, MINUTES, BY_SEED],
        "cloned", "cloned, two passes", "RFT", "terminal reward", "SPA-RL, progress", "SPA-RL", "GRPO",
        "RAGEN", "GiGPO", "StepAgent",
    ),
    "webshop_groups": WEBSHOP_GROUPS,
    "fresh_seeds": FRESH_SEEDS,
    "fresh_seeds/differences": FRESH_DIFFERENCES,
    "better_clone": BETTER_CLONE,
    "regime": REGIME,
    "regime/lengths": REGIME_LENGTHS,
    "long": LONG,
    "small": OneRun(
        "small", {"terminal": "PPO, terminal reward", "spa": "PPO, SPA-RL"}
    ),
    "bisection": BISECTION,
    "controls": CONTROLS,
    "map": MAP,
    "paper/alfworld": Cells(
        [
            [None, None, None],
            [None, paper(ALFWORLD, "PPO", " %"), None],
            [None, paper(ALFWORLD, "StepAgent", " %"), None],
            [
                None, paper(ALFWORLD, "SPA-RL", " %"),
                paper(ALFWORLD, "SPA-RL", " %", "grounded steps"),
            ],
            [None, paper(ALFWORLD, "SPA-RL without grounding", " %"), None],
            [
                None, paper(ALFWORLD, "SPA-RL without progress", " %"),
                paper(ALFWORLD, "SPA-RL without progress", " %", "grounded steps"),
            ],
            [None, paper(ALFWORLD, "Monte Carlo values", " %"), None],
            [None, None, None],
        ]
    ),
    "paper/webshop": Cells(
        [[None, *(paper(WEBSHOP, method) for method in ("SFT", "PPO", "RAGEN", "SPA-RL")), None]]
    ),
    "headline": Cells(
        [
            [None, bounded(world, "cloned"), bounded(world, "SPA-RL"), bounded(world, "terminal reward"),
             apart(world, "SPA-RL")]
            for world in ("household", "virtualhome", "webshop")
        ]
    ),
    "paper/beside": Cells(
        [
            [None, None, here("household", "cloned"), paper(WEBSHOP, "SFT"), shop("cloned"), None,
             here("virtualhome", "cloned")],
            [None, paper(ALFWORLD, "PPO"), here("household", "terminal reward"), paper(WEBSHOP, "PPO"),
             shop("terminal reward"), None, here("virtualhome", "terminal reward")],
            [None, paper(ALFWORLD, "StepAgent"), here("household", "StepAgent"), None, shop("StepAgent"),
             None, here("virtualhome", "StepAgent")],
            [None, paper(ALFWORLD, "RAGEN"), here("household", "RAGEN"), paper(WEBSHOP, "RAGEN"),
             shop("RAGEN"), None, here("virtualhome", "RAGEN")],
            [None, paper(ALFWORLD, "SPA-RL"), here("household", "SPA-RL"), paper(WEBSHOP, "SPA-RL"),
             shop("SPA-RL"), paper(VIRTUALHOME, "SPA-RL"), here("virtualhome", "SPA-RL")],
            [None, paper(ALFWORLD, "SPA-RL", "", "grounded steps"), _grounded("household"), None,
             _grounded("webshop"), paper(VIRTUALHOME, "SPA-RL", "", "grounded steps"),
             _grounded("virtualhome")],
        ]
    ),
}  # fmt: skip


def updated(page: str, text: str, *, points: bool = False) -> tuple[str, list[str]]:
    """The text of a page with its tables made again, and a line for every cell that changes.

    Args:
        page: name of its file.
        text: of the page.
        points: leave intervals out, which take minutes; any number in the page agrees with them.

    Raises:
        ValueError: a table that `TABLES` does not have, or one whose entry does not fit the data.
    """
    found: list[str] = []

    def made(match: re.Match[str]) -> str:
        begin, name, table = match.groups()
        if name not in TABLES:
            raise ValueError(f"{page}: no table {name!r}; there are: {', '.join(TABLES)}")
        old = [_cells(line) for line in table.splitlines() if not line.startswith("|--")]
        new = TABLES[name].rows(Source(page, points), old)
        found.extend(f"{page}: {name}: {said}" for said in _differences(old, new))
        heads, *rows = new
        return begin + "\n".join([_line(heads), f"|{'---|' * len(heads)}", *map(_line, rows)])

    return TABLE.sub(made, text), found


def _cells(line: str) -> Row:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", inner)]


def _line(cells: Row) -> str:
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def _differences(old: Sequence[Row], new: Sequence[Row]) -> Iterator[str]:
    heads, nothing = new[0], Row()
    for number, (before, after) in enumerate(zip_longest(old, new, fillvalue=nothing)):
        for place, (written, measured) in enumerate(zip_longest(before, after, fillvalue="")):
            if not _agree(written, measured):
                column = heads[place] if place < len(heads) else ""
                where = f"row {number} {(after or before)[0]!r}, column {place + 1} ({column})"
                yield f"{where}: {written!r} in the page, {measured!r} by the data"


def _agree(written: str, measured: str) -> bool:
    pattern = re.escape(measured).replace(re.escape(UNKNOWN), r"[+−]?\d+\.\d+")
    return re.fullmatch(pattern, written) is not None


def main(argv: Sequence[str] | None = None) -> int:
    """Make or check the tables of all pages; 1 if `--check` found a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say which cells differ")
    asked = parser.parse_args(argv)
    found: list[str] = []
    for page in PAGES:
        file = ROOT / page
        try:
            text, differences = updated(page, file.read_text(encoding="utf-8"))
        except ValueError as error:
            parser.error(str(error))
        found += differences
        if not asked.check:
            file.write_text(text, encoding="utf-8")
    sys.stdout.write("\n".join(found or ["all tables agree with the data"]) + "\n")
    return int(asked.check and bool(found))


if __name__ == "__main__":
    sys.exit(main())
