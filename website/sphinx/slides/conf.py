"""Settings of Sphinx for the slides; `python -m website.slides` calls it with the decks."""

from pathlib import Path

project = "spa_lab"
author = "the spa_lab developers"
copyright = author
extensions = ["myst_parser", "sphinx_revealjs", "website.sphinx.mathml"]
myst_enable_extensions = ["colon_fence", "dollarmath", "amsmath"]
suppress_warnings = ["myst.header", "myst.xref_missing"]
pygments_style = "friendly"
highlight_language = "python"

revealjs_style_theme = "white"
revealjs_static_path = [str(Path(__file__).parent / "_static")]
revealjs_css_files = ["pygments.css", "slides.css"]
revealjs_script_conf = {
    "hash": True,
    "controls": True,
    "slideNumber": "c/t",
    "width": 1280,
    "height": 800,
    "transition": "none",
}
revealjs_script_plugins: list[dict[str, str]] = []
