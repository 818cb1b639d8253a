"""Writes and reads frames in the published form; run by our python and by the peer's alike.

``pickles.py write FILE`` puts the frames of each case into a file; ``pickles.py read FILE`` says,
as JSON, what each is after it was read.
"""

import functools
import json
import pickle
import sys

import numpy as np

import ipyparallel as ipp
from ipyparallel.serialize import deserialize_object, pack_apply_message, serialize_object
from ipyparallel.serialize import unpack_apply_message as unpack


def plain(x, y=2, *, z=3):
    "What it does."
    return a + x + y + z  # noqa: F821  (in the namespace of who reads)


def annotated(x: int, *args: str) -> float:
    return float(x)


def adder(n):
    def add(x):
        return x + n

    return add


def caller(f):
    return lambda x: f(x) + 1


class Base:
    kind = "base"

    def __init__(self, n):
        self.n = n

    def total(self, more):
        return self.n + more + a  # noqa: F821


class Derived(Base):
    kind = "derived"


def met(answer):
    return answer


structured = np.zeros(2, [("x", "i4"), ("y", "f8", (2,))])
structured["x"] = 7, 8
large = np.arange(300.0)

CASES = {
    "number": lambda: 3.5,
    "nested": lambda: {"b": [1, (2, {"c"})], "a": None},
    "function": lambda: plain,
    "annotations": lambda: annotated,
    "lambda": lambda: lambda x: a * x,  # noqa: F821
    "closure": lambda: adder(10),
    "closure of a function": lambda: caller(adder(10)),
    "default that is a function": lambda: lambda x, f=adder(1): f(x),  # noqa: B008
    "imported function": lambda: json.dumps,
    "builtin": lambda: len,
    "partial": lambda: functools.partial(plain, 1, z=100),
    "partial with arrays": lambda: functools.partial(plain, large, y=large * 2, z=np.arange(300)),
    "closure of an array": lambda: adder(large),
    "array": lambda: large,
    "small array": lambda: np.arange(3),
    "empty array": lambda: np.zeros((0, 3)),
    "array without dimensions": lambda: np.array(5.0),
    "fortran array": lambda: np.asfortranarray(np.arange(600.0).reshape(20, 30)),
    "strided array": lambda: np.arange(600.0)[::2],
    "big endian array": lambda: np.arange(3, dtype=">i4"),
    "array of objects": lambda: np.array([1, "a", None], dtype=object),
    "array of records": lambda: structured,
    "array of records of objects": lambda: np.array([(1, "x")], [("n", "i4"), ("o", "O")]),
    "bytes": lambda: b"x" * 2000,
    "short bytes": lambda: b"xy",
    "memoryview": lambda: memoryview(b"x" * 2000),
    "short memoryview": lambda: memoryview(b"xy"),
    "bytearray": lambda: bytearray(b"xy"),
    "list": lambda: [large, 1, adder(2), b"x" * 2000, memoryview(b"y" * 2000)],
    "tuple": lambda: (adder(3), large),
    "set": lambda: {1, 2},
    "dict": lambda: {"b": large, "a": large[:200] * 2, "f": adder(4)},
    "long list": lambda: list(range(100)),
    "class": lambda: Base,
    "derived class": lambda: Derived,
    "reference": lambda: ipp.Reference("a"),
    "reference to an expression": lambda: [ipp.Reference("a + 1")],
    "dependent": lambda: ipp.dependent(plain, met, True),
    "unmet": lambda: ipp.dependent(plain, met, False),
    "required": lambda: ipp.require("json", adder, k=5)(lambda x: (adder(1)(x), k)),  # noqa: F821
    "required and missing": lambda: ipp.require("no_such_module")(plain),
    "dependency": lambda: ipp.Dependency(["x", "y"], all=False),
}


def told(obj):
    """What an object is, as JSON has it."""
    if isinstance(obj, np.ndarray):
        return ["array", str(obj.dtype.descr), list(obj.shape), repr(obj.tolist())]
    if isinstance(obj, (bytes, bytearray, memoryview)):
        return [type(obj).__name__, bytes(obj).decode()]
    if isinstance(obj, (list, tuple)):
        return [type(obj).__name__, *map(told, obj)]
    if isinstance(obj, set) and hasattr(obj, "as_dict"):
        asked = obj.as_dict()
        return ["Dependency", sorted(asked.pop("dependencies")), asked]
    if isinstance(obj, set):
        return ["set", *sorted(map(told, obj))]
    if isinstance(obj, dict):
        return {key: told(value) for key, value in obj.items()}
    if isinstance(obj, type):
        return [obj.__name__, obj.kind, obj(1).total(2), [b.__name__ for b in obj.mro()]]
    if callable(obj):
        name = getattr(obj, "__name__", type(obj).__name__)
        annotations = repr(getattr(obj, "__annotations__", {}) or {})
        called = obj() if isinstance(obj, functools.partial) else obj("ab" if obj is len else 1)
        return [name, annotations, told(called)]
    return obj


def write(file):
    frames = {}
    for name, make in CASES.items():
        try:
            frames[name] = [bytes(frame) for frame in serialize_object(make())]
        except Exception as e:  # noqa: BLE001  (the test judges)
            frames[name] = repr(e)
    call = pack_apply_message(
        plain, (1, [large, 2], large), {"z": large * 2, "b": b"y" * 2000, "a": adder(1)}
    )
    frames["a call"] = [bytes(frame) for frame in call]
    with open(file, "wb") as out:
        pickle.dump(frames, out)


def read(file):
    with open(file, "rb") as source:
        written = pickle.load(source)
    results = {}
    for name, frames in written.items():
        # the globals of what was typed are those of an engine: it is not this module's
        namespace = {"__name__": "__main__", "a": 1000}
        try:
            if name == "a call":
                func, args, kwargs = unpack(frames, namespace)
                results[name] = [told(func), told(args), told(kwargs)]
                continue
            obj, left = deserialize_object([*frames, b"the rest"], namespace)
            assert left == [b"the rest"]
            results[name] = told(obj)
        except Exception as e:  # noqa: BLE001  (the test judges)
            results[name] = f"{type(e).__name__}: {e}"
    print(json.dumps(results))


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](sys.argv[2])
