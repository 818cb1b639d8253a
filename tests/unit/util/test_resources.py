"""The trait of engines' resources: from code, configuration files and command lines."""

import pytest
from traitlets import TraitError
from traitlets.config import Application, Config

from ipyparallel.util.resources import Resources, check_number, resources_of


class App(Application):
    aliases = {"resources": "App.resources"}
    resources = Resources().tag(config=True)


def from_command_line(*argv):
    app = App()
    app.parse_command_line(list(argv))
    return app.resources


def test_nothing_by_default():
    assert App().resources == {}


@pytest.mark.parametrize("value", [{"gpu": 1}, [{"gpu": 1}, {}], []])
def test_as_objects(value):
    assert App(resources=value).resources == value
    config = Config()
    config.App.resources = value
    assert App(config=config).resources == value


def test_a_text_in_code():
    assert App(resources="gpu=1 mem=2").resources == {"gpu": 1, "mem": 2}


@pytest.mark.parametrize(
    ("argv", "resources"),
    [
        (["--resources", "gpu=1,mem=16"], {"gpu": 1, "mem": 16}),
        (["--resources=gpu=1 mem=16"], {"gpu": 1, "mem": 16}),
        (["--resources", "gpu=1", "--resources", "mem=16"], {"gpu": 1, "mem": 16}),
        (["--resources", "gpu=1", "--resources", "gpu=2"], {"gpu": 2}),
        (['--resources=[{"gpu": 1}, {}]'], [{"gpu": 1}, {}]),
        (["--App.resources=gpu=1"], {"gpu": 1}),
    ],
)
def test_on_a_command_line(argv, resources):
    assert from_command_line(*argv) == resources


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (5, "5 does not"),
        ({"gpu": -1}, "-1, of 'gpu'"),
        ([{"gpu": 1}, {"gpu": "x"}], "'x', of 'gpu'"),
        ([{"gpu": 1}, "gpu=1"], "'gpu=1' does not"),
        ("gpu", "'gpu' is not"),
        (["gpu=1", "[]"], r"\[\] does not"),
    ],
)
def test_a_wrong_value_is_named(value, said):
    with pytest.raises(TraitError, match=rf"App\.resources: .*{said}"):
        App(resources=value)


def test_a_wrong_text_on_a_command_line_is_named(capsys):
    with pytest.raises(SystemExit):
        from_command_line("--resources=gpu")
    assert "App.resources: resources are given as 'name=number'" in capsys.readouterr().err


def test_those_of_one_engine():
    assert resources_of({"gpu": 1}, 5) == {"gpu": 1}
    assert resources_of([{}, {"gpu": 1}], 1) == {"gpu": 1}


def test_a_list_has_as_many_as_engines():
    check_number({}, 5)
    check_number([{}, {}], 2)
    with pytest.raises(ValueError, match="resources of 1 engines are given, and there are to be 2"):
        check_number([{}], 2)
