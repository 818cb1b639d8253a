"""``ipengine``: a supervisor and its engines."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import CaselessStrEnum, Float, Integer, Unicode

from ..application import BaseParallelApplication, base_aliases, base_flags
from ..error import EngineError
from ..protocol import connection
from ..protocol.connection import EngineInfo
from ..protocol.versions import own_versions
from ..util.resources import Resources, check_number, resources_of
from .current import bind_kernel
from .restarts import NEVER, ON_FAILURE, RestartPolicy
from .supervisor import NOT_TAKEN_IN, Birth, Supervisor

if TYPE_CHECKING:
    from .kernel import IPythonParallelKernel

#: Seconds between looks for a connection file that is not there yet.
_LOOK = 0.01

_ALIASES = {
    **base_aliases,
    "n": "IPEngine.n",
    "file": "IPEngine.url_file",
    "timeout": "IPEngine.timeout",
    "location": "IPEngine.location",
    "c": "IPEngine.startup_command",
    "s": "IPEngine.startup_script",
    "resources": "IPEngine.resources",
    "restart": "IPEngine.restart",
}

#: Under the names that others import.
aliases, flags = _ALIASES, base_flags


class IPEngine(BaseParallelApplication):
    """Engines of a cluster, on this host.

    Finds the controller through its connection file, and runs one engine, or -n of them, each in a
    process of its own, until the controller ends.
    """

    name = "ipengine"
    description = __doc__
    config_name = "ipengine"
    examples = "ipengine -n 4 --profile=mine\nipengine --file=ipcontroller-engine.json"
    aliases = _ALIASES
    flags = base_flags

    n = Integer(1, min=1, help="How many engines to run.").tag(config=True)
    id = Integer(
        None, allow_none=True, min=0, help="The id to ask for (the first, if several)."
    ).tag(config=True)
    url_file = Unicode("", help="Path of the connection file.").tag(config=True)
    wait_for_url_file = Float(
        10.0, min=0, help="Seconds to wait for the connection file to appear."
    ).tag(config=True)
    timeout = Float(5.0, min=0, help="Seconds to wait for the controller's answer.").tag(
        config=True
    )
    location = Unicode("", help="Host of the controller, if its file does not say.").tag(
        config=True
    )

    output_limit = Integer(
        16 << 20,
        min=0,
        help="How many bytes a task may write to its standard output, as many to its standard"
        " error, and display. What is more is dropped, and one line says so. 0: any number.",
    ).tag(config=True)

    max_message_size = Integer(
        None,
        allow_none=True,
        min=0,
        help="Most bytes of a result; a larger one is an error. 0: any number; None: half of the"
        " memory there is.",
    ).tag(config=True)

    startup_command = Unicode("", help="Code that each engine runs first.").tag(config=True)
    startup_script = Unicode("", help="Path of a file that each engine runs first.").tag(
        config=True
    )

    resources = Resources(
        help="How much each engine has of what tasks may ask for: a dict of names and numbers, on"
        " the command line 'gpu=1,mem=16'. With -n, also a list of dicts, one for each engine; on"
        " the command line as JSON. Which of them gets which id is not determined.",
    ).tag(config=True)

    restart = CaselessStrEnum(
        [NEVER, ON_FAILURE],
        NEVER,
        help="Whether another engine is started, under the same id, for one that dies. One that"
        " ends as it was told to, or with exit code 0, has not died.",
    ).tag(config=True)
    restart_limit = Integer(
        5,
        min=0,
        help="How often in a row an engine that dies is started again. A life of more than a"
        " minute starts the count anew.",
    ).tag(config=True)
    restart_delay = Float(
        1.0,
        min=0,
        help="Seconds to wait before an engine is started again the second time in a row; then"
        " twice as many each time, up to 30. The first time it is at once.",
    ).tag(config=True)

    @property
    def kernel(self) -> IPythonParallelKernel | None:
        """The kernel of this engine process: ``%matplotlib`` and ``%gui`` look for it here."""
        from .kernel import IPythonParallelKernel

        return IPythonParallelKernel.instance() if IPythonParallelKernel.initialized() else None

    def start(self) -> None:
        """Run the engines until they end."""
        os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
        # The warm part: everything an engine needs, loaded before the first fork, and while the
        # controller may still be starting.
        from . import engine as _  # noqa: F401

        own_versions()
        try:
            check_number(self.resources, self.n)
            startup = self._startup_code()
            info = self.find_connection_info()
        except (OSError, ValueError) as e:
            self.log.critical("The engine cannot start: %s", e)
            self.exit(1)
        if self.location:
            info.location = self.location
        policy = RestartPolicy(self.restart, self.restart_limit, self.restart_delay)
        run = partial(self._run_engine, info, startup)
        supervisor = Supervisor(info, run, self.log, policy)
        supervisor.start(self.n)
        supervisor.wait()
        self.exit(supervisor.exit_code)

    def bind_kernel(self, **kwargs: Any) -> str:
        """Open this engine to Jupyter's front ends; see `ipyparallel.bind_kernel`."""
        return bind_kernel(**kwargs)

    def find_connection_info(self) -> EngineInfo:
        """Where the controller is: from the environment, or from the connection file.

        Raises
        ------
        FileNotFoundError
            There is no connection file, and none has appeared in time.
        ValueError
            It is not one.
        """
        variable = "IPP_CONNECTION_INFO"
        if text := os.environ.get(variable):
            try:
                content = json.loads(text)
            except ValueError as e:
                raise ValueError(f"${variable} is not JSON: {e}") from None
            return connection.from_dict(content, EngineInfo, f"${variable}")
        path = Path(
            self.url_file or connection.engine_file(self.profile_path, self.cluster_id)
        ).expanduser()
        deadline = time.monotonic() + self.wait_for_url_file
        while not path.exists():
            if time.monotonic() >= deadline:
                raise FileNotFoundError(
                    f"there is no connection file {path} (waited {self.wait_for_url_file:g} s);"
                    " is the controller running, in this profile?"
                )
            time.sleep(_LOOK)
        return connection.read_info(path, EngineInfo)

    def _startup_code(self) -> str:
        script = ""
        if self.startup_script:
            script = Path(self.startup_script).expanduser().read_text(encoding="utf-8")
        return "\n".join(filter(None, (script, self.startup_command)))

    def _run_engine(self, info: EngineInfo, startup: str, birth: Birth) -> int:
        from .engine import Engine

        place = birth.place
        requested = self.id if self.n == 1 else None
        engine = Engine(
            info,
            birth.uuid,
            profile=self.profile_path,
            log=self.log,
            engine_id=place.engine_id if place.replaces else requested,
            replaces=place.replaces,
            resources=resources_of(self.resources, place.index),
            timeout=self.timeout,
            parent=self,
            lifeline=birth.lifeline,
            on_registered=birth.registered,
            startup=startup,
            output_limit=self.output_limit,
            max_message_size=self.max_message_size,
        )
        try:
            reason = asyncio.run(engine.run())
        except EngineError as e:
            self.log.critical("The engine cannot start: %s", e)
            return NOT_TAKEN_IN
        self.log.info("Engine %d has stopped: %s", engine.id, reason)
        return 0


def main(argv: list[str] | None = None) -> None:
    """Run ``ipengine``."""
    logging.captureWarnings(True)
    if sys.path[:1] != [""]:
        sys.path.insert(0, "")
    IPEngine.launch_instance(argv)


if __name__ == "__main__":
    main()
