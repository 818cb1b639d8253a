"""Code from another Python is refused; it would crash."""

import subprocess
import sys

import pytest

from ipyparallel.serialize import bytecode
from ipyparallel.serialize.bytecode import ForeignBytecode, load_code
from ipyparallel.serialize.dill_pickler import DillPickler
from ipyparallel.serialize.pickler import Pickler, deserialize, serialize

DEFINED = {
    "lambda": ("it = lambda: 1", "<lambda>"),
    "nested": ("def it():\n return [lambda: j for j in 'a']", "it"),
    "class": ("class C:\n def m(self): pass\nit = C", "C.m"),
    "object": ("class C:\n def m(self): pass\nit = C()", "C.m"),
    "generator": ("def it(): yield 1", "it"),
}


@pytest.mark.parametrize("pickler", [Pickler, DillPickler])
@pytest.mark.parametrize(("source", "name"), DEFINED.values(), ids=DEFINED)
def test_another_python_refuses_it_by_name(monkeypatch, source, name, pickler):
    namespace = {"__name__": "__main__"}
    exec(source, namespace)
    with monkeypatch.context() as patch:
        patch.setattr(bytecode, "_VERSION", 0x0363)
        frames = serialize(namespace["it"], pickler)
    with pytest.raises(ForeignBytecode) as raised:
        deserialize(frames)
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert str(raised.value).startswith(
        f"cannot load {name}: it was sent as bytecode of Python 3.99, and this is Python {here}."
    )


def test_the_same_python_loads_it():
    def it():
        return [i + 1 for i in range(3)]

    _, args = bytecode.reduce_code(it.__code__)
    assert load_code(*args) == it.__code__
    assert deserialize(serialize(it))() == [1, 2, 3]


def test_other_picklers_are_as_they_were():
    code = (
        "import ipyparallel.serialize.pickler, cloudpickle;"
        "assert b'ipyparallel' not in cloudpickle.dumps(lambda: 1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
