"""``ipcontroller``: one process with hub, task scheduler and relays."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

import zmq
from traitlets import Bool, CaselessStrEnum, Float, TraitError, Type, Unicode, Union, validate

from ..application import BaseParallelApplication, base_aliases, base_flags
from ..protocol import connection
from ..protocol.connection import ClientInfo, EngineInfo
from ..protocol.profiles import log_folder
from ..protocol.session import Session, new_key
from ..scheduling.machine import TaskMachine
from ..scheduling.policies import POLICIES
from ..transport.addresses import SocketFolder
from .broadcast import BroadcastRefusal
from .channel_server import Means, RequestEnds
from .channels import Channels, Context, open_channels
from .databases.dictdb import DictDB
from .databases.find import find_database_class
from .databases.mongodb import MongoDB
from .databases.nodb import NoDB
from .databases.sqlitedb import SQLiteDB
from .engine_table import EngineTable, EngineTableFile
from .hub import Hub
from .journal import Journal, NoJournal
from .output_relay import OutputRelay
from .ports import parse_ports, sequence
from .pure_scheduler import PureScheduler
from .records import Records
from .request_relay import RequestRelay
from .restoration import Restorable
from .reuse import Earlier, NotReusable, read_earlier
from .scheduler_loop import SchedulerLoop
from .settings import PURE, HeartMonitor, TaskRecords, TaskScheduler

#: Seconds a thread may keep the interpreter while another waits for it. The scheduler's thread
#: shares it with the hub's, and its tasks wait.
_SWITCH_INTERVAL = 0.0005

#: New objects before the youngest are looked through for garbage, and so on; see `gc`.
_GC_THRESHOLDS = (50_000, 20, 50)


_ALIASES = {
    **base_aliases,
    "ip": "IPController.ip",
    "transport": "IPController.transport",
    "location": "IPController.location",
    "ports": "IPController.ports",
    "ssh": "IPController.ssh_server",
    "enginessh": "IPController.engine_ssh_server",
    "ping": "HeartMonitor.period",
    "scheme": "TaskScheduler.scheme_name",
    "hwm": "TaskScheduler.hwm",
}

_FLAGS = {
    **base_flags,
    **{
        name: ({"IPController": {"db_class": name}}, f"Keep the records of tasks {where}.")
        for name, where in {
            "dictdb": "in memory; the default",
            "sqlitedb": "in a SQLite database, which outlives the controller",
            "mongodb": "in a MongoDB",
            "nodb": "not at all: no results for other clients",
        }.items()
    },
    "reuse": (
        {"IPController": {"reuse_files": True}},
        "Use the ports and the key of an earlier run, from its connection files.",
    ),
    "restore": (
        {"IPController": {"reuse_files": True, "restore_engines": True}},
        "Let engines and clients wait for this controller if it is killed, and go on when it is"
        " started again like this. Implies --reuse.",
    ),
}

#: Under the names that others import.
aliases, flags = _ALIASES, _FLAGS


class IPController(BaseParallelApplication):
    """The controller of a cluster.

    Listens for clients and engines, and writes two files that tell them where.
    """

    name = "ipcontroller"
    description = __doc__
    config_name = "ipcontroller"
    examples = "ipcontroller --ip=192.168.0.1 --profile=mine"
    aliases = _ALIASES
    flags = _FLAGS
    classes = [HeartMonitor, TaskScheduler, TaskRecords, DictDB, NoDB, SQLiteDB, MongoDB]

    ip = Unicode("127.0.0.1", help="Address to listen on; by default only this host's.").tag(
        config=True
    )
    transport = CaselessStrEnum(
        ["tcp", "ipc"], "tcp", help="'ipc' for a cluster that is all on this host."
    ).tag(config=True)
    location = Unicode(
        help="Host name or address that peers elsewhere use to reach this host."
    ).tag(config=True)
    ports = Unicode("", help="Port numbers to use, such as '10101-10120'.").tag(config=True)
    ssh_server = Unicode("", help="Host through which clients tunnel.").tag(config=True)
    engine_ssh_server = Unicode("", help="Host through which engines tunnel.").tag(config=True)
    client_json_file = Unicode("", help="Path of the clients' connection file.").tag(config=True)
    engine_json_file = Unicode("", help="Path of the engines' connection file.").tag(config=True)
    reuse_files = Bool(
        False,
        help="Whether to take ports, key, location and ssh servers from the connection files of an"
        " earlier run, if they are there, and to leave them there at the end.",
    ).tag(config=True)
    restore_engines = Bool(
        False,
        help="Whether this controller may be started again when it was killed: engines and clients"
        " wait for it, and come back. Implies reuse_files.",
    ).tag(config=True)
    restore_patience = Float(
        600.0, min=0, help="Seconds that they wait, with restore_engines."
    ).tag(config=True)
    restore_wait = Float(
        15.0,
        min=0,
        help="Seconds after the start that tasks wait for engines to come back, which may run them"
        " already; not longer than until all are back, or known to be dead.",
    ).tag(config=True)
    session_key = Unicode("", help="Shared secret; by default a new one.").tag(config=True)
    db_class = Union(
        [Unicode(), Type()],
        default_value="dictdb",
        help="Where the records of tasks are kept: 'dictdb' (in memory), 'sqlitedb', 'mongodb',"
        " 'nodb', or a class of your own, or its import string.",
    ).tag(config=True)
    lifeline = Bool(
        False,
        help="Whether to stop when standard input ends, because whoever started this controller is"
        " gone. If something is read there, it goes on without.",
    ).tag(config=True)
    gc_freeze = Bool(
        True, help="Whether to keep what is loaded at the start out of garbage collections."
    ).tag(config=True)

    def _location_default(self) -> str:
        return socket.gethostname()

    @validate("ports")
    def _check_ports(self, proposal: Any) -> str:
        try:
            parse_ports(proposal["value"])
        except ValueError as e:
            raise TraitError(str(e)) from None
        return str(proposal["value"])

    def start(self) -> None:
        """Serve until a signal or a client ends it."""
        sys.setswitchinterval(_SWITCH_INTERVAL)
        try:
            asyncio.run(self._serve())
        except (OSError, TraitError, NotReusable) as e:
            self.log.critical("The controller cannot start: %s", e)
            self.exit(1)

    async def _serve(self) -> None:
        earlier = self._earlier()
        folder = self._socket_folder(earlier)
        if earlier:
            interface = earlier.client.interface
        else:
            interface = folder.interface if folder else f"tcp://{self.ip}"
        context: Context = zmq.Context()
        files: list[Path] = []
        try:
            channels = self._open(context, interface, earlier)
            await self._run(context, channels, interface, files, earlier)
        finally:
            if not self._reuses:
                for path in files:
                    path.unlink(missing_ok=True)
            context.destroy()
            if folder:
                folder.remove()
        self.log.info("The controller has stopped")

    # ---- after an earlier run

    @property
    def _reuses(self) -> bool:
        return self.reuse_files or self.restore_engines

    def _earlier(self) -> Earlier | None:
        if not self._reuses:
            return None
        earlier = read_earlier(*self._paths())
        if earlier:
            self.log.info("Taking up the connection files of an earlier run")
        return earlier

    def _socket_folder(self, earlier: Earlier | None) -> SocketFolder | None:
        if earlier:
            path = earlier.socket_folder
            return SocketFolder(path) if path else None
        return SocketFolder() if self.transport == "ipc" else None

    def _open(self, context: Context, interface: str, earlier: Earlier | None) -> Channels:
        ports = iter(earlier.ports) if earlier else sequence(parse_ports(self.ports))
        try:
            return open_channels(context, interface, ports, self._task_turns())
        except OSError as e:
            if not earlier:
                raise
            raise NotReusable(
                f"{e}; that is what the connection files of an earlier run say. Is its controller"
                f" still running? If not, remove them to begin afresh: {self._paths()[0]}"
            ) from None

    def _restorable(self, earlier: Earlier | None) -> Restorable | None:
        if not self.restore_engines:
            return None
        path = log_folder(self.profile_path) / f"engines{self.cluster_id}.json"
        file = EngineTableFile(path, self.log)
        # without the files of its run, nobody will come back of those that it names
        table = file.read() if earlier else EngineTable()
        return Restorable(self.restore_patience, file, table, self.restore_wait)

    # ---- the run

    async def _run(
        self,
        context: Context,
        channels: Channels,
        interface: str,
        files: list[Path],
        earlier: Earlier | None,
    ) -> None:
        key = earlier.client.key if earlier else self.session_key or new_key()
        stopped = asyncio.Event()
        # a controller without one of its parts must not pretend to be one
        failed = partial(asyncio.get_running_loop().call_soon_threadsafe, stopped.set)
        self._stop_on_signals(stopped)
        client, engine = self._connection_info(channels, interface, key, earlier)
        engine_dict = connection.to_dict(engine)
        hearts = HeartMonitor(parent=self)
        session = Session(key.encode())
        records = self._records(session)
        restorable = self._restorable(earlier)
        if not (restorable and earlier):
            records.abandon_pending()
        hub = Hub(
            session,
            Session(key.encode()),
            channels.hub,
            {name: engine_dict[name] for name in _TOLD_TO_ENGINES},
            client_info=_without_key(client),
            records=records,
            heart_period=hearts.period / 1000,
            max_misses=hearts.max_heartmonitor_misses,
            stop=stopped.set,
            log=self.log,
            restorable=restorable,
        )

        def means(ends: RequestEnds, journal: Journal) -> Means:
            return Means(Session(key.encode()), ends, journal, self.log, failed)

        scheduler = self._scheduler(means(channels.task, records.journal))
        relays = [
            RequestRelay("mux", means(channels.mux, records.journal)),
            RequestRelay("control", means(channels.control, NoJournal())),
        ]
        broadcast = BroadcastRefusal(
            Session(key.encode()),
            channels.broadcast_clients,
            channels.broadcast_engines,
            self.log,
        )
        OutputRelay(channels.output_engines, channels.output_clients).start()
        for relay in relays:
            relay.start()
        scheduler.start()
        try:
            self._write(engine, client, files)
            self.log.info("The controller listens on %s", client.url(client.registration))
            if self.gc_freeze:
                gc.collect()
                gc.freeze()
                # Records come and go by the thousand, and have no cycles: looking through those
                # that are there would cost a tenth of the controller's time.
                gc.set_threshold(*_GC_THRESHOLDS)
            await stopped.wait()
        finally:
            await hub.dask.close()
            hub.close()
            scheduler.join()
            for relay in relays:
                relay.join()
            records.close()
            broadcast.close()
            # makes the output relay end, and waits until the last messages have left
            context.term()

    def _task_turns(self) -> int | None:
        """See `open_channels`."""
        if TaskScheduler(parent=self).scheme_name != PURE:
            return None
        hearts = HeartMonitor(parent=self)
        # just before the hub gives an engine up, and clients the tasks that it may have: from then
        # on it must not get any
        return hearts.period * max(1, hearts.max_heartmonitor_misses)

    def _records(self, session: Session) -> Records:
        settings = TaskRecords(parent=self)
        try:
            kind = find_database_class(self.db_class)
            database = kind(parent=self, log=self.log, session=session.session_id)
        except (ImportError, TypeError, ValueError) as e:
            raise OSError(str(e)) from e
        return Records(
            database,
            self.log,
            payload_limit=settings.payload_limit,
            output_limit=settings.output_limit,
        )

    def _scheduler(self, means: Means) -> SchedulerLoop | PureScheduler:
        settings = TaskScheduler(parent=self)
        if settings.scheme_name == PURE:
            return PureScheduler(means)
        machine = TaskMachine(POLICIES[settings.scheme_name](), settings.hwm)
        return SchedulerLoop(machine, means)

    def _stop_on_signals(self, stopped: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGABRT):
            loop.add_signal_handler(number, stopped.set)
        if self.lifeline:
            loop.add_reader(sys.stdin.fileno(), self._on_lifeline, stopped)

    def _on_lifeline(self, stopped: asyncio.Event) -> None:
        descriptor = sys.stdin.fileno()
        asyncio.get_running_loop().remove_reader(descriptor)
        if not os.read(descriptor, 1):
            self.log.warning("Whoever started this controller is gone; stopping")
            stopped.set()

    def _connection_info(
        self, channels: Channels, interface: str, key: str, earlier: Earlier | None
    ) -> tuple[ClientInfo, EngineInfo]:
        ports = channels.ports
        common: dict[str, Any] = {
            "interface": interface,
            "registration": ports.registration,
            "key": key,
            "location": earlier.client.location if earlier else self.location,
        }
        client = ClientInfo(
            **{**common, **ports.client},
            ssh=earlier.client.ssh if earlier else self.ssh_server,
            task_scheme=TaskScheduler(parent=self).scheme_name,
        )
        engine_ssh = earlier.engine.ssh if earlier else self.engine_ssh_server
        engine = EngineInfo(**{**common, **ports.engine}, ssh=engine_ssh)
        return client, engine

    def _paths(self) -> tuple[Path, Path]:
        """Of the clients' and of the engines' connection file."""
        profile, name = self.profile_path, self.cluster_id
        return (
            Path(self.client_json_file or connection.client_file(profile, name)),
            Path(self.engine_json_file or connection.engine_file(profile, name)),
        )

    def _write(self, engine: EngineInfo, client: ClientInfo, files: list[Path]) -> None:
        client_path, engine_path = self._paths()
        info: ClientInfo | EngineInfo
        for path, info in ((engine_path, engine), (client_path, client)):
            connection.write_info(path, info)
            files.append(path)
            self.log.debug("Wrote %s", path)


def _without_key(info: ClientInfo) -> dict[str, Any]:
    """A connection file's content, to be told to who has the key."""
    content = connection.to_dict(info)
    del content["key"]
    return content


_TOLD_TO_ENGINES = (
    "interface",
    "registration",
    "control",
    "mux",
    "task",
    "iopub",
    "hb_ping",
    "hb_pong",
    "broadcast",
)


def main(argv: list[str] | None = None) -> None:
    """Run ``ipcontroller``."""
    IPController.launch_instance(argv)


if __name__ == "__main__":
    logging.captureWarnings(True)
    main()
