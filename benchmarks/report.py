"""Compare the medians, judge the targets, and write both for people and for programs.

Everything here but `save` is pure.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import DASK, FIGURES, LOKY, OURS, PUBLISHED, Figure


@dataclass(frozen=True, slots=True)
class Row:
    """A figure with what was measured.

    Parameters
    ----------
    figure
        Which.
    medians
        By subject; without those that did not measure it.
    ratio
        Ours to the published package's; None where one is missing, or the latter is not positive.
    ok
        Whether the target is met; None without a target, or without what it needs.
    """

    figure: Figure
    medians: Mapping[str, float]
    ratio: float | None
    ok: bool | None


def compare(
    samples: Mapping[str, Mapping[str, Sequence[float]]], figures: Sequence[Figure] = FIGURES
) -> list[Row]:
    """Take the medians and judge the targets.

    Parameters
    ----------
    samples
        Figure name to subject to one value a round.
    figures
        The table.

    Returns
    -------
    list of Row
        One for each figure that anybody measured, in the table's order.
    """
    rows = []
    for figure in figures:
        medians = {
            subject: statistics.median(values)
            for subject, values in samples.get(figure.name, {}).items()
            if values
        }
        if not medians:
            continue
        ours, published = medians.get(OURS), medians.get(PUBLISHED)
        ratio = None
        if ours is not None and published is not None and published > 0:
            ratio = ours / published
        ok = figure.target.met(ours, ratio) if figure.target else None
        rows.append(Row(figure, medians, ratio, ok))
    return rows


def table(rows: Sequence[Row], versions: Mapping[str, str]) -> str:
    """Lay out the comparison, and below it the references, as plain text."""
    head = ["figure", _heading(OURS, versions), _heading(PUBLISHED, versions)]
    lines = [[*head, "ratio", "target", "ok?"]]
    for row in rows:
        if OURS in row.medians or PUBLISHED in row.medians:
            ratio = "-" if row.ratio is None else f"{row.ratio:.2f}x"
            target = "-" if row.figure.target is None else str(row.figure.target)
            ok = {True: "yes", False: "NO", None: "-"}[row.ok]
            cells = [_cell(row, OURS), _cell(row, PUBLISHED)]
            lines.append([row.figure.title, *cells, ratio, target, ok])
    text = _align(lines)
    references = [row for row in rows if LOKY in row.medians or DASK in row.medians]
    if references:
        subjects = (OURS, PUBLISHED, LOKY, DASK)
        lines = [["for reference", *(_heading(subject, versions) for subject in subjects)]]
        for row in references:
            lines.append([row.figure.title, *(_cell(row, subject) for subject in subjects)])
        text += "\n\n" + _align(lines)
    return text


def passed(rows: Sequence[Row], failures: Sequence[str], orphans: Sequence[str]) -> bool:
    """Say whether no target was missed, nothing failed and nothing was left running."""
    return not failures and not orphans and all(row.ok is not False for row in rows)


def as_json(rows: Sequence[Row]) -> dict[str, object]:
    """Return the comparison as plain values."""
    return {
        row.figure.name: {
            "title": row.figure.title,
            "medians": dict(row.medians),
            "ratio": row.ratio,
            "target": None if row.figure.target is None else str(row.figure.target),
            "ok": row.ok,
        }
        for row in rows
    }


def save(path: Path, content: Mapping[str, object]) -> None:
    """Write the results as JSON, making the folder where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _heading(subject: str, versions: Mapping[str, str]) -> str:
    version = versions.get(subject)
    return f"{subject} {version}" if version else subject


def _cell(row: Row, subject: str) -> str:
    value = row.medians.get(subject)
    return "-" if value is None else f"{value:,.{row.figure.digits}f}"


def _align(lines: Sequence[Sequence[str]]) -> str:
    """Pad the columns: the first to the right, numbers to the left; rule off the heading."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join([line[0].ljust(widths[0])] + [c.rjust(w) for c, w in _rest(line, widths)])
        for line in lines
    ]
    return "\n".join([text[0], "-" * len(text[0]), *text[1:]])


def _rest(line: Sequence[str], widths: Sequence[int]) -> list[tuple[str, int]]:
    return list(zip(line[1:], widths[1:], strict=True))
