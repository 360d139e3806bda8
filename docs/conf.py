"""How the docs are built: ``sphinx-build -W docs docs/_build``."""

from __future__ import annotations

from pandas_clicdata import __version__

project = "pandas-clicdata"
author = "The pandas-clicdata maintainers"
copyright = "2026, " + author  # noqa: A001
release = version = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "alabaster"
html_theme_options = {"description": "Every value as it was, every row exactly once."}
html_static_path = ["_static"]
html_css_files = ["notebook.css"]
autodoc_typehints = "none"
napoleon_google_docstring = False
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 60
