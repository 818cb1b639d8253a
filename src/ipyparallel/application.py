"""What the three commands have in common: the profile, the log, the configuration files.

This is traitlets' Application with the names that IPython's applications use, and without
importing IPython, which a controller has no use for.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

from traitlets import Bool, Unicode
from traitlets.config import Application, catch_config_error

from ._version import __version__
from .protocol import profiles

base_aliases: dict[Any, Any] = {
    "log-level": "Application.log_level",
    "profile": "BaseParallelApplication.profile",
    "profile-dir": "BaseParallelApplication.profile_folder",
    "ipython-dir": "BaseParallelApplication.ipython_dir",
    "config": "BaseParallelApplication.extra_config_file",
    "work-dir": "BaseParallelApplication.work_dir",
    "cluster-id": "BaseParallelApplication.cluster_id",
    "log-to-file": "BaseParallelApplication.log_to_file",
}

base_flags: dict[str, Any] = {
    "log-to-file": (
        {"BaseParallelApplication": {"log_to_file": True}},
        "Write the log to a file in the profile's log folder.",
    ),
    "debug": ({"Application": {"log_level": logging.DEBUG}}, "Log everything."),
    "quiet": ({"Application": {"log_level": logging.CRITICAL}}, "Log only what is fatal."),
}


class BaseParallelApplication(Application):
    """An application that works in a profile."""

    version = __version__
    aliases = base_aliases
    flags = base_flags

    profile = Unicode("", help="Name of the IPython profile; by default 'default'.").tag(
        config=True
    )
    profile_folder = Unicode("", help="Path of the profile folder, instead of a name.").tag(
        config=True
    )
    ipython_dir = Unicode("", help="IPython's folder, where profiles are.").tag(config=True)
    extra_config_file = Unicode("", help="One more configuration file to load.").tag(config=True)
    work_dir = Unicode("", help="Folder to work in; by default the current one.").tag(config=True)
    log_to_file = Bool(False, help="Whether to log to a file instead of stderr.").tag(config=True)
    cluster_id = Unicode("", help="Tells apart several clusters of one profile.").tag(config=True)

    #: Prefix of the configuration files ``<config_name>_config.py`` and ``.json``.
    config_name = ""

    #: Set by IPython when it has a profile made: its object for the profile, and whether to write
    #: over files that are there.
    profile_dir: Any = None
    overwrite = False

    def _log_level_default(self) -> int:
        return logging.INFO

    def _log_format_default(self) -> str:
        return "%(asctime)s.%(msecs)03d [%(name)s] %(levelname)s | %(message)s"

    def _log_datefmt_default(self) -> str:
        return "%Y-%m-%d %H:%M:%S"

    @property
    def profile_path(self) -> Path:
        """The profile folder, made if need be."""
        if self.profile_folder:
            return profiles.ensure_profile(self.profile_folder)
        return profiles.ensure_profile(
            profiles.profile_folder(self.profile, ipython=self.ipython_dir)
        )

    @catch_config_error
    def initialize(self, argv: Any = None) -> None:
        """Read the environment, the configuration files and the command line, in this order."""
        self.load_environment()
        self.parse_command_line(argv)
        command_line = self.cli_config
        self._read_config_files()
        # what was typed wins over what a file says
        self.update_config(command_line)
        if self.work_dir:
            os.chdir(Path(self.work_dir).expanduser())
            if sys.path[:1] != [""]:
                sys.path.insert(0, "")
        if self.log_to_file:
            self._log_to_file()

    def load_environment(self) -> None:
        """Take what the launchers pass in the environment; anything else given wins over it."""
        if cluster_id := os.environ.get("IPP_CLUSTER_ID"):
            self.cluster_id = cluster_id
        if folder := os.environ.get("IPP_PROFILE_DIR"):
            self.profile_folder = folder

    def _read_config_files(self) -> None:
        self.load_config_file(f"{self.config_name}_config", path=str(self.profile_path))
        if self.extra_config_file:
            path = Path(self.extra_config_file).expanduser().absolute()
            if not path.is_file():
                self.log.error("There is no configuration file %s.", path)
                self.exit(1)
            self.load_config_file(path.stem, path=str(path.parent))

    def init_config_files(self) -> None:
        """Write a configuration file to fill in into a profile.

        Called by ``ipython profile create --parallel``, which sets `profile_dir` and `overwrite`.
        """
        folder = Path(self.profile_dir.location) if self.profile_dir else self.profile_path
        path = folder / f"{self.config_name}_config.py"
        if path.exists() and not self.overwrite:
            return
        self.log.warning("Generating default config file: %s", path)
        path.write_text(self.generate_config_file(), encoding="utf-8")

    def _log_to_file(self) -> None:
        infix = f"{self.cluster_id}-" if self.cluster_id else ""
        path = profiles.log_folder(self.profile_path) / f"{self.name}-{infix}{os.getpid()}.log"
        handler = logging.FileHandler(path)
        handler.setFormatter(logging.Formatter(self.log_format, self.log_datefmt))
        logger = logging.getLogger(type(self).__name__)
        for old in list(logger.handlers):
            logger.removeHandler(old)
        logger.addHandler(handler)
