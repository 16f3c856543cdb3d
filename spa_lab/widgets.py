"""The widgets for notebooks: `from spa_lab.widgets import Inspector, BranchView, Selection`.

    Inspector           an episode step by step, with every source's credit beside the measured truth
    RewardExplorer      how credit becomes reward and advantage, with sliders
    BranchView          continuations of a step, and what another action would have led to
    LengthView          success by length of the task
    Scoreboard          every credit source scored against the truth
    GradientInspector   what a training update saw of every token
    Monitor             the training curves of a run, live
    RunBrowser          the runs below a folder; browse_runs puts the inspector of the chosen ones below it
    ChartView           one chart; plot_lines, plot_bars, plot_points make it of a table
    Table               a frame with text flush left and few digits
    Selection           the trajectory and step that several widgets share
    Collection, Query   what an inspector lists, and a filter of it

Each has `to_frame()` where it draws a table and `to_figure()` where it draws a chart.
"""

from spa_lab.view.html.frames import Table
from spa_lab.view.register import register
from spa_lab.view.tables.collection import Collection, Query
from spa_lab.view.widgets.branch import BranchView
from spa_lab.view.widgets.browse import browse_runs
from spa_lab.view.widgets.explorer import RewardExplorer
from spa_lab.view.widgets.gradient import GradientInspector
from spa_lab.view.widgets.inspect import inspect
from spa_lab.view.widgets.inspector import Inspector
from spa_lab.view.widgets.lengths import LengthView
from spa_lab.view.widgets.monitor import Monitor
from spa_lab.view.widgets.plots import ChartView, plot_bars, plot_lines, plot_points
from spa_lab.view.widgets.runs import RunBrowser
from spa_lab.view.widgets.scoreboard import Scoreboard
from spa_lab.view.widgets.selection import Selection

__all__ = [
    "BranchView",
    "ChartView",
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
    "Table",
    "browse_runs",
    "inspect",
    "plot_bars",
    "plot_lines",
    "plot_points",
]

register()
