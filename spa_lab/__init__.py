"""spa_lab: step-wise credit assignment for language agents, in notebooks and on the command line.

The names in `__all__` are the public API, described in docs/api.md. Each is imported when it is first used,
so that `import spa_lab` is fast and reading a saved run needs no torch. Widgets are in `spa_lab.widgets`.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spa_lab import advantages as advantages
    from spa_lab import exercises as exercises
    from spa_lab import rewards as rewards
    from spa_lab import stats as stats
    from spa_lab.agent.models import load_policy as load_policy
    from spa_lab.agent.rollout import EpisodeSpec as EpisodeSpec
    from spa_lab.agent.rollout import Policy as Policy
    from spa_lab.agent.rollout import rollout as rollout
    from spa_lab.configs.presets import Preset as Preset
    from spa_lab.configs.presets import preset_named as preset  # noqa: F401
    from spa_lab.configs.rollout import RolloutConfig as RolloutConfig
    from spa_lab.configs.server import ServerConfig as ServerConfig
    from spa_lab.credit.calibration import calibrate as calibrate
    from spa_lab.credit.fidelity import scoreboard as scoreboard
    from spa_lab.credit.label_scores import label_scoreboard as label_scoreboard
    from spa_lab.credit.methods.base import CreditMethod as CreditMethod
    from spa_lab.credit.methods.base import credit_method as credit_method
    from spa_lab.envs.base import Environment as Environment
    from spa_lab.envs.base import Reply as Reply
    from spa_lab.envs.base import Task as Task
    from spa_lab.envs.base import World as World
    from spa_lab.envs.demonstrations import demonstrate as demonstrate
    from spa_lab.envs.probes import probe_environment as probe_environment
    from spa_lab.envs.worlds import make_environment as make_environment
    from spa_lab.importers import import_log as import_log
    from spa_lab.learn.cloning import clone as clone
    from spa_lab.learn.estimator import fit_estimator as fit_estimator
    from spa_lab.learn.method import TrainingMethod as TrainingMethod
    from spa_lab.learn.methods import find_method as find_method
    from spa_lab.pipeline.comparison import Comparison as Comparison
    from spa_lab.pipeline.experiment import Experiment as Experiment
    from spa_lab.pipeline.fidelity import fidelity as fidelity
    from spa_lab.pipeline.figures import figures as figures
    from spa_lab.pipeline.gradient_fidelity import gradient_fidelity as gradient_fidelity
    from spa_lab.pipeline.grid.comparison import compare as compare
    from spa_lab.pipeline.metrics_feed import MetricsRow as MetricsRow
    from spa_lab.pipeline.notebook import watched_train as watched_train
    from spa_lab.pipeline.train import train as train
    from spa_lab.store import Run as Run
    from spa_lab.truth.bisected import bisected_values as bisected_values
    from spa_lab.truth.exact import exact_values as exact_values
    from spa_lab.truth.monte_carlo import branch_outcomes as branch_outcomes
    from spa_lab.truth.outcomes import BranchOutcomes as BranchOutcomes
    from spa_lab.truth.scripted import ScriptedPlayer as ScriptedPlayer
    from spa_lab.types import Credit as Credit
    from spa_lab.types import Labels as Labels
    from spa_lab.types import Step as Step
    from spa_lab.types import TokenNumbers as TokenNumbers
    from spa_lab.types import Trajectory as Trajectory
    from spa_lab.types import ValueTruth as ValueTruth
    from spa_lab.view import paper as paper
    from spa_lab.view import tables as tables
    from spa_lab.view.picture.credit_picture import credit_picture as credit_picture
    from spa_lab.view.widgets.inspect import inspect as inspect

__version__ = "0.1.0"

_SOURCES = {
    # data
    "Step": "types:Step",
    "Trajectory": "types:Trajectory",
    "Credit": "types:Credit",
    "ValueTruth": "types:ValueTruth",
    "Labels": "types:Labels",
    "TokenNumbers": "types:TokenNumbers",
    "Run": "store:Run",
    "import_log": "importers:import_log",
    # settings
    "Preset": "configs.presets:Preset",
    "preset": "configs.presets:preset_named",
    "RolloutConfig": "configs.rollout:RolloutConfig",
    "ServerConfig": "configs.server:ServerConfig",
    # worlds
    "Environment": "envs.base:Environment",
    "World": "envs.base:World",
    "Task": "envs.base:Task",
    "Reply": "envs.base:Reply",
    "make_environment": "envs.worlds:make_environment",
    "probe_environment": "envs.probes:probe_environment",
    "demonstrate": "envs.demonstrations:demonstrate",
    # agents and learning
    "Policy": "agent.rollout:Policy",
    "EpisodeSpec": "agent.rollout:EpisodeSpec",
    "load_policy": "agent.models:load_policy",
    "rollout": "agent.rollout:rollout",
    "clone": "learn.cloning:clone",
    "fit_estimator": "learn.estimator:fit_estimator",
    "TrainingMethod": "learn.method:TrainingMethod",
    "find_method": "learn.methods:find_method",
    # credit and its measurement
    "CreditMethod": "credit.methods.base:CreditMethod",
    "credit_method": "credit.methods.base:credit_method",
    "BranchOutcomes": "truth.outcomes:BranchOutcomes",
    "ScriptedPlayer": "truth.scripted:ScriptedPlayer",
    "bisected_values": "truth.bisected:bisected_values",
    "branch_outcomes": "truth.monte_carlo:branch_outcomes",
    "exact_values": "truth.exact:exact_values",
    "scoreboard": "credit.fidelity:scoreboard",
    "label_scoreboard": "credit.label_scores:label_scoreboard",
    "calibrate": "credit.calibration:calibrate",
    # runs
    "Experiment": "pipeline.experiment:Experiment",
    "train": "pipeline.train:train",
    "watched_train": "pipeline.notebook:watched_train",
    "MetricsRow": "pipeline.metrics_feed:MetricsRow",
    "fidelity": "pipeline.fidelity:fidelity",
    "gradient_fidelity": "pipeline.gradient_fidelity:gradient_fidelity",
    "compare": "pipeline.grid.comparison:compare",
    "Comparison": "pipeline.comparison:Comparison",
    "figures": "pipeline.figures:figures",
    "inspect": "view.widgets.inspect:inspect",
    "credit_picture": "view.picture.credit_picture:credit_picture",
    # modules
    "advantages": "advantages",
    "exercises": "exercises",
    "paper": "view.paper",
    "rewards": "rewards",
    "stats": "stats",
    "tables": "view.tables",
}
"""Public name -> "module:attribute" or module, below `spa_lab`."""

__all__ = list(_SOURCES)


def __getattr__(name: str) -> Any:
    """A name of the public API, imported when it is first used."""
    if name not in _SOURCES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module_name, _, attribute = _SOURCES[name].partition(":")
    module = import_module(f"{__name__}.{module_name}")
    if module_name.startswith("view."):
        _register_html()
    value = getattr(module, attribute) if attribute else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _register_html() -> None:
    """Let IPython show the types as HTML."""
    from spa_lab.view.register import register

    register()


if "IPython" in sys.modules:
    _register_html()
