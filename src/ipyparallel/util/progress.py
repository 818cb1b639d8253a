"""Progress bars."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any


def progress(*args: Any, widget: bool | None = None, **kwargs: Any) -> Any:
    """A bar of `tqdm`.

    Parameters
    ----------
    *args, **kwargs
        For `tqdm.tqdm`.
    widget : bool, optional
        Whether it is a widget of a notebook; by default in a kernel where there are widgets.
    """
    if widget is None:
        widget = _in_kernel() and importlib.util.find_spec("ipywidgets") is not None
    if widget:
        from tqdm.notebook import tqdm_notebook

        return tqdm_notebook(*args, **kwargs)
    from tqdm import tqdm

    return tqdm(*args, **kwargs)


def _in_kernel() -> bool:
    """Whether this process is a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
