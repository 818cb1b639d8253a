"""Shows what engines wrote, displayed and returned: live (`live`), or when it is done (`grouped`).

``text`` decides on prefixes and newlines, ``screen`` knows where things are shown: a script, a
terminal with IPython, a notebook.
"""

from .grouped import display_outputs
from .live import LiveOutput

__all__ = ["LiveOutput", "display_outputs"]
