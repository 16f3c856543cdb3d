"""A small folder in the layout of ALFWorld's data, made of recorded games, and demonstrations for it."""

import gzip
import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parents[1] / "fixtures" / "alfworld" / "games.jsonl.gz"
DOMAIN = "(define (domain alfred))"
GRAMMAR = """grammar :: \"\"\"
    {"task": [{"rhs": "Your task is to: UNKNOWN GOAL."}]}
\"\"\";
action PutObject {
    template :: "move {o} to {r}";
}
"""
OLDER_GRAMMAR = GRAMMAR.replace("move {o} to {r}", "put {o} in/on {r}")
FOLDERS = ("train", "valid_seen", "valid_unseen")


def recorded_games() -> list[dict[str, Any]]:
    """The 36 games, six of each type in a row."""
    with gzip.open(RECORDED, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_trial(
    folder: Path, game: dict[str, Any], *, params: dict[str, Any] | None = None, **changes: Any
) -> Path:
    """A trial folder as the official release has it; a change to None leaves a key out."""
    folder.mkdir(parents=True)
    content = {
        "pddl_domain": DOMAIN,
        "grammar": GRAMMAR.replace("UNKNOWN GOAL", game["task"]),
        "pddl_problem": game["pddl_problem"],
        "solvable": True,
        "walkthrough": ["look", "inventory"],
    } | changes
    facts = {"task_type": game["task_type"], "pddl_params": {} if params is None else params}
    (folder / "game.tw-pddl").write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    (folder / "traj_data.json").write_text(json.dumps(facts))
    return folder


def write_data(folder: Path, per_type: int = 1, grammar: str = GRAMMAR) -> Path:
    """`per_type` games of each of the six types in each of the three splits; returns the folder."""
    games = recorded_games()
    for split, name in enumerate(FOLDERS):
        for kind in range(6):
            for i in range(per_type):
                game = games[6 * kind + (split + i) % 6]
                trial = folder / f"json_2.1.1/{name}/{game['task_type']}-X-None-Y-{split}/trial_T{i + 1}"
                write_trial(trial, game, grammar=grammar.replace("UNKNOWN GOAL", game["task"]))
    return folder
