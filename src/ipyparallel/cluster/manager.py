"""All the clusters of a user: found by their files, by profile and cluster id."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from traitlets import Dict
from traitlets.config import LoggingConfigurable

from ..protocol import profiles
from .cluster import Cluster
from .files import find_cluster_files

Folder = str | os.PathLike[str]


class ClusterManager(LoggingConfigurable):
    """Knows clusters by keys of the form ``<profile name or folder>:<cluster id>``."""

    clusters: Any = Dict(help="The clusters, by key.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: The keys of those that were found by their files, and not made here.
        self._found: set[str] = set()

    def load_clusters(
        self,
        *,
        profile_dirs: Iterable[Folder] | None = None,
        profile_dir: Folder | None = None,
        profiles: Iterable[str] | None = None,
        profile: str | None = None,
        init_default_clusters: bool = False,
    ) -> dict[str, Cluster]:
        """Find the clusters that run, and forget those found earlier that do not any more.

        Files of clusters that are gone, or that nobody can read, are removed.

        Parameters
        ----------
        profile_dirs, profile_dir, profiles, profile : optional
            Where to look; by default in all profiles.
        init_default_clusters : bool
            Whether to add, for each profile, the default cluster, though it does not run.

        Returns
        -------
        dict
            All clusters that are known now.
        """
        folders = [
            *_folders(profiles or ([profile] if profile else [])),
            *map(_absolute, [*(profile_dirs or []), *([profile_dir] if profile_dir else [])]),
        ] or list(all_profile_folders())
        for folder in folders:
            for path in find_cluster_files(folder):
                self._load(path)
        for key in [key for key in self._found if not is_running(self.clusters[key])]:
            self.remove_cluster(key)
        if init_default_clusters:
            for folder in folders:
                default = Cluster(profile_dir=str(folder), cluster_id="", parent=self)
                self.clusters.setdefault(self._key(default), default)
        known: dict[str, Cluster] = self.clusters
        return known

    def _load(self, path: Path) -> None:
        known = [c for c in self.clusters.values() if c.cluster_file == str(path) and is_running(c)]
        if known:
            return
        try:
            cluster = Cluster.from_file(path, parent=self)
        except FileNotFoundError:
            # it has just been stopped
            return
        except (OSError, ValueError) as e:
            self.log.warning("Removing the file of a cluster that cannot be found again: %s", e)
            path.unlink(missing_ok=True)
            return
        if is_running(cluster):
            key = self._key(cluster)
            self.clusters[key] = cluster
            self._found.add(key)
        else:
            # also when the file did not say that anything runs
            cluster.remove_cluster_file()

    def _key(self, cluster: Cluster) -> str:
        return f"{profiles.profile_name(cluster.profile_dir)}:{cluster.cluster_id}"

    def new_cluster(self, **kwargs: Any) -> tuple[str, Cluster]:
        """Make a cluster, not started.

        Parameters
        ----------
        **kwargs
            Arguments for `Cluster`.

        Returns
        -------
        tuple
            Its key and the cluster.

        Raises
        ------
        KeyError
            There is one already with this key.
        """
        cluster = Cluster(**{"parent": self, **kwargs})
        key = self._key(cluster)
        if key in self.clusters:
            raise KeyError(f"Cluster {key} already exists")
        self.clusters[key] = cluster
        return key, cluster

    def get_cluster(self, key: str) -> Cluster:
        """The cluster with this key; KeyError if there is none."""
        cluster: Cluster = self.clusters[key]
        return cluster

    def remove_cluster(self, key: str) -> None:
        """Forget the cluster with this key; it is not stopped."""
        del self.clusters[key]
        self._found.discard(key)


def is_running(cluster: Cluster) -> bool:
    """Whether anything of the cluster runs."""
    return cluster.controller is not None or bool(cluster.engines)


def all_profile_folders() -> Iterable[Path]:
    """Where clusters may be: all profiles, and that of the running IPython."""
    return dict.fromkeys([*profiles.list_profiles().values(), profiles.profile_folder()])


def _folders(names: Iterable[str]) -> Iterable[Path]:
    return [profiles.profile_folder(name) for name in names]


def _absolute(folder: Folder) -> Path:
    return Path(folder).expanduser().absolute()


def clean_cluster_files(
    profile_dirs: Iterable[Folder] | Folder | None = None,
    *,
    log: logging.Logger | None = None,
    force: bool = False,
) -> None:
    """Remove cluster files, connection files and logs.

    Parameters
    ----------
    profile_dirs : path or list of paths, optional
        The profile folders to clean; by default that of the current profile.
    log : logging.Logger, optional
        What to tell about it.
    force : bool
        Whether to remove the files even of clusters that run.

    Raises
    ------
    ValueError
        A cluster is running, and not `force`; nothing has been removed then.
    """
    log = log or logging.getLogger(__name__)
    if profile_dirs is None:
        profile_dirs = [profiles.profile_folder()]
    elif isinstance(profile_dirs, (str, os.PathLike)):
        profile_dirs = [profile_dirs]
    folders = [_absolute(folder) for folder in profile_dirs]
    if not force:
        running = ClusterManager(log=log).load_clusters(profile_dirs=folders)
        if running:
            raise ValueError(f"Stop these clusters before cleaning: {', '.join(running)}")
    for folder in folders:
        security = profiles.security_folder(folder)
        for path in [
            *security.glob("cluster-*.json"),
            *security.glob("ipcontroller-*.json"),
            *profiles.log_folder(folder).glob("*"),
        ]:
            if path.is_file():
                log.info("Removing %s", path)
                path.unlink(missing_ok=True)
