"""What can be set of a cluster, and where the settings come from."""

from __future__ import annotations

import inspect
import logging
import os
import random
import string
import sys
import time
from pathlib import Path
from typing import Any

from traitlets import Bool, CaselessStrEnum, Float, Integer, List, Unicode, default, validate
from traitlets.config import Config, LoggingConfigurable

from ..engine.restarts import NEVER, ON_FAILURE
from ..protocol import profiles
from ..util.resources import Resources
from .files import cluster_file
from .launchers.find import Launcher
from .profile_config import load_config

#: Short names that the constructor takes.
_ALIASES = {"controller": "controller_launcher_class", "engines": "engine_launcher_class"}


class ClusterSettings(LoggingConfigurable):
    """The traits of a cluster; see `Cluster`."""

    shutdown_atexit = Bool(
        True, help="Whether to stop the cluster when this process ends or forgets it."
    ).tag(config=True)
    cluster_id = Unicode(help="Tells the clusters of one profile apart.").tag(
        config=True, to_dict=True
    )
    profile_dir = Unicode(help="The profile folder: connection files, logs, settings.").tag(
        config=True, to_dict=True
    )
    profile = Unicode("", help="The profile's name, instead of its folder.").tag(config=True)
    cluster_file = Unicode(
        help="The file that tells other processes of this cluster; '' for none."
    ).tag(config=True)
    engine_timeout = Float(60, help="Seconds to wait for the engines to register.").tag(config=True)
    send_engines_connection_env = Bool(
        True, help="Whether engines get the connection information in their environment."
    ).tag(config=True)
    controller_launcher_class = Launcher(
        "controller", default_value="local", help="What starts the controller."
    ).tag(config=True)
    engine_launcher_class = Launcher(
        "engine", default_value="local", help="What starts the engines."
    ).tag(config=True)
    controller_args = List(Unicode(), help="More arguments for the controller.").tag(
        config=True, to_dict=True
    )
    controller_ip = Unicode("", help="The address on which the controller listens.").tag(
        config=True, to_dict=True
    )
    controller_location = Unicode(
        "", help="The host name or address at which others reach the controller."
    ).tag(config=True, to_dict=True)
    delay = Float(0.0, help="Seconds between the start of the controller and of engines.").tag(
        config=True, to_dict=True
    )
    n = Integer(
        None, allow_none=True, min=0, help="How many engines; by default one for each CPU."
    ).tag(config=True, to_dict=True)
    resources = Resources(
        help="How much each engine has of what tasks may ask for: a dict of names and numbers, such"
        " as {'gpu': 1}, on the command line 'gpu=1,mem=16'; or a list of dicts, one for each"
        " engine, on the command line as JSON. Which of them gets which id is not determined.",
    ).tag(config=True, to_dict=True)
    engine_restart = CaselessStrEnum(
        [NEVER, ON_FAILURE],
        NEVER,
        help="Whether an engine that dies is started again, under its id: 'never' or 'on-failure'."
        " How often in a row, and when: see IPEngine.restart_limit and IPEngine.restart_delay.",
    ).tag(config=True, to_dict=True)
    log_level = Integer(logging.INFO, help="What to log, where no application decides it.").tag(
        config=True
    )
    load_profile = Bool(True, help="Whether to read the profile's ipcluster_config.").tag(
        config=True
    )

    def __init__(self, **kwargs: Any) -> None:
        for alias, name in _ALIASES.items():
            if alias in kwargs:
                if name in kwargs:
                    raise TypeError(f"{alias!r} and {name!r} are the same: give only one")
                kwargs[name] = kwargs.pop(alias)
        if unknown := set(kwargs) - set(self.trait_names()):
            names = ", ".join(map(repr, sorted(unknown)))
            raise TypeError(f"{type(self).__name__}() got unexpected arguments: {names}")
        kwargs.setdefault("parent", running_shell())
        kwargs["config"] = self._merged_config(kwargs)
        super().__init__(**kwargs)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__signature__ = _signature(cls)  # type: ignore[attr-defined]

    def _merged_config(self, kwargs: dict[str, Any]) -> Config:
        given = kwargs.get("config")
        if given is None:
            given = getattr(kwargs["parent"], "config", None) or Config()
        section = given[type(self).__name__]

        def setting(name: str, otherwise: Any) -> Any:
            return kwargs.get(name, section.get(name, otherwise))

        if not setting("load_profile", True):
            return given
        folder = setting("profile_dir", "") or profiles.profile_folder(setting("profile", ""))
        config = load_config(Path(folder).expanduser(), "ipcluster_config")
        config.merge(given)
        return config

    @validate("profile_dir")
    def _ensure_profile_dir(self, proposal: Any) -> str:
        return str(profiles.ensure_profile(proposal["value"]))

    @default("profile_dir")
    def _default_profile_dir(self) -> str:
        return str(profiles.ensure_profile(profiles.profile_folder(self.profile)))

    @default("cluster_id")
    def _default_cluster_id(self) -> str:
        suffix = "".join(random.choices(string.ascii_lowercase + string.digits, k=4))
        return f"{int(time.time())}-{suffix}"

    @default("cluster_file")
    def _default_cluster_file(self) -> str:
        return str(cluster_file(self.profile_dir, self.cluster_id))

    @default("log")
    def _default_log(self) -> Any:
        if isinstance(self.parent, LoggingConfigurable) and self.parent is not running_shell():
            return self.parent.log
        # neither the root logger nor that of the notebook's kernel, which hides information
        logger = logging.getLogger("ipyparallel.cluster")
        if not logger.hasHandlers():
            logger.addHandler(logging.StreamHandler())
        logger.setLevel(self.log_level)
        return logger


def running_shell() -> Any:
    """The IPython shell of this process, if there is one; IPython is not imported for that."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def cpu_count() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _signature(cls: type[ClusterSettings]) -> inspect.Signature:
    names = [*_ALIASES, *sorted(cls.class_trait_names(config=True)), "config", "parent", "log"]
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [inspect.Parameter(name, keyword, default=None) for name in dict.fromkeys(names)]
    )
