"""Who has which versions of what: a table of client, controller and engines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from ..error import VersionMismatchWarning
from ..protocol.versions import PACKAGES, Versions, own_versions, troubles
from .messaging.messenger import Messenger
from .messaging.skew import describe, ranges

#: Stands for what is not installed, and for what a peer does not tell.
_MISSING, _UNKNOWN = "-", "?"


class ClusterVersions(dict[str, Any]):
    """Versions by who has them, shown as a table.

    ``client`` and ``controller``: a dict of versions by name; ``engines``: such a dict for each
    engine, by its id. It is empty for one that does not tell, as those of ipyparallel 9.
    """

    @property
    def columns(self) -> list[tuple[str, Versions]]:
        """Client, controller, and the engines, those together that have the same."""
        groups: list[tuple[list[int], Versions]] = []
        for engine_id, versions in sorted(self["engines"].items()):
            for ids, same in groups:
                if same == versions:
                    ids.append(engine_id)
                    break
            else:
                groups.append(([engine_id], versions))
        engines = [
            (f"engine{'s' if len(ids) > 1 else ''} {ranges(ids)}", same) for ids, same in groups
        ]
        return [("client", self["client"]), ("controller", self["controller"]), *engines]

    @property
    def rows(self) -> list[tuple[str, list[str], bool]]:
        """Of each package its name, its versions in the order of `columns`, and whether they
        differ. That the controller lacks one, which it may never need, is no difference.
        """
        columns = self.columns
        known = {name for _, versions in columns for name in versions}
        # what a later version tells, too
        names = [name for name in ("python", "ipyparallel", *PACKAGES) if name in known]
        names += sorted(known.difference(names))
        return [self._row(name, columns) for name in names]

    def _row(
        self, name: str, columns: Iterable[tuple[str, Versions]]
    ) -> tuple[str, list[str], bool]:
        cells, different = [], set()
        for column, versions in columns:
            cell = versions.get(name, _MISSING) if versions else _UNKNOWN
            cells.append(cell)
            if cell != _UNKNOWN and (cell != _MISSING or column != "controller"):
                different.add(cell)
        return name, cells, len(different) > 1

    @property
    def troubles(self) -> list[str]:
        """What is likely to fail because of the differences between client and engines."""
        kinds: dict[tuple[str, str, str], list[int]] = {}
        for engine_id, versions in sorted(self["engines"].items()):
            for name, (mine, theirs) in troubles(self["client"], versions).items():
                kinds.setdefault((name, mine, theirs), []).append(engine_id)
        return [describe(*kind, ids) for kind, ids in kinds.items()]

    def __repr__(self) -> str:
        rows = self.rows
        table = [["", *(title for title, _ in self.columns)]]
        table += [[f"{'*' if differs else ' '} {name}", *cells] for name, cells, differs in rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
        return "\n".join([*lines, *self._legend()])

    def _legend(self) -> list[str]:
        rows = self.rows
        lines = []
        if any(differs for _, _, differs in rows):
            lines.append("* not the same everywhere")
        if any(_UNKNOWN in cells for _, cells, _ in rows):
            lines.append("? not told, as by those of ipyparallel 9")
        return [*lines, *self.troubles]

    def _repr_html_(self) -> str:
        titles = "".join(f"<th>{escape(title)}</th>" for title, _ in self.columns)
        lines = ["<table>", f"<thead><tr><th></th>{titles}</tr></thead>", "<tbody>"]
        for name, cells, differs in self.rows:
            title = f"{escape(name)} *" if differs else escape(name)
            tag = "strong" if differs else "span"
            texts = "".join(f"<td><{tag}>{escape(cell)}</{tag}></td>" for cell in cells)
            lines.append(f"<tr><th>{title}</th>{texts}</tr>")
        lines += ["</tbody>", "</table>"]
        lines += [f"<p>{escape(line)}</p>" for line in self._legend()]
        return "\n".join(lines)


class VersionMethods:
    """The part of `Client` that tells versions."""

    _messenger: Messenger

    def get_versions(self, check: bool = False) -> ClusterVersions:
        """Versions of Python and of key packages: here, in the controller and on the engines.

        Printed, or as the value of a cell, they are a table, in which what differs is marked.

        Parameters
        ----------
        check : bool
            Whether to raise an error if client and engines differ so that calls are likely to
            fail.

        Returns
        -------
        dict
            ``client`` and ``controller``: versions by name; ``engines``: the same by engine id.

        Raises
        ------
        VersionMismatchWarning
            They differ so; see `check`. The same is warned of when client and engine meet.
        """
        self._messenger.check()
        engines: Mapping[int, Versions] = self._messenger.engines.versions
        versions = ClusterVersions(
            client=dict(own_versions()),
            controller=dict(self._messenger.controller_versions),
            engines=engines,
        )
        if check and versions.troubles:
            raise VersionMismatchWarning("\n".join(versions.troubles))
        return versions
