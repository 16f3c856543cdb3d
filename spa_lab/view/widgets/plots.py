"""A single chart as a view, and charts of plain tables as such."""

from typing import Any

from spa_lab.view.charts.chart import Chart
from spa_lab.view.charts.frames import bars_chart, lines_chart, points_chart
from spa_lab.view.widgets.host import Host, chart_pane


class ChartView(Host):
    """One chart: interactive beside a kernel, a still image without one, light or dark as the page is.

    Args:
        chart: of `view.charts`.
    """

    chart = chart_pane()

    def __init__(self, chart: Chart) -> None:
        super().__init__(panes=["chart"], name=chart.description)
        self.draw_chart("chart", chart)


def plot_lines(panels: Any, **options: Any) -> ChartView:
    """`charts.lines_chart` as a view: a line for every column over the index."""
    return ChartView(lines_chart(panels, **options))


def plot_bars(panels: Any, **options: Any) -> ChartView:
    """`charts.bars_chart` as a view: bars for the columns, a group for every row."""
    return ChartView(bars_chart(panels, **options))


def plot_points(panels: Any, **options: Any) -> ChartView:
    """`charts.points_chart` as a view: a point for every row of columns "x" and "y"."""
    return ChartView(points_chart(panels, **options))
