"""The built-in training methods by name; importing this module needs no torch.

Each method is a module of this package with a `TrainingMethod` named `METHOD`, imported when it is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from spa_lab.plugins import is_object_path, load_object, unknown_name

if TYPE_CHECKING:
    from spa_lab.learn.method import TrainingMethod


@dataclass(frozen=True)
class MethodEntry:
    """A method's description, available without importing it."""

    factory: str | None
    """`package.module:attribute` of its `TrainingMethod`; None: cloning only, no training stage."""
    title: str
    """As shown in tables and figures."""
    summary: str
    """One line for `--help`."""
    needs: frozenset[str] = frozenset()
    """As in `TrainingMethod.needs`."""


def _entry(name: str, title: str, summary: str, *needs: str) -> MethodEntry:
    return MethodEntry(f"{__name__}.{name}:METHOD", title, summary, frozenset(needs))


METHODS: Mapping[str, MethodEntry] = MappingProxyType(
    {
        "sft": MethodEntry(None, "cloned", "behaviour cloning only"),
        "rft": _entry("rft", "RFT", "behaviour cloning on the policy's own successes", "demonstrations"),
        "terminal": _entry("terminal", "terminal reward", "PPO on the outcome, paid at the last step"),
        "spa": _entry(
            "spa",
            "SPA-RL",
            "PPO on the progress estimator's contributions and grounding",
            "explored",
            "estimator",
        ),
        "spa_offline": _entry(
            "spa_offline",
            "SPA-RL, offline",
            "SPA-RL in one pass over the explorations, as the released code trains",
            "explored",
            "estimator",
        ),
        "spa_released": _entry(
            "spa_released",
            "SPA-RL, released rule",
            "what the released code trains on: outcome less the task's mean, weighted by T - t - 1, offline",
            "explored",
        ),
        "spa_progress": _entry(
            "spa_progress",
            "SPA-RL, progress",
            "progress by sibling rollouts and a small model refitted in each iteration, no critic",
            "explored",
        ),
        "spa_hindsight": _entry(
            "spa_hindsight",
            "SPA-RL, hindsight",
            "progress by a language model that is told the outcome, refitted in each iteration, no critic",
            "explored",
        ),
        "prm4a": _entry(
            "prm4a",
            "PRM4A",
            "a process reward model of returns, in three rounds, compares steps at one history",
            "explored",
        ),
        "archer": _entry(
            "archer", "ArCHer", "twin critics of whole steps, learnt off-policy, as advantages", "explored"
        ),
        "stepagent": _entry(
            "stepagent", "StepAgent", "prefers the expert's step to its own, without reward", "demonstrations"
        ),
        "stepagent_inverse": _entry(
            "stepagent_inverse",
            "StepAgent, inverse RL",
            "PPO on a discriminator of the expert's and its own steps",
            "demonstrations",
        ),
        "critic": _entry(
            "critic", "critic's TD errors", "PPO on the TD errors of an ensemble critic", "explored"
        ),
        "mean": _entry("mean", "outcome spread evenly", "PPO on R / T at every step"),
        "random": _entry("random", "outcome split at random", "PPO on a random split of R"),
        "ragen": _entry("ragen", "RAGEN", "StarPO: PPO over whole episodes, token GAE without discount"),
        "ragen_s": _entry(
            "ragen_s", "RAGEN, StarPO-S", "StarPO on the tasks whose outcomes differ most, no KL, wider clip"
        ),
        "mc_value": _entry(
            "mc_value", "Monte Carlo values", "PPO on the mean outcome of continuations after each step"
        ),
        "mc_difference": _entry(
            "mc_difference", "Monte Carlo differences", "PPO on how much each step changed that mean"
        ),
        "goal_conditions": _entry(
            "goal_conditions",
            "goal conditions",
            "PPO on the goal's conditions that a step fulfils, which the world tells; a reference",
        ),
        "progress_advantage": _entry(
            "progress_advantage", "progress advantage", "PPO on the log-ratio of the policy to its clone"
        ),
        "rloo": _entry("rloo", "RLOO", "leave-one-out baseline over groups of a task, no critic"),
        "grpo": _entry("grpo", "GRPO", "outcomes standardised over groups of a task, no critic"),
        "gigpo": _entry("gigpo", "GiGPO", "returns compared in groups of a task and of a state, no critic"),
        "monte_carlo": _entry(
            "monte_carlo", "Monte Carlo", "progress by continuations of the current policy, the oracle"
        ),
        "mc_bisection": _entry(
            "mc_bisection",
            "Monte Carlo, bisection",
            "the same at the few steps that bisection finds, at a fraction of the continuations",
        ),
    }
)
"""In the order in which tables list them."""


_RENAMED: Mapping[str, str] = MappingProxyType({"ppo": "terminal", "critic_heads": "critic"})


def check_method_name(name: str) -> None:
    """Raise unless `name` is in `METHODS` or has the form of an object's path; needs no torch.

    Raises:
        ValueError: lists the names.
    """
    if name in _RENAMED:
        raise ValueError(f"no training method {name!r}: it is now called {_RENAMED[name]!r}")
    if name not in METHODS and not is_object_path(name):
        raise unknown_name("training method", name, list(METHODS))


def find_method(method: "str | TrainingMethod") -> "TrainingMethod":
    """The training method of that name.

    Args:
        method: a name in `METHODS`, "package.module:attribute", or the method itself.

    Raises:
        ValueError: there is no such method, it cannot be imported, or the object is no `TrainingMethod`.
    """
    from spa_lab.learn.method import TrainingMethod

    if isinstance(method, TrainingMethod):
        return method
    if is_object_path(method):
        loaded = load_object(method, "training method")
        if not isinstance(loaded, TrainingMethod):
            raise ValueError(
                f"training method {method!r}: expected a spa_lab.learn.method.TrainingMethod, "
                f"got {type(loaded).__name__}"
            )
        if loaded.name in METHODS:
            raise ValueError(f"training method {method!r}: its name {loaded.name!r} is a built-in method's")
        return replace(loaded, path=method)
    check_method_name(method)
    factory = METHODS[method].factory
    if factory is None:
        raise ValueError(f"method {method!r} is behaviour cloning only and has no training stage")
    builtin: TrainingMethod = load_object(factory, "training method")
    return builtin
