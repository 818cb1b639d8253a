"""Importing the package is cheap and leaves the process as it was."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import copyreg, json, logging, pickle, signal, sys, threading, warnings, builtins, asyncio
import msgspec, psutil, tornado.ioloop, traitlets.config, zmq  # what others may have loaded
import cloudpickle, cloudpickle.cloudpickle as inner

def state():
    return {
        "copyreg.dispatch_table": sorted(map(repr, copyreg.dispatch_table.items())),
        "cloudpickle by value": sorted(inner._PICKLE_BY_VALUE_MODULES),
        "cloudpickle.Pickler": sorted(map(repr, vars(cloudpickle.Pickler).items())),
        "cloudpickle dispatch": sorted(map(repr, cloudpickle.Pickler.dispatch_table.items())),
        "pickle": sorted(map(repr, vars(pickle).items())),
        "builtins": sorted(vars(builtins)),
        "signals": [repr(signal.getsignal(n)) for n in sorted(signal.valid_signals())],
        "warnings": repr(warnings.filters),
        "excepthook": [repr(sys.excepthook), repr(threading.excepthook), repr(sys.displayhook)],
        "path": sys.path,
        "hooks": [repr(sys.meta_path), repr(sys.path_hooks)],
        "threads": [thread.name for thread in threading.enumerate()],
        "logging": [repr(logging.getLogger().handlers), logging.getLogger().level],
        "switch interval": sys.getswitchinterval(),
        "loop policy": type(asyncio.get_event_loop_policy()).__name__,
    }

before = state()
import ipyparallel
after = state()
print(json.dumps({
    "changed": sorted(key for key in before if before[key] != after[key]),
    "modules": sorted(sys.modules),
    "missing": [name for name in ipyparallel.__all__ if not hasattr(ipyparallel, name)],
}))
"""


@pytest.fixture(scope="module")
def imported():
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(run.stdout)


def test_importing_changes_nothing_in_the_process(imported):
    assert imported["changed"] == []


@pytest.mark.parametrize(
    "module", ["IPython", "ipykernel", "numpy", "pandas", "tqdm", "distributed", "joblib", "dill"]
)
def test_importing_does_not_load(module, imported):
    assert module not in imported["modules"]


def test_all_public_names_are_there(imported):
    assert imported["missing"] == []


def test_a_star_import_brings_the_exceptions():
    namespace = {}
    exec("from ipyparallel import *", namespace)
    assert {"CompositeError", "EngineError", "Client", "error"} <= namespace.keys()
