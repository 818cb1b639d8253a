"""The public address of the launchers, which live in `ipyparallel.cluster.launchers`."""

from subprocess import PIPE, STDOUT

from .launchers.base import (
    BaseLauncher,
    LauncherError,
    NotRunning,
    ProcessStateError,
    UnknownStatus,
)
from .launchers.find import abbreviate_launcher_class, find_launcher_class
from .launchers.local import (
    LocalControllerLauncher,
    LocalEngineLauncher,
    LocalEngineSetLauncher,
    LocalProcessLauncher,
)
from .launchers.process import WINDOWS
from .launchers.roles import (
    ControllerLauncher,
    EngineLauncher,
    ipcluster_cmd_argv,
    ipcontroller_cmd_argv,
    ipengine_cmd_argv,
)

local_launchers = [LocalControllerLauncher, LocalEngineLauncher, LocalEngineSetLauncher]
all_launchers = [*local_launchers]

__all__ = [
    "BaseLauncher",
    "ControllerLauncher",
    "EngineLauncher",
    "LauncherError",
    "LocalControllerLauncher",
    "LocalEngineLauncher",
    "LocalEngineSetLauncher",
    "LocalProcessLauncher",
    "NotRunning",
    "PIPE",
    "ProcessStateError",
    "STDOUT",
    "UnknownStatus",
    "WINDOWS",
    "abbreviate_launcher_class",
    "all_launchers",
    "find_launcher_class",
    "ipcluster_cmd_argv",
    "ipcontroller_cmd_argv",
    "ipengine_cmd_argv",
    "local_launchers",
]
