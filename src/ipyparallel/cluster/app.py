"""The command ``ipcluster``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from traitlets import Bool, Enum, Integer
from traitlets.config import catch_config_error

from .._version import __version__
from ..application import BaseParallelApplication, base_aliases, base_flags
from ..protocol import profiles
from .cluster import Cluster
from .files import cluster_file
from .manager import ClusterManager, clean_cluster_files, is_running
from .start_app import (
    ALREADY_STARTED,
    IPClusterEngines,
    IPClusterStart,
    engine_aliases,
    engine_flags,
    engines_help,
    start_aliases,
    start_help,
)

ALREADY_STOPPED = 11
NO_CLUSTER = 12

stop_aliases: dict[Any, Any] = {**base_aliases, "signal": "IPClusterStop.signal"}
stop_flags: dict[str, Any] = {
    **base_flags,
    "all": ({"IPClusterStop": {"stop_all": True}}, "Stop all clusters of the profile."),
}
list_aliases: dict[Any, Any] = {**base_aliases, "o": "IPClusterList.output_format"}
clean_aliases: dict[Any, Any] = {
    name: base_aliases[name] for name in ("log-level", "ipython-dir", "profile-dir", "profile")
}
clean_flags: dict[str, Any] = {
    "force": ({"IPClusterClean": {"force": True}}, "Clean even where a cluster is running."),
    "all": ({"IPClusterClean": {"all_profiles": True}}, "Clean all profiles."),
}

stop_help = """Stop clusters, and wait until they are gone.

    ipcluster stop --profile=myprofile
    ipcluster stop CLUSTER_ID ...
    ipcluster stop --all
"""


class IPClusterStop(BaseParallelApplication):
    """Stops clusters."""

    name = "ipcluster stop"
    description = stop_help
    config_name = "ipcluster"
    aliases = stop_aliases
    flags = stop_flags
    classes = [Cluster]

    stop_all = Bool(False, help="Whether to stop all clusters of the profile.").tag(config=True)
    signal = Integer(2, help="Accepted for the sake of old scripts; not used.").tag(config=True)

    def start(self) -> None:
        """Stop what the command line names."""
        if self.stop_all:
            manager = ClusterManager(parent=self)
            for cluster in manager.load_clusters(profile_dir=self.profile_path).values():
                self._stop(cluster)
            return
        found = [self._find(cluster_id) for cluster_id in self.extra_args or [self.cluster_id]]
        for running in filter(None, found):
            self._stop(running)
        if None in found:
            self.exit(ALREADY_STOPPED)

    def _find(self, cluster_id: str) -> Cluster | None:
        path = cluster_file(self.profile_path, cluster_id)
        try:
            cluster = Cluster.from_file(path, log=self.log)
        except FileNotFoundError as e:
            self.log.critical("%s", e)
        except (OSError, ValueError) as e:
            self.log.critical("Removing the file of a cluster that cannot be found again: %s", e)
            path.unlink(missing_ok=True)
        else:
            if is_running(cluster):
                return cluster
            self.log.critical("%r is not running any more", cluster)
            cluster.remove_cluster_file()
        return None

    def _stop(self, cluster: Cluster) -> None:
        self.log.info("Stopping %r", cluster)
        cluster.stop_cluster_sync()


class IPClusterList(BaseParallelApplication):
    """Lists the clusters that run."""

    name = "ipcluster list"
    description = "List the clusters that run, in one profile or in all."
    config_name = "ipcluster"
    aliases = list_aliases
    classes = [Cluster]

    output_format = Enum(["text", "json"], "text", help="How to show them.").tag(config=True)

    def start(self) -> None:
        """Write the list to standard output."""
        folder = self.profile_path if self._chosen() else None
        clusters = ClusterManager(parent=self).load_clusters(profile_dir=folder).values()
        if self.output_format == "json":
            text = json.dumps([cluster.to_dict() for cluster in clusters])
        else:
            text = cluster_table(clusters)
        sys.stdout.write(text + "\n")

    def _chosen(self) -> bool:
        return bool(self.profile_folder) or self.profile not in ("", "default")


def cluster_table(clusters: Iterable[Cluster]) -> str:
    """The clusters as a table."""
    rows = [("PROFILE", "CLUSTER ID", "RUNNING", "ENGINES", "LAUNCHER")]
    for cluster in clusters:
        launcher = cluster.engine_launcher_class.__name__.removesuffix("EngineSetLauncher")
        rows.append(
            (
                profiles.profile_name(cluster.profile_dir),
                cluster.cluster_id or "''",
                str(is_running(cluster)),
                str(sum(engines.n for engines in cluster.engines.values())),
                launcher,
            )
        )
    return "\n".join(f"{a:<16} {b:<32} {c:<7} {d:<7} {e}" for a, b, c, d, e in rows)


class IPClusterClean(BaseParallelApplication):
    """Removes cluster files, connection files and logs."""

    name = "ipcluster clean"
    description = "Remove cluster files, connection files and logs of clusters that are stopped."
    config_name = "ipcluster"
    aliases = clean_aliases
    flags = clean_flags
    classes = [Cluster]

    force = Bool(False, help="Whether to clean where a cluster is running.").tag(config=True)
    all_profiles = Bool(False, help="Whether to clean all profiles.").tag(config=True)

    def start(self) -> None:
        """Remove the files."""
        folders: list[Path] = [self.profile_path]
        if self.all_profiles:
            folders = list(profiles.list_profiles(self.ipython_dir).values())
        try:
            clean_cluster_files(folders, log=self.log, force=self.force)
        except ValueError as e:
            self.log.critical("%s", e)
            self.exit(1)


class IPCluster(BaseParallelApplication):
    """Starts, stops and lists clusters."""

    name = "ipcluster"
    description = "Start, stop and list clusters of IPython engines."
    version = __version__
    config_name = "ipcluster"
    subcommands = {
        "start": (IPClusterStart, start_help.splitlines()[0]),
        "stop": (IPClusterStop, stop_help.splitlines()[0]),
        "list": (IPClusterList, IPClusterList.description),
        "engines": (IPClusterEngines, engines_help.splitlines()[0]),
        "clean": (IPClusterClean, IPClusterClean.description),
    }

    @catch_config_error
    def initialize(self, argv: Any = None) -> None:
        """Hand over to the subcommand."""
        args = list(sys.argv[1:] if argv is None else argv)
        if args and args[0].startswith(("-n", "--n=")):
            # as it was before there were subcommands: `ipcluster -n 4`
            args.insert(0, "start")
        self.parse_command_line(args)

    def start(self) -> None:
        """Run the subcommand."""
        if self.subapp is None:
            sys.stdout.write(f"No subcommand given. There are: {', '.join(self.subcommands)}\n\n")
            self.print_description()
            self.print_subcommands()
            self.exit(1)
        super().start()


main = IPCluster.launch_instance

__all__ = [
    "ALREADY_STARTED",
    "ALREADY_STOPPED",
    "NO_CLUSTER",
    "IPCluster",
    "IPClusterClean",
    "IPClusterEngines",
    "IPClusterList",
    "IPClusterStart",
    "IPClusterStop",
    "base_aliases",
    "base_flags",
    "clean_aliases",
    "clean_flags",
    "engine_aliases",
    "engine_flags",
    "engines_help",
    "list_aliases",
    "main",
    "start_aliases",
    "start_help",
    "stop_aliases",
    "stop_flags",
    "stop_help",
]
