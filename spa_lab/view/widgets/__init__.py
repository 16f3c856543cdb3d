"""Widgets: live views of trajectories, credits and runs that share one `Selection`.

Every widget shows the HTML that `view` draws in Python, and a copy of it stays in the notebook where there is
no kernel. The browser's part (`host.js`) only reports clicks, keys and sliders. Knows nothing of models: what
must be computed live is handed in as a callable.
"""

from spa_lab.view.tables.collection import Collection, Query
from spa_lab.view.widgets.branch import BranchView
from spa_lab.view.widgets.explorer import RewardExplorer
from spa_lab.view.widgets.gradient import GradientInspector
from spa_lab.view.widgets.inspect import inspect
from spa_lab.view.widgets.inspector import Inspector
from spa_lab.view.widgets.lengths import LengthView
from spa_lab.view.widgets.monitor import Monitor
from spa_lab.view.widgets.runs import RunBrowser
from spa_lab.view.widgets.scoreboard import Scoreboard
from spa_lab.view.widgets.selection import Selection

__all__ = [
    "BranchView",
    "Collection",
    "GradientInspector",
    "Inspector",
    "LengthView",
    "Monitor",
    "Query",
    "RewardExplorer",
    "RunBrowser",
    "Scoreboard",
    "Selection",
    "inspect",
]
