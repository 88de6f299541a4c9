"""Settings of the manual; the pages in reference/ are written from the code at every build."""

from __future__ import annotations

import sys
from pathlib import Path

import wateralloc

sys.path.insert(0, str(Path(__file__).parent))

import generate

project = "wateralloc"
author = "the wateralloc authors"
project_copyright = "2026, the wateralloc authors"
version = release = wateralloc.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = ["Equation", "Source"]

html_theme = "pydata_sphinx_theme"
html_title = f"wateralloc {release}"
html_theme_options = {
    "logo": {"text": "wateralloc"},
    "show_prev_next": True,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_show_sourcelink = False

generate.write(Path(__file__).parent / "reference")
