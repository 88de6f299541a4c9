"""Settings of the manual.

At every build the pages in ``reference/`` are written from the code, and those in ``_generated/``
from the shipped basin, from runs of its cases (kept until something changes) and from the
benchmarks.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import wateralloc

sys.path.insert(0, str(Path(__file__).parent))

import generate
import growth_figure
import passes_figure
import performance_table
import red_river_map
import red_river_results

project = "wateralloc"
author = "the wateralloc authors"
project_copyright = "2026, the wateralloc authors"
version = release = wateralloc.__version__

extensions = [
    "mathml",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "_generated", "_templates"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Notebooks stand in git without outputs; what they print is made here, and kept as runs are.
nb_execution_mode = "cache"
nb_execution_cache_path = str(red_river_results.kept("notebooks"))
nb_execution_in_temp = True
# The kernel listens on this machine alone, and need not warn of it at every build.
profile = Path(__file__).parent / "_build" / "ipython" / "profile_default"
profile.mkdir(parents=True, exist_ok=True)
(profile / "ipython_kernel_config.py").write_text("get_config().IPKernelApp.log_level = 'ERROR'\n")
os.environ["IPYTHONDIR"] = str(profile.parent)
nb_execution_raise_on_error = True
nb_execution_timeout = 300
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["NO_COLOR"] = "1"  # of commands in notebooks

default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = ["Equation", "Source"]

html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_theme = "pydata_sphinx_theme"
html_title = f"wateralloc {release}"
html_theme_options = {
    "logo": {"text": "wateralloc"},
    "show_prev_next": True,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_center": [],  # the pages stand on the left, by their parts
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"**": ["contents"]}
templates_path = ["_templates"]
html_show_sourcelink = False

here = Path(__file__).parent
generate.write(here / "reference")
generate.write_in_vietnamese(here / "_generated")
performance_table.write(here / "_generated")
growth_figure.write(here)
red_river_map.write(here / "_generated")
red_river_results.write(here / "_generated")
passes_figure.write(here / "_generated")
