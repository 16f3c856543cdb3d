"""Widgets: live views of trajectories, credits and runs that share one `Selection`.

Every widget shows the HTML that `view` draws in Python, and a copy of it stays in the notebook where there is
no kernel. The browser's part (`host.js`) only reports clicks, keys and sliders. Knows nothing of models: what
must be computed live is handed in as a callable.
"""

from spa_lab.view.collection import Collection, Query
from spa_lab.view.widgets.inspector import Inspector
from spa_lab.view.widgets.opened import inspect
from spa_lab.view.widgets.selection import Selection

__all__ = ["Collection", "Inspector", "Query", "Selection", "inspect"]
