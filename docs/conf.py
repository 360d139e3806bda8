"""How the docs are built: ``sphinx-build -W docs docs/_build``."""

from __future__ import annotations

from pandas_clicdata import __version__

project = "pandas-clicdata"
author = "The pandas-clicdata maintainers"
copyright = "2026, " + author  # noqa: A001
release = version = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["_build", "_templates", "jupyter_execute"]
templates_path = ["_templates"]

html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_title = f"pandas-clicdata {release}"
html_sidebars = {"index": [], "changes": []}
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["docs.css"]

# One page per public name, made from its docstring.
autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
add_module_names = False
toc_object_entries_show_parents = "hide"
smartquotes = False  # `{"fail", "append"}` in docstrings is code
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
python_maximum_signature_line_length = 88

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 60
