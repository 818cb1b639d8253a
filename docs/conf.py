"""The documentation site: ``make docs``.

Pages are text notebooks (MyST-NB): all their code runs at build time, against the package of this
checkout, and a cell that fails, or a reference that leads nowhere, fails the build.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sphinx.application import Sphinx

from ipyparallel import __version__

project = "ipyparallel"
author = "the ipyparallel developers"
release = version = __version__
html_title = f"ipyparallel {version}"

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc"]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
pygments_style = "default"

# ---- pages

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 60  # seconds a cell
nb_merge_streams = True

# ---- the API reference, from docstrings

autodoc_typehints = "none"  # docstrings tell the types, in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

# `name` in a docstring is a link if it is the name of something here, else a parameter's name
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [("py:obj", r"[a-z_]\w*")]


def setup(app: Sphinx) -> None:
    """Prepare where the pages' code runs.

    It is to find the commands of this environment, and a profile of its own: the reader's is not
    touched, and what a cluster logs when it starts stays out of the pages.
    """
    ipython_dir = Path(app.outdir).parent / "ipython"
    profile = ipython_dir / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipcluster_config.py").write_text("c.Cluster.log_level = 30  # warnings\n")
    os.environ["IPYTHONDIR"] = str(ipython_dir)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
