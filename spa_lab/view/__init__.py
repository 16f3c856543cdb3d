"""Looking: trajectories and credits as tables, figures and widgets.

`frames` is the only way in; `evaluation` counts; `screen` (plotly) and `paper` (matplotlib) draw the same
pictures twice, for a notebook and for print. Knows nothing of models and tensors.
"""
