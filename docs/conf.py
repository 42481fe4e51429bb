"""Settings of the documentation: ``sphinx-build -W docs site``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _pages import write_pages  # noqa: E402

import geozoo  # noqa: E402

write_pages()

project = "geozoo"
author = "The geozoo developers"
copyright = author  # noqa: A001
release = geozoo.__version__
extensions = [
    "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon",
]  # fmt: skip
exclude_patterns = ["*.py", "__pycache__"]
html_theme = "furo"
html_title = "geozoo"
html_show_sphinx = False

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# A card is written to be read on its own: its headings need not begin at one.
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Shape", "params_style"), "Reference"]
