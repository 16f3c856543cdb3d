"""Settings of Sphinx; `python -m website` calls it with the assembled pages."""

from website.sphinx import UNINSTALLED

project = "spa_lab"
author = "the spa_lab developers"
copyright = author
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "website.sphinx.mathml",
    "website.sphinx.plain_docstrings",
]
exclude_patterns = ["runs"]
keep_warnings = False
html_show_copyright = False

# pages
html_theme = "furo"
html_title = "spa_lab"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "monokai"

# Markdown
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist", "amsmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

# notebooks are executed before, if at all
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, object] = {}  # would come from another host
nb_render_markdown_format = "myst"

# docstrings
autodoc_mock_imports = list(UNINSTALLED)
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "undoc-members": False, "exclude-members": "__init__"}
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Columns", "params_style")]
add_module_names = False
python_use_unqualified_type_names = True
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type"]
