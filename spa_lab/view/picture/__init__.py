"""One episode as a drawing: steps, outcome, how the outcome is split over the steps, and what was measured.

scene.py            the drawing as rectangles, polygons, lines and words, with one palette
columns.py          places of columns and rows; words of a step within a box
layout.py           an episode with its credit as a scene
svg.py, tikz.py     a scene as SVG that follows light and dark, and as TikZ
plot.py             a scene as a matplotlib figure, for PDF and PNG
credit_picture.py   the public function
"""
