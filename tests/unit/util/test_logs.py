"""Log levels and loggers."""

import logging

import pytest

from ipyparallel.util import integer_loglevel, local_logger, log_errors


@pytest.mark.parametrize("level", [10, "10", "DEBUG", "debug"])
def test_levels(level):
    assert integer_loglevel(level) == 10


def test_what_is_no_level():
    with pytest.raises(ValueError, match="no log level 'loud'"):
        integer_loglevel("loud")


def test_a_logger_is_made_once():
    logger = local_logger("ipyparallel.test", "INFO")
    assert logger.level == logging.INFO
    assert local_logger("ipyparallel.test") is logger
    assert len(logger.handlers) == 1


class Worker:
    log = logging.getLogger("ipyparallel.test.worker")

    @log_errors
    def divide(self, a, b=0):
        """Divide."""
        return a / b


def test_what_is_raised_is_logged_and_goes_no_further(caplog):
    assert Worker().divide(4, b=2) == 2
    assert caplog.records == []
    assert Worker().divide(1) is None
    assert "Uncaught exception in" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert Worker.divide.__doc__ == "Divide."
