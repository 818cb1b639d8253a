"""The magics of IPython, such as ``%px``. Imported only where IPython is running."""

from .magics import NO_LAST_RESULT, ParallelMagics, exec_args, output_args

__all__ = ["NO_LAST_RESULT", "ParallelMagics", "exec_args", "output_args"]
