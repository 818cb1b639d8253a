"""Log levels and loggers."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any


def integer_loglevel(loglevel: int | str) -> int:
    """A log level as a number, given as one, or as a text: ``'10'``, ``'DEBUG'``.

    Raises
    ------
    ValueError
        There is no such level.
    """
    try:
        return int(loglevel)
    except ValueError:
        level = logging.getLevelNamesMapping().get(str(loglevel).upper())
        if level is None:
            raise ValueError(f"there is no log level {loglevel!r}") from None
        return level


def local_logger(logname: str, loglevel: int | str = logging.DEBUG) -> logging.Logger:
    """The logger of that name, which writes to standard error; made if need be."""
    logger = logging.getLogger(logname)
    if not any(isinstance(handler, logging.StreamHandler) for handler in logger.handlers):
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(
            logging.Formatter(
                "%(asctime)s.%(msecs)03d [%(name)s] %(levelname)s | %(message)s",
                "%Y-%m-%d %H:%M:%S",
            )
        )
        logger.addHandler(handler)
    logger.setLevel(integer_loglevel(loglevel))
    return logger


def log_errors(f: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for methods of objects with a ``log``: what is raised is logged, and goes no
    further. For callbacks, whose caller could do nothing with it."""

    @functools.wraps(f)
    def logged(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return f(self, *args, **kwargs)
        except Exception:
            self.log.exception("Uncaught exception in %r", f)
            return None

    return logged
