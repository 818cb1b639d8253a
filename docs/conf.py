"""The documentation site: ``make docs``.

Pages are text notebooks (MyST-NB): all their code runs at build time, against the package of this
checkout, and a cell that fails, or does not fail as it should, or a reference that leads nowhere,
fails the build.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from pathlib import Path

import nbformat
from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import inspect
from sphinx.util.logging import getLogger
from traitlets import HasTraits

import ipyparallel

logger = getLogger(__name__)

project = "ipyparallel"
author = "the ipyparallel developers"
release = version = ipyparallel.__version__
html_title = f"ipyparallel {version}"

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc"]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
pygments_style = "default"

# ---- pages

myst_enable_extensions = ["deflist", "substitution"]
myst_heading_anchors = 3  # links such as errors.md#when-it-fails

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 60  # seconds a cell

# ---- the API reference, from docstrings

autodoc_typehints = "none"  # docstrings tell the types, in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

# `name` in a docstring is a link if it is the name of something here, else a parameter's name
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [
    ("py:class", r"concurrent\.futures\._base\.\w+"),
    ("py:obj", r"[a-z_]\w*"),
    ("py:obj", r"(asyncio|concurrent\.futures|IPython)(\.\w+)*"),
]

#: Of Python and other packages, or told in words.
NOT_DOCUMENTED = {
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "MultipleInstanceError",
    "TimeoutError",
    "__version__",
    "error",
    "version_info",
}


#: Configuration of clusters and kernels on the pages.
QUIET = f"""\
c = get_config()
c.Application.log_level = c.Cluster.log_level = {logging.ERROR}
"""


def show_signature(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """Show the signature of ``__init__`` for classes with traits, which have a ``__new__``, too."""
    if not isinstance(obj, type) or not issubclass(obj, HasTraits):
        return None
    init = inspect.signature(obj.__init__, bound_method=True)
    return inspect.stringify_signature(init, show_annotation=False), ""


def find_by_last_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: Element
) -> Element | None:
    """Find classes that docstrings name without their module, wherever they are documented."""
    if node.get("refdomain") != "py" or not node["reftarget"][:1].isupper():
        return None
    node["refspecific"] = True
    domain = env.get_domain("py")
    return domain.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], node["reftarget"], node, contnode
    )


def check_all_is_documented(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of public names that the API reference leaves out."""
    documented = {name for name, *_ in env.get_domain("py").get_objects()}
    for name in set(ipyparallel.__all__) - NOT_DOCUMENTED:
        if f"ipyparallel.{name}" not in documented:
            logger.warning("%r is public, and not in the API reference", f"ipyparallel.{name}")


def check_outputs(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of cells that do not fail as they should, and of warnings that nobody expected.

    A cell that is meant to fail has the tags ``raises-exception`` and the name of the exception;
    one that is meant to write to stderr has the tag ``stderr``.
    """
    for path in sorted((Path(app.outdir).parent / "jupyter_execute").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            tags = set(cell.metadata.get("tags", ()))
            outputs = cell.get("outputs", ())
            raised = [f"{o.ename}: {o.evalue}" for o in outputs if o.output_type == "error"]
            expected = [tag for tag in tags if re.fullmatch(r"[A-Z]\w+", tag)]
            if any(name not in error for name in expected for error in raised or [""]):
                logger.warning(
                    "%s: %s is not raised, but %s:\n%s", path, expected, raised, cell.source
                )
            if "raises-exception" in tags and not expected:
                logger.warning("%s: what is raised is not said:\n%s", path, cell.source)
            if "stderr" not in tags and any(o.get("name") == "stderr" for o in outputs):
                logger.warning("%s: unexpected text on stderr:\n%s", path, cell.source)


def setup(app: Sphinx) -> None:
    """Connect the above, and prepare where the pages' code runs.

    It is to find the commands of this environment, and a profile of its own: the reader's is not
    touched, and what a cluster logs when it starts stays out of the pages.
    """
    app.connect("missing-reference", find_by_last_name)
    app.connect("autodoc-process-signature", show_signature)
    app.connect("env-check-consistency", check_all_is_documented)
    app.connect("env-check-consistency", check_outputs)
    ipython_dir = Path(app.outdir).parent / "ipython"
    profile = ipython_dir / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    for name in ("ipcluster", "ipython_kernel"):
        (profile / f"{name}_config.py").write_text(QUIET)
    os.environ["IPYTHONDIR"] = str(ipython_dir)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
