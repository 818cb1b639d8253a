"""Traits that others use."""

import pytest
from traitlets import HasTraits, TraitError

from ipyparallel.cluster.launcher import LocalControllerLauncher, LocalEngineSetLauncher
from ipyparallel.traitlets import Launcher, PortList


class Configurable(HasTraits):
    engines = Launcher(entry_point_group="ipyparallel.engine_launchers")
    controller = Launcher("local", entry_point_group="ipyparallel.controller_launchers")
    ports = PortList()


def test_launchers_are_found_by_name():
    configurable = Configurable(engines="LOCAL")
    assert configurable.engines is LocalEngineSetLauncher
    assert configurable.controller is LocalControllerLauncher
    with pytest.raises(TraitError, match="There is no engine launcher 'x'"):
        configurable.engines = "x"
    with pytest.raises(ValueError, match="entry_point_group must be"):
        Launcher(entry_point_group="others")


@pytest.mark.parametrize("value", [[1, 2], (1, 2)])
def test_ports(value):
    assert Configurable(ports=value).ports == [1, 2]


@pytest.mark.parametrize("value", ["x", "3-1", [0], [70000], [1.5], [True], 5])
def test_what_is_no_port(value):
    with pytest.raises(TraitError):
        Configurable(ports=value)


def test_ports_of_a_command_line():
    assert PortList.parse_port_range("100-103,105") == [100, 101, 102, 103, 105]
    assert PortList().from_string_list(["1-2", "5"]) == [1, 2, 5]
    assert Configurable().ports == []
