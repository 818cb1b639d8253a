"""What runs of a cluster, kept in its cluster file, so that other processes find it.

Several processes may know one cluster: the one that started it, a notebook server, ``ipcluster
stop``. Each watches the end of what runs, but only the one that has written the file last changes
it then; it may tell of a successor by that time.
"""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import Any, Self

from traitlets import Any as AnyTrait
from traitlets import Dict, TraitError
from traitlets.utils.importstring import import_item

from ..protocol import profiles
from .files import check_cluster_dict, cluster_file, read_cluster_file, write_cluster_file
from .launchers.base import NotRunning, StopData
from .launchers.find import abbreviate_launcher_class, find_launcher_class
from .launchers.roles import ControllerLauncher, EngineLauncher
from .settings import ClusterSettings


class StoredCluster(ClusterSettings):
    """The launchers of a cluster, and the file that tells of them; see `Cluster`."""

    controller: Any = AnyTrait(None, help="The controller's launcher, while it runs.")
    engines: Any = Dict(help="The launchers of the engine sets that run, by engine set id.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._lock = threading.RLock()
        #: The engine set that has stopped last.
        self.last_stopped: EngineLauncher | None = None
        #: Engine sets that have ended, unless they were stopped here, by engine set id.
        self.ended_sets: dict[str, EngineLauncher] = {}
        #: What we know to be in the cluster file.
        self._in_file: dict[str, Any] | None = None

    def __repr__(self) -> str:
        name = profiles.profile_name(self.profile_dir)
        place = f"profile_dir={name!r}" if name == self.profile_dir else f"profile={name!r}"
        parts = [f"cluster_id={self.cluster_id!r}", place]
        if self.controller is not None:
            parts.append(f"controller=<{self.controller.state}>")
        if self.engines:
            parts.append(f"engine_sets={list(self.engines)}")
        return f"<{type(self).__name__}({', '.join(parts)})>"

    @property
    def engine_set(self) -> EngineLauncher | None:
        """The first engine set, if there is one."""
        return next(iter(self.engines.values()), None)

    # --- what runs ------------------------------------------------------------------------

    def _add_controller(self, launcher: ControllerLauncher) -> None:
        with self._lock:
            self.controller = launcher
            self.update_cluster_file()
        launcher.on_stop(partial(self._controller_stopped, launcher))

    def _add_engines(self, engine_set_id: str, launcher: EngineLauncher) -> None:
        with self._lock:
            self.engines[engine_set_id] = launcher
            self.ended_sets.pop(engine_set_id, None)
            self.update_cluster_file()
        launcher.on_stop(partial(self._engines_stopped, engine_set_id, launcher))

    def _controller_stopped(self, launcher: ControllerLauncher, data: StopData) -> None:
        self.log.info("The controller stopped: %s", data)
        with self._lock:
            if self.controller is launcher:
                self.controller = None
                self._follow_in_file()

    def _engines_stopped(
        self, engine_set_id: str, launcher: EngineLauncher, data: StopData
    ) -> None:
        self.log.info("Engine set %s stopped: %s", engine_set_id, data)
        with self._lock:
            self.last_stopped = launcher
            if self.engines.get(engine_set_id) is launcher:
                del self.engines[engine_set_id]
                if not launcher.stop_asked:
                    self.ended_sets[engine_set_id] = launcher
                self._follow_in_file()

    def _follow_in_file(self) -> None:
        if not self.cluster_file:
            return
        try:
            in_file = read_cluster_file(self.cluster_file)
        except (OSError, ValueError):
            return
        if in_file == self._in_file:
            self.update_cluster_file()

    # --- the cluster file -----------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The cluster as a dict for JSON, from which `from_dict` finds it again."""
        cls = type(self)
        settings = {name: getattr(self, name) for name in sorted(self.traits(to_dict=True))}
        d: dict[str, Any] = {
            "cluster": {**settings, "class": f"{cls.__module__}.{cls.__qualname__}"}
        }
        with self._lock:
            if self.controller is not None:
                d["controller"] = {
                    "class": abbreviate_launcher_class(self.controller.__class__),
                    "state": self.controller.to_dict(),
                }
            d["engines"] = {
                "class": abbreviate_launcher_class(self.engine_launcher_class),
                "sets": {key: launcher.to_dict() for key, launcher in self.engines.items()},
            }
        return d

    @classmethod
    def from_dict(cls, d: dict[str, Any], **kwargs: Any) -> Self:
        """Find a cluster again by what `to_dict` said of it.

        What does not run any more is left out, and the cluster file is brought up to date. The
        cluster is not stopped when this process ends.

        Parameters
        ----------
        d : dict
            What `to_dict` returned, in this process or in another one.
        **kwargs
            Traits to set otherwise.

        Raises
        ------
        ValueError
            It is no such dict.
        """
        check_cluster_dict(d)
        settings = dict(d["cluster"])
        cluster_class = _stored_class(settings.pop("class", ""), cls)
        if name := d.get("controller", {}).get("class"):
            settings["controller"] = find_launcher_class(name, "controller")
        if name := d.get("engines", {}).get("class"):
            settings["engines"] = find_launcher_class(name, "engine")
        known = {*cluster_class.class_trait_names(), "controller", "engines"}
        settings = {key: value for key, value in settings.items() if key in known}
        try:
            cluster: Self = cluster_class(**{"shutdown_atexit": False, **settings, **kwargs})
            cluster._find_again(d)
        except TraitError as e:
            raise ValueError(f"The dict does not describe a cluster: {e}") from e
        return cluster

    def _find_again(self, d: dict[str, Any]) -> None:
        self._in_file = d
        gone = 0
        if "controller" in d:
            try:
                controller = self.controller_launcher_class.from_dict(
                    d["controller"].get("state", {}), parent=self
                )
            except NotRunning as e:
                self.log.warning("The controller of %r does not run any more: %s", self, e)
                gone += 1
            else:
                self.controller = controller
                controller.on_stop(partial(self._controller_stopped, controller))
        for key, state in d.get("engines", {}).get("sets", {}).items():
            try:
                launcher = self.engine_launcher_class.from_dict(
                    state, parent=self, engine_set_id=key
                )
            except NotRunning as e:
                self.log.warning("Engine set %s of %r does not run any more: %s", key, self, e)
                gone += 1
            else:
                self.engines[key] = launcher
                launcher.on_stop(partial(self._engines_stopped, key, launcher))
        if gone:
            self._follow_in_file()

    @classmethod
    def from_file(
        cls,
        cluster_file: str | os.PathLike[str] | None = None,
        *,
        profile: str | None = None,
        profile_dir: str | os.PathLike[str] | None = None,
        cluster_id: str = "",
        **kwargs: Any,
    ) -> Self:
        """Find a cluster again by its file, such as one that ``ipcluster start`` has started.

        Parameters
        ----------
        cluster_file : str, optional
            Path of the file; or else it is found by the other arguments.
        profile, profile_dir : str, optional
            The profile, by name or folder; by default the current one.
        cluster_id : str
            The cluster's id; by default that of ``ipcluster start``.
        **kwargs
            Traits to set otherwise.

        Raises
        ------
        FileNotFoundError
            There is no such cluster.
        ValueError
            The file is broken.
        """
        if cluster_file is None:
            folder = profile_dir or profiles.profile_folder(profile or "")
            cluster_file = default_cluster_file(Path(folder).expanduser().absolute(), cluster_id)
        path = Path(cluster_file).expanduser().absolute()
        try:
            d = read_cluster_file(path)
        except FileNotFoundError:
            raise FileNotFoundError(f"No cluster is running: there is no file {path}") from None
        return cls.from_dict(d, **{"cluster_file": str(path), **kwargs})

    def write_cluster_file(self) -> None:
        """Write the cluster file."""
        if not self.cluster_file:
            return
        with self._lock:
            self._in_file = self.to_dict()
            write_cluster_file(self.cluster_file, self._in_file)

    def remove_cluster_file(self) -> None:
        """Remove the cluster file, if it is there."""
        if self.cluster_file:
            Path(self.cluster_file).unlink(missing_ok=True)
            self._in_file = None

    def update_cluster_file(self) -> None:
        """Make the cluster file say what runs; if nothing does, remove it."""
        if self.controller is None and not self.engines:
            self.remove_cluster_file()
        else:
            self.write_cluster_file()


default_cluster_file = cluster_file


def _stored_class(path: str, fallback: type[Any]) -> type[Any]:
    try:
        stored = import_item(path) if path else fallback
    except ImportError as e:
        raise ValueError(f"The cluster's class {path!r} cannot be imported: {e}") from e
    if not (isinstance(stored, type) and issubclass(stored, StoredCluster)):
        raise ValueError(f"{path!r} is not a class of clusters")
    return stored
