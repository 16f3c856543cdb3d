"""Charts on screen: plotly figures made from `view.tables`."""
