"""Which versions a process has, and which differences matter."""

import platform
import subprocess
import sys

import pytest

import ipyparallel
from ipyparallel.protocol.versions import differences, own_versions, troubles, worth_a_warning


def test_own_versions_are_those_that_the_modules_tell():
    import cloudpickle
    import numpy
    import zmq

    versions = own_versions()
    assert versions["python"] == platform.python_version()
    assert versions["ipyparallel"] == ipyparallel.__version__
    assert versions["numpy"] == numpy.__version__
    assert versions["pyzmq"] == zmq.__version__
    assert versions["cloudpickle"] == cloudpickle.__version__


def test_to_ask_for_them_imports_none_of_them():
    code = (
        "import sys; from ipyparallel.protocol.versions import own_versions;"
        "assert 'numpy' in own_versions();"
        "print(*{'numpy', 'pandas', 'IPython', 'ipykernel'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "\n"


def test_only_what_both_have_can_differ():
    mine = {"python": "3.11.2", "numpy": "2.0.1", "pandas": "2.0"}
    theirs = {"python": "3.11.4", "numpy": "2.0.1", "dill": "1"}
    assert differences(mine, theirs) == {"python": ("3.11.2", "3.11.4")}
    assert differences(mine, {}) == {}


@pytest.mark.parametrize(
    ("name", "mine", "theirs", "worth"),
    [
        ("python", "3.11.2", "3.13.0", True),
        ("python", "3.11.2", "3.11.9", False),
        ("python", "3.13.0rc1", "3.13.0", False),
        ("python", "3.1.0", "3.11.0", True),
        ("numpy", "1.26.4", "2.0.0", True),
        ("numpy", "2.0.0", "2.4.1", False),
        ("pandas", "2.2", "3.0", True),
        ("cloudpickle", "2.2.1", "3.0.0", True),
        ("ipykernel", "6.0", "7.0", False),
        ("IPython", "8.0", "9.0", False),
    ],
)
def test_what_is_worth_a_warning(name, mine, theirs, worth):
    assert worth_a_warning(name, mine, theirs) is worth
    assert bool(troubles({name: mine}, {name: theirs})) is worth
