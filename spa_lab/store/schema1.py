"""Run folders of schema 1, which encoded in file names what a file holds; read, never written.

The only place that infers anything from a name: files of schema 2 have headers. A schema-1 run can be
inspected, drawn and scored, but training in it is not continued.

    trajectories/explore, eval-POLICY-PANEL; any other name is a set of episodes
    credits/held-out-SOURCE, fidelity-SOURCE; any other name is given from outside
    truths/NAME and NAME-again, the second measurement
    metrics/clone, estimate, ppo-METHOD; also fidelity (the scoreboard), fidelity-cost-SOURCE and
        intermediate results of `fidelity`, which are ignored
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

SCHEMA = 1

METHOD_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "sft": "cloning only",
        "ppo": "PPO, terminal reward",
        "spa": "PPO, SPA-RL",
        "critic_heads": "PPO, critic's credit",
        "critic": "PPO, critic's credit",
        "mean": "PPO, mean credit",
        "random": "PPO, random credit",
    }
)
"""Training methods of that time, by the names of that time."""
METHODS: Mapping[str, str] = MappingProxyType({"ppo": "terminal", "critic_heads": "critic"})
"""Training methods that have another name today: old name -> today's."""
SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "clock": "step_index",
        "mc_possible_8": "math_shepherd_8",
        "mc_value_5": "ipr_5",
        "critic_heads": "critic",
    }
)
"""Credit sources that have another name today: old name -> today's."""


def record_of(line: dict[str, Any]) -> dict[str, Any]:
    """A line of schema 1 as the record that it holds.

    Raises:
        ValueError: the line is of another schema.
    """
    if line.get("schema") != SCHEMA:
        raise ValueError(f"schema {line.get('schema')!r} found, {SCHEMA} expected as in the first line")
    return {key: value for key, value in line.items() if key != "schema"}


def renamed(record: dict[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """The record with today's names of methods and sources, where this package chose the names."""
    if header.get("role") == "evaluation" and isinstance(record.get("policy"), str):
        return record | {"policy": METHODS.get(record["policy"], record["policy"])}
    ours = header.get("role") in ("held_out", "scored") or header["holds"] == "results"
    if ours and isinstance(record.get("source"), str):
        return record | {"source": SOURCES.get(record["source"], record["source"])}
    return record


def header_of(kind: str, name: str) -> dict[str, Any]:
    """What the name of a file in the folder `kind` says of its content, as a header of schema 2."""
    if kind == "trajectories":
        return {"holds": "trajectories"} | _trajectories(name)
    if kind == "credits":
        return {"holds": "credits"} | _credits(name)
    if kind == "truths":
        measurement = "second" if name.endswith("-again") else "first"
        return {"holds": "truths", "measurement": measurement}
    if kind == "metrics":
        return _metrics(name)
    return {"holds": kind}


def _trajectories(name: str) -> dict[str, Any]:
    if name == "explore":
        return {"role": "explored", "policy": "cloned", "panel": "train"}
    if found := re.fullmatch(r"eval-([^-]+)-(.+)", name):
        return {"role": "evaluation", "policy": METHODS.get(found[1], found[1]), "panel": found[2]}
    return {"role": "episodes", "policy": None, "panel": None}


def _credits(name: str) -> dict[str, Any]:
    for prefix, role in (("held-out-", "held_out"), ("fidelity-", "scored")):
        if name.startswith(prefix):
            source = name.removeprefix(prefix)
            return {"role": role, "source": SOURCES.get(source, source)}
    return {"role": "given", "source": None}


def _metrics(name: str) -> dict[str, Any]:
    if name == "fidelity":
        return {"holds": "results", "result": "scoreboard"}
    if name.startswith("fidelity-cost-"):
        return {"holds": "results", "result": "costs"}
    if name.startswith("fidelity-"):
        return {"holds": "results", "result": "intermediate"}
    if name.startswith("ppo-"):
        method = name.removeprefix("ppo-")
        return {"holds": "metrics", "stage": "ppo", "method": METHODS.get(method, method)}
    return {"holds": "metrics", "stage": name, "method": None}


def methods_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Name of today -> title of the training methods that a run was begun with."""
    names = config.get("methods", [])
    titles = {name: METHOD_TITLES.get(name, name) for name in names if isinstance(name, str)}
    return {METHODS.get(name, name): title for name, title in titles.items()}
