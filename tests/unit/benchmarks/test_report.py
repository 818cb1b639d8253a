"""The comparison and its verdicts, from samples to text, without running anything."""

import json

import pytest

from benchmarks.figures import DASK, FIGURES, GROUPS, LOKY, OURS, PUBLISHED, Figure, Target
from benchmarks.report import as_json, compare, passed, table

FASTER = Figure("trip", "g", "a trip, ms", 2, Target("ratio", "<=", 0.35))
MORE = Figure("rate", "g", "a rate, /s", 0, Target("ratio", ">=", 7))
SMALL = Figure("kept", "g", "kept, bytes", 0, Target("value", "<=", 50))
PLAIN = Figure("count", "g", "a count", 0)


def verdict(figure, ours, published=None):
    samples = {OURS: ours}
    if published is not None:
        samples[PUBLISHED] = published
    (row,) = compare({figure.name: samples}, [figure])
    return row.ok


@pytest.mark.parametrize(
    ("figure", "ours", "published", "ok"),
    [
        (FASTER, 0.34, 1.0, True),
        (FASTER, 0.35, 1.0, True),  # the limit itself is still good
        (FASTER, 0.36, 1.0, False),
        (MORE, 7.0, 1.0, True),
        (MORE, 6.9, 1.0, False),
        (SMALL, 50.0, 9000.0, True),
        (SMALL, 50.5, 9000.0, False),
        (SMALL, -3.0, 9000.0, True),  # memory given back
        (PLAIN, 1.0, 2.0, None),
    ],
)
def test_target(figure, ours, published, ok):
    assert verdict(figure, [ours], [published]) is ok


def test_a_ratio_needs_both():
    assert verdict(FASTER, [0.1]) is None


def test_a_value_needs_only_ours():
    assert verdict(SMALL, [60.0]) is False


def test_only_the_published_package_measured():
    (row,) = compare({"kept": {PUBLISHED: [5000.0]}}, [SMALL])
    assert (row.ratio, row.ok) == (None, None)


@pytest.mark.parametrize("published", [0.0, -10.0])
def test_no_ratio_to_nothing(published):
    (row,) = compare({"trip": {OURS: [1.0], PUBLISHED: [published]}}, [FASTER])
    assert (row.ratio, row.ok) == (None, None)


def test_median_of_the_rounds():
    # One disturbed round on each side decides nothing; means would fail this.
    (row,) = compare({"trip": {OURS: [1.0, 1.0, 90.0], PUBLISHED: [4.0, 4.0, 0.1]}}, [FASTER])
    assert row.medians == {OURS: 1.0, PUBLISHED: 4.0}
    assert row.ratio == 0.25
    assert row.ok


def test_unmeasured_figures_have_no_row():
    assert compare({"kept": {OURS: []}}, [FASTER, SMALL]) == []


def test_rows_keep_the_order_of_the_table():
    samples = {figure.name: {OURS: [1.0]} for figure in reversed(FIGURES)}
    assert [row.figure for row in compare(samples)] == list(FIGURES)


def test_table():
    rows = compare(
        {
            "trip": {OURS: [0.5], PUBLISHED: [2.5], LOKY: [0.25]},
            "rate": {OURS: [5000.0], PUBLISHED: [1000.0], DASK: [900.0]},
            "kept": {PUBLISHED: [5000.0]},
        },
        [FASTER, MORE, SMALL],
    )
    text = table(rows, {OURS: "10.0", PUBLISHED: "9.2"})
    main, reference = text.split("\n\n")
    lines = [line.split() for line in main.splitlines()]
    assert lines[0] == ["figure", "ours", "10.0", "published", "9.2", "ratio", "target", "ok?"]
    assert lines[2] == ["a", "trip,", "ms", "0.50", "2.50", "0.20x", "<=", "0.35x", "yes"]
    assert lines[3] == ["a", "rate,", "/s", "5,000", "1,000", "5.00x", ">=", "7x", "NO"]
    assert lines[4] == ["kept,", "bytes", "-", "5,000", "-", "<=", "50", "-"]
    assert reference.splitlines()[-2].split()[-2:] == ["0.25", "-"]
    assert reference.splitlines()[-1].split()[-2:] == ["-", "900"]
    # Aligned: every line of a block is as wide as its rule.
    for block in (main, reference):
        assert len({len(line) for line in block.splitlines()}) == 1


def test_no_reference_table_without_references():
    assert "for reference" not in table(compare({"trip": {OURS: [0.5]}}, [FASTER]), {})


def test_passed():
    good = compare({"trip": {OURS: [0.1], PUBLISHED: [1.0]}, "count": {OURS: [1.0]}}, [FASTER])
    bad = compare({"trip": {OURS: [0.9], PUBLISHED: [1.0]}}, [FASTER])
    assert passed(good, [], [])
    assert not passed(bad, [], [])
    assert not passed(good, ["ours ended in start"], [])
    assert not passed(good, [], ["ours: 4711 (python -m ipyparallel.engine)"])


def test_json():
    rows = compare(
        {"trip": {OURS: [0.1], PUBLISHED: [1.0]}, "count": {OURS: [1.0]}}, [FASTER, PLAIN]
    )
    assert json.loads(json.dumps(as_json(rows))) == {
        "trip": {
            "title": "a trip, ms",
            "medians": {OURS: 0.1, PUBLISHED: 1.0},
            "ratio": 0.1,
            "target": "<= 0.35x",
            "ok": True,
        },
        "count": {
            "title": "a count",
            "medians": {OURS: 1.0},
            "ratio": None,
            "target": None,
            "ok": None,
        },
    }


def test_the_table_of_figures():
    names = [figure.name for figure in FIGURES]
    assert len(set(names)) == len(names)
    assert {figure.group for figure in FIGURES} == set(GROUPS)
    targets = {figure.name: str(figure.target) for figure in FIGURES if figure.target}
    assert targets == {
        "round_trip": "<= 0.35x",
        "tasks": ">= 7x",
        "start": "<= 0.25x",
        "memory": "<= 0.6x",
        "kept_controller": "<= 50",
        "kept_client": "<= 50",
        "blocked_ahead": "<= 1.2",
        "outstanding": "<= 1.2",
        "fairness": "<= 3",
        "imap_client": "<= 20",
        "imap_controller": "<= 20",
    }
