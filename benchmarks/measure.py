"""Put the drivers through their rounds and collect what they measured."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import OURS, PUBLISHED
from benchmarks.memory import cpu_seconds, private, pss, split
from benchmarks.peer import Peer, PeerError, Spec
from benchmarks.plan import BATCH, ENGINES, Plan, Size

#: Figure -> subject -> one value a round.
Samples = dict[str, dict[str, list[float]]]


@dataclass(slots=True)
class Results:
    """Everything one run found out."""

    samples: Samples = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    #: Subject -> private bytes of (controller, client, engines) as tasks went by.
    curves: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)

    def add(self, figure: str, subject: str, value: float) -> None:
        """Add one value of a figure."""
        self.samples.setdefault(figure, {}).setdefault(subject, []).append(value)


class Bench:
    """One run.

    The subjects take turns, a round each, so that a slow minute of the machine falls on all of
    them. Each is started for its round and stopped after it: starting is a figure anyway, no
    round sees what an earlier one left behind, and none shares the cores with another's
    heartbeats.

    Parameters
    ----------
    specs
        The subjects, in the order of a round.
    plan
        How much to measure.
    groups
        Which groups of figures.
    home
        An empty folder for the subjects' files.
    say
        Called with a line on progress.
    """

    def __init__(
        self,
        specs: Sequence[Spec],
        plan: Plan,
        groups: Collection[str],
        home: Path,
        say: Callable[[str], None],
    ) -> None:
        self.results = Results()
        self._specs = specs
        self._plan = plan
        self._groups = groups
        self._home = home
        self._say = say
        self._started = 0
        self._failed: set[str] = set()

    def run(self) -> Results:
        """Measure everything asked for."""
        if not {"kept", "crowd", "imap"}.issuperset(self._groups):
            for number in range(self._plan.rounds):
                for spec in self._specs:
                    what = f"round {number + 1} of {self._plan.rounds}: {spec.name}"
                    self._with(spec, what, self._round)
        if "kept" in self._groups:
            for spec in self._specs:
                if self._plan.sizes[spec.name].kept:
                    self._with(spec, f"memory kept: {spec.name}", self._kept)
        for spec in self._specs:
            self._crowds(spec, self._plan.sizes[spec.name])
        return self.results

    def _crowds(self, spec: Spec, size: Size) -> None:
        """Each in a cluster of its own: what is left of a crowd when one is measured is stopped."""
        asked: list[tuple[str, dict[str, int]]] = []
        if "crowd" in self._groups and size.blocked:
            asked.append(("blocked_ahead", {"blocked": size.blocked, "free": size.free}))
            asked.append(("outstanding", {"size": size.outstanding}))
            asked.append(("fairness", {"size": size.crowd}))
        for figure, counts in asked:

            def measure(
                peer: Peer, size: Size, figure: str = figure, counts: dict[str, int] = counts
            ) -> None:
                self.results.add(figure, spec.name, peer.call(figure, **counts, timeout=300))

            self._with(spec, f"{figure.replace('_', ' ')}: {spec.name}", measure)
        if "imap" in self._groups and size.imap:
            self._with(spec, f"lazy map: {spec.name}", self._imap)

    def _with(self, spec: Spec, what: str, measure: Callable[[Peer, Size], None]) -> None:
        if spec.name in self._failed:
            return
        self._say(what)
        self._started += 1
        peer = Peer(spec, self._home / str(self._started))
        try:
            with peer:
                about = peer.call("about")
                self.results.versions[spec.name] = about["version"]
                seconds = peer.call("start", n=ENGINES, timeout=90)
                if "start" in self._groups:
                    self.results.add("import", spec.name, about["import"])
                    self.results.add("start", spec.name, seconds)
                measure(peer, self._plan.sizes[spec.name])
        except PeerError as error:
            # What fails once is not measured on: the table shows what there is, and why not more.
            self._failed.add(spec.name)
            self.results.failures.append(str(error))
        finally:
            self.results.orphans += [f"{spec.name}: {orphan}" for orphan in peer.orphans]

    def _round(self, peer: Peer, size: Size) -> None:
        name = peer.spec.name
        is_ipyparallel = name in (OURS, PUBLISHED)
        # First, while the cluster is fresh: what tasks leave behind is another figure.
        if "memory" in self._groups and is_ipyparallel:
            pids = peer.call("pids")
            processes = peer.processes()
            parts = split(processes, pids["controller"], pids["engines"])
            self.results.add("controller_processes", name, len(parts.controller))
            self.results.add("engine_processes", name, len(parts.engines) / ENGINES)
            self.results.add("host_processes", name, len(parts.host))
            self.results.add("memory", name, pss(processes) / 1e6)
        counts = {"warm": size.round_trips // 5, "count": size.round_trips}
        if "round-trip" in self._groups:
            self.results.add("round_trip", name, peer.call("round_trip", **counts))
        if "direct" in self._groups and is_ipyparallel:
            self.results.add("direct_round_trip", name, peer.call("direct_round_trip", **counts))
        if "tasks" in self._groups:
            counts = {"warm": size.tasks // 5, "count": size.tasks}
            self.results.add("tasks", name, peer.call("tasks", **counts))

    def _kept(self, peer: Peer, size: Size) -> None:
        """Follow the private memory of controller, client and engines over many tasks."""
        name = peer.spec.name
        pids = peer.call("pids")
        processes = peer.processes()
        parts = split(processes, pids["controller"], pids["engines"])
        curve = self.results.curves.setdefault(name, [])
        objects = []
        done = 0
        for batches in [size.kept_warm, *[1] * size.kept]:
            peer.call("run_and_drop", batches=batches, size=BATCH, timeout=120)
            done += batches
            if done in (size.kept_warm, size.kept_warm + size.kept):
                _settle([*processes, peer.pid])
            objects.append(peer.call("objects"))
            curve.append((private(parts.controller), private([peer.pid]), private(parts.engines)))
        for column, figure in enumerate(("kept_controller", "kept_client", "kept_engines")):
            self.results.add(figure, name, growth([row[column] for row in curve]) / BATCH)
        # A client's first growth can hide in memory that the warm-up freed and the allocator
        # kept; objects cannot.
        self.results.add(
            "kept_client_objects", name, (objects[-1] - objects[0]) / (size.kept * BATCH)
        )

    def _imap(self, peer: Peer, size: Size) -> None:
        """Follow the private memory of client and controller over a lazy map."""
        controller = peer.call("pids")["controller"]
        peer.call("lazy_map", items=size.imap // 20, timeout=600)
        before = {pid: private([pid]) for pid in (peer.pid, controller)}
        peer.call("lazy_map", items=size.imap, timeout=1200)
        for figure, pid in (("imap_client", peer.pid), ("imap_controller", controller)):
            self.results.add(figure, peer.spec.name, (private([pid]) - before[pid]) / 1e6)


def growth(samples: Sequence[float]) -> float:
    """Return by how much a curve grows from one sample to the next, in the long run.

    Between the lowest points of its first and of its last fifth: a process's memory swings up by
    a few megabytes as bursts come, and down again; what it never gives back is what it keeps.
    """
    part = max(1, len(samples) // 5)
    return (min(samples[-part:]) - min(samples[:part])) / max(1, len(samples) - part)


def _settle(pids: Collection[int], interval: float = 0.5, limit: float = 20) -> None:
    """Wait until a cluster and its client have nothing left to do.

    The last result reaches the client before everything is put away (the published hub reads a
    copy of every message, and lags behind), so a backlog would count as memory kept. Nothing
    tells when it is done, but then its processes stand still.
    """
    deadline = time.monotonic() + limit
    used = cpu_seconds(pids)
    while time.monotonic() < deadline:
        time.sleep(interval)
        before, used = used, cpu_seconds(pids)
        if used - before < 0.05 * interval:
            return
