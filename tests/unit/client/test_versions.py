"""The table of versions."""

import pytest

from ipyparallel.client.versions import ClusterVersions

MINE = {"python": "3.11.2", "ipyparallel": "10.0.0", "numpy": "2.0.0"}


def table(controller, *engines):
    return ClusterVersions(client=MINE, controller=controller, engines=dict(enumerate(engines)))


def test_what_is_the_same_everywhere_needs_no_words():
    versions = table({k: v for k, v in MINE.items() if k != "numpy"}, MINE, dict(MINE))
    assert repr(versions).splitlines() == [
        "               client  controller  engines 0-1",
        "  python       3.11.2  3.11.2      3.11.2",
        "  ipyparallel  10.0.0  10.0.0      10.0.0",
        "  numpy        2.0.0   -           2.0.0",
    ]
    assert str(versions) == repr(versions)


def test_engines_with_the_same_share_a_column_and_what_differs_is_marked():
    other = {**MINE, "python": "3.13.0", "scipy": "1.0"}
    versions = table(MINE, other, MINE, other, {})
    lines = repr(versions).splitlines()
    assert lines[0].split("  ")[-3:] == ["engines 0, 2", "engine 1", "engine 3"]
    by_name = {line[2:].split()[0]: line for line in lines[1:5]}
    assert by_name["python"].startswith("* ")
    assert by_name["ipyparallel"].startswith("  ")
    assert by_name["scipy"].startswith("* ")
    assert by_name["numpy"].split()[1:] == ["2.0.0"] * 4 + ["?"]
    assert lines[5:7] == ["* not the same everywhere", "? not told, as by those of ipyparallel 9"]
    assert lines[7].startswith("engines 0, 2 have Python 3.13.0")
    assert len(lines) == 8


def test_a_controller_with_another_python_is_marked_and_no_trouble():
    versions = table({**MINE, "python": "3.13.0"}, MINE)
    assert repr(versions).splitlines()[1].startswith("* python")
    assert versions.troubles == []


@pytest.mark.parametrize("engines", [[], [{}]])
def test_html(engines):
    html = table({**MINE, "<b>": "1"}, *engines)._repr_html_()
    assert html.startswith("<table>")
    assert "<b>" not in html
    assert html.count("<tr>") == html.count("</tr>") == 5
    assert ("not told" in html) is bool(engines)


def test_it_is_a_dict():
    versions = table(MINE, MINE)
    assert versions["engines"][0]["python"] == "3.11.2"
    assert set(versions) == {"client", "controller", "engines"}
