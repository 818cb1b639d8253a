import pytest
from traitlets import HasTraits, TraitError

from ipyparallel.cluster import launcher as public
from ipyparallel.cluster.launchers.find import (
    Launcher,
    abbreviate_launcher_class,
    find_launcher_class,
)


class Mine(public.LocalEngineSetLauncher):
    pass


class Named(public.LocalEngineSetLauncher):
    entrypoint_name = "named"


class Holder(HasTraits):
    controller = Launcher("controller", default_value="local")
    engines = Launcher("engine", default_value="local")


@pytest.mark.parametrize(
    "name",
    [
        "local",
        "Local",
        "LocalEngineSetLauncher",
        "ipyparallel.cluster.launcher.LocalEngineSetLauncher",
        "ipyparallel.cluster.launchers.local.LocalEngineSetLauncher",
    ],
)
def test_engine_launchers_are_found_by_any_of_their_names(name):
    assert find_launcher_class(name) is public.LocalEngineSetLauncher


def test_a_name_means_something_else_for_a_controller():
    assert find_launcher_class("local", "controller") is public.LocalControllerLauncher


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no engine launcher 'loca'.*Known are .*local"):
        find_launcher_class("loca")
    with pytest.raises(ValueError, match=r"'no\.such\.Class'"):
        find_launcher_class("no.such.Class")


def test_what_is_no_launcher_is_refused():
    with pytest.raises(TypeError, match="not a launcher class"):
        find_launcher_class("pathlib.Path")


def test_abbreviations():
    assert abbreviate_launcher_class(public.LocalEngineSetLauncher) == "local"
    assert abbreviate_launcher_class(public.LocalControllerLauncher) == "local"
    assert abbreviate_launcher_class(Named) == "named"
    # what its base class is called is not its name
    assert abbreviate_launcher_class(Mine) == f"{Mine.__module__}.Mine"


def test_the_trait_takes_classes_and_names():
    holder = Holder()
    assert holder.controller is public.LocalControllerLauncher
    assert holder.engines is public.LocalEngineSetLauncher
    holder.engines = Mine
    assert holder.engines is Mine
    holder.engines = "LOCAL"
    assert holder.engines is public.LocalEngineSetLauncher


@pytest.mark.parametrize("value", ["nonsense", 5, dict, public.LocalControllerLauncher])
def test_the_trait_refuses_the_rest(value):
    with pytest.raises(TraitError, match="engines"):
        Holder(engines=value)
