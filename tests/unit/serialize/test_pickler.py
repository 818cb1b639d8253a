"""What is typed at the client arrives at the engine, with the engine's namespace behind it."""

import collections
import functools
import operator
import os.path
import pickle
import threading

import numpy as np
import pandas as pd
import pytest

from ipyparallel.serialize.pickler import BUFFER_THRESHOLD, deserialize, is_plain, serialize

# ---- functions see the engine's namespace

SEES_A = {
    "a lambda": "it = lambda x: a + x",
    "a function": "def it(x): return a + x",
    "a nested function": "def make():\n def inner(x): return a + x\n return inner\nit = make()",
    "a function inside what is called": (
        "def it(x):\n def inner(): return a + x\n return (lambda: inner())()"
    ),
    "a closure": "def make(y):\n return lambda x: a + x + y\nit = make(0)",
    "a partial": "import functools\nit = functools.partial(lambda y, x: a + x + y, 0)",
    "a comprehension": "it = lambda x: [a + i for i in (x,)][0]",
    "a generator": "def gen(x): yield a + x\ndef make(g):\n return lambda x: next(g(x))\n"
    "it = make(gen)",
    "a bound method": "class C:\n def m(self, x): return a + x\nit = C().m",
    "a class method": "class C:\n @classmethod\n def m(cls, x): return a + x\nit = C.m",
    "a static method": "class C:\n @staticmethod\n def m(x): return a + x\nit = C.m",
    "a callable object": "class C:\n def __call__(self, x): return a + x\nit = C()",
    "a property": "class C:\n x = 0\n @property\n def p(self): return a + self.x\n"
    "def make(c):\n def f(x):\n  c.x = x\n  return c.p\n return f\nit = make(C())",
    "a subclass with super": "class B:\n def m(self, x): return a + x\n"
    "class C(B):\n def m(self, x): return super().m(x)\nit = C().m",
    "a decorated function": "import functools\ndef deco(f):\n @functools.wraps(f)\n"
    " def wrapper(*args): return f(*args)\n return wrapper\n@deco\ndef it(x): return a + x",
    "a mapped lambda": "def make(f):\n return lambda x: list(map(f, [x]))[0]\n"
    "it = make(lambda x: a + x)",
}


@pytest.mark.parametrize("source", SEES_A.values(), ids=SEES_A.keys())
def test_the_namespace_of_the_engine_is_behind(source, sessions):
    it = sessions.define(source)
    sessions.client["a"] = -1000
    sessions.engine["a"] = 5
    assert sessions.send(it)(1) == 6
    assert "it" not in sessions.engine


def test_a_cached_function_arrives(sessions):
    it = sessions.define("import functools\n@functools.lru_cache\ndef it(x): return a + x")
    sessions.engine["a"] = 5
    assert sessions.send(it)(1) == 6


def test_the_namespace_is_live_and_not_a_copy(sessions):
    it = sessions.define("def it(x):\n global b\n b = x\n return a")
    sessions.engine["a"] = 1
    sent = sessions.send(it)
    assert sent(10) == 1
    sessions.engine["a"] = 2
    assert sent(20) == 2
    assert sessions.engine["b"] == 20
    assert "b" not in sessions.client
    assert sent.__globals__ is sessions.engine


def test_globals_of_the_client_do_not_travel(sessions):
    it = sessions.define("a = 'x' * 100_000\nit = lambda: a")
    assert sum(map(len, serialize(it))) < 1000
    with pytest.raises(NameError, match="'a' is not defined"):
        sessions.send(it)()


def test_instances_keep_their_state(sessions):
    it = sessions.define(
        "class C:\n kind = 'k'\n def __init__(self, n): self.n = n\n"
        " def get(self): return self.kind, self.n, a\nit = [C(1), C(2)]"
    )
    sessions.engine["a"] = 5
    first, second = sessions.send(it)
    assert (first.get(), second.get()) == (("k", 1, 5), ("k", 2, 5))
    assert type(first) is type(second)
    assert type(first).__module__ == "__main__"


def test_dataclasses_and_enums_and_named_tuples_arrive(sessions):
    it = sessions.define(
        "import dataclasses, enum, collections\n"
        "@dataclasses.dataclass\nclass D:\n n: int = 3\n"
        "class E(enum.Enum):\n X = 1\n"
        "T = collections.namedtuple('T', 'a b')\n"
        "it = D(4), E.X, T(1, 2)"
    )
    d, e, t = sessions.send(it)
    assert (d.n, repr(d)) == (4, "D(n=4)")
    assert (e.name, e.value) == ("X", 1)
    assert (t.a, t) == (1, (1, 2))


REFERRING = {
    "to itself": "class A: pass\nA.me = A\nit = A",
    "to an instance": "class A: pass\nA.one = A()\nA.one.others = [A.one]\nit = A",
    "to each other": "class A: pass\nclass B: other = A\nA.other = B\nit = A",
    "in methods": "class A:\n def m(self): return __class__, A\n"
    " def n(self): return super().m\nit = A",
    "in a registry": "class A:\n known = {}\n"
    " def __init_subclass__(cls): A.known[cls.__name__] = cls\n"
    "class B(A): pass\nclass C(B): up = A\nit = A",
    "in a closure": "def make():\n class A:\n  def new(self): return A()\n return A\nit = make()",
    "in annotations": "class A:\n def m(self, other: 'A') -> 'A': ...\n"
    "A.m.__annotations__ = {'other': A}\nit = A",
    "in a metaclass": "class M(type):\n made = []\n"
    " def __init__(cls, *args): type(cls).made.append(cls)\n"
    "class A(metaclass=M): pass\nit = A",
}


@pytest.mark.parametrize("source", REFERRING.values(), ids=REFERRING.keys())
def test_classes_that_refer_to_themselves(source, sessions):
    it = sessions.define(source)
    sent = sessions.send([it, it()])
    assert type(sent[1]) is sent[0]
    assert sent[0] is not it
    assert sent[0].__name__ == "A"
    for name in ("me", "other"):
        if hasattr(it, name):
            twin = getattr(sent[0], name)
            assert twin is sent[0] or twin.other is sent[0]


# ---- what makes a function


def test_a_recursive_closure_calls_itself(sessions):
    it = sessions.define(
        "def make():\n def f(n): return 1 if n < 2 else n * f(n - 1)\n return f\nit = make()"
    )
    sent = sessions.send(it)
    assert sent(5) == 120
    assert sent.__closure__[0].cell_contents is sent


def test_closures_that_call_each_other(sessions):
    it = sessions.define(
        "def make():\n"
        " def even(n): return True if n == 0 else odd(n - 1)\n"
        " def odd(n): return False if n == 0 else even(n - 1)\n"
        " return even\nit = make()"
    )
    assert sessions.send(it)(11) is False


def test_a_closure_over_a_variable_without_value(sessions):
    it = sessions.define(
        "def make():\n def f():\n  try: return later\n  except NameError: return 'none yet'\n"
        " if False: later = 1\n return f\nit = make()"
    )
    assert sessions.send(it)() == "none yet"


def test_a_closure_counts_on_its_own_where_it_arrives(sessions):
    it = sessions.define(
        "def make():\n n = 0\n def f():\n  nonlocal n\n  n += 1\n  return n\n return f\nit = make()"
    )
    assert it() == 1
    sent = sessions.send(it)
    assert (sent(), sent()) == (2, 3)
    assert it() == 2


def test_signature_and_description_arrive(sessions):
    it = sessions.define(
        "def it(x: int, y='y', *args, z, w=[1], **kw) -> str:\n"
        " 'What it does.'\n return (x, y, args, z, w, kw)\n"
        "it.label = 'a label'\nit.__qualname__ = 'Some.it'"
    )
    sent = sessions.send(it)
    assert sent(1, z=2) == (1, "y", (), 2, [1], {})
    assert sent.__annotations__ == {"x": int, "return": str}
    assert (sent.__doc__, sent.__name__, sent.__qualname__, sent.__module__, sent.label) == (
        "What it does.",
        "it",
        "Some.it",
        "__main__",
        "a label",
    )


@pytest.mark.parametrize(
    "func",
    [os.path.join, operator.add, len, collections.OrderedDict, functools.partial, str.upper],
)
def test_what_can_be_imported_goes_by_name(func, sessions):
    frames = serialize(func)
    assert len(frames) == 1
    assert len(frames[0]) < 100
    assert sessions.send(func) is func


def test_functions_of_other_modules_keep_their_own_globals(sessions):
    sent = sessions.send(lambda: BUFFER_THRESHOLD)
    sessions.engine["BUFFER_THRESHOLD"] = "the engine's"
    assert sent() == BUFFER_THRESHOLD
    assert sent.__globals__ is not sessions.engine


@pytest.mark.parametrize("obj", [threading.Lock(), (i for i in ()), {"a": [threading.Lock()]}])
def test_what_cannot_be_pickled_is_a_type_error(obj):
    with pytest.raises(TypeError, match=r"cannot pickle"):
        serialize(obj)


# ---- data


@pytest.mark.parametrize(
    "obj",
    [
        None,
        True,
        0,
        -1.5,
        1j,
        "text",
        b"bytes",
        b"x" * 10_000,
        bytearray(b"x" * 10_000),
        "x" * 10_000,
        [1, [2, (3, {4: {5}})]],
        {"a": None},
        range(3),
        Ellipsis,
    ],
    ids=lambda obj: type(obj).__name__,
)
def test_data_arrives_equal(obj):
    twin = deserialize(serialize(obj))
    assert twin == obj
    assert type(twin) is type(obj)


@pytest.mark.parametrize(
    ("obj", "plain"),
    [
        (1, True),
        (True, True),
        (None, True),
        ("x" * 10_000, True),
        (b"x" * 4095, True),
        (b"x" * 4096, False),
        ([], False),
        ((), False),
        (type("MyInt", (int,), {})(3), False),
        (np.float64(1), False),
    ],
)
def test_plain_is_what_plain_pickle_writes_as_well(obj, plain):
    assert is_plain(obj) is plain


@pytest.mark.parametrize(
    ("view", "frames"),
    [
        (memoryview(b"abc"), 1),
        (memoryview(bytearray(b"x" * 5000)), 2),
        (memoryview(np.arange(3000.0).reshape(30, 100)), 2),
        (memoryview(np.arange(3000.0))[::2], 1),
        (memoryview(b""), 1),
    ],
)
def test_memoryviews_arrive(view, frames):
    sent = serialize([view])
    assert len(sent) == frames
    (twin,) = deserialize(sent)
    assert (twin.format, twin.shape, twin.tolist()) == (view.format, view.shape, view.tolist())


def test_identity_within_one_object_is_kept():
    shared = [1]
    first, second, third = deserialize(serialize([shared, shared, [1]]))
    assert first is second
    assert first is not third
    loop = []
    loop.append(loop)
    twin = deserialize(serialize(loop))
    assert twin[0] is twin


# ---- arrays


def test_a_large_array_is_sent_and_loaded_without_a_copy():
    array = np.arange(1000.0)
    head, buffer = serialize(array)
    assert len(head) < 300
    assert np.shares_memory(np.frombuffer(buffer), array)
    received = bytes(buffer)
    loaded = deserialize([head, received])
    assert np.array_equal(loaded, array)
    assert np.shares_memory(loaded, np.frombuffer(received))
    assert not loaded.flags.writeable


@pytest.mark.parametrize(
    ("nbytes", "frames"), [(BUFFER_THRESHOLD - 1, 1), (BUFFER_THRESHOLD, 2), (0, 1)]
)
def test_only_large_buffers_have_frames_of_their_own(nbytes, frames):
    array = np.ones(nbytes, "u1")
    sent = serialize(array)
    assert len(sent) == frames
    assert np.array_equal(deserialize(sent), array)


@pytest.mark.parametrize(
    ("array", "frames"),
    [
        (np.arange(3000.0).reshape(30, 100), 2),
        (np.asfortranarray(np.arange(3000.0).reshape(30, 100)), 2),
        (np.arange(3000.0)[::2], 1),
        (np.arange(3000.0)[::-1], 1),
        (np.zeros(500, [("a", "i4"), ("b", "f8")]), 2),
        (np.arange(1000, dtype=">i8"), 2),
        (np.array(["text", None, 3], dtype=object), 1),
        (np.full(1000, "date", "U10"), 2),
        (np.ma.masked_array(np.arange(1000.0), mask=False), None),
    ],
    ids=lambda value: None,
)
def test_arrays_of_all_kinds_arrive_equal(array, frames):
    sent = serialize(array)
    loaded = deserialize(sent)
    assert frames is None or len(sent) == frames
    assert loaded.dtype == array.dtype
    assert loaded.shape == array.shape
    assert (loaded == array).all()
    if array.flags.f_contiguous:
        assert loaded.flags.f_contiguous


def test_arrays_inside_other_things_have_frames_of_their_own():
    arrays = {"a": np.arange(1000.0), "b": [np.ones(2000), np.ones(3)]}
    head, *buffers = serialize(arrays)
    assert [memoryview(buffer).nbytes for buffer in buffers] == [8000, 16000]
    loaded = deserialize([head, *buffers])
    assert np.shares_memory(loaded["a"], arrays["a"])
    assert np.shares_memory(loaded["b"][0], arrays["b"][0])
    assert not np.shares_memory(loaded["b"][1], arrays["b"][1])


def test_an_array_in_a_closure_travels_without_a_copy(sessions):
    it = sessions.define(
        "import numpy as np\ndef make(x):\n return lambda: x\nit = make(np.arange(1000.0))"
    )
    frames = serialize(it)
    assert len(frames) == 2
    assert np.shares_memory(np.frombuffer(frames[1]), it())
    assert np.shares_memory(deserialize(frames)(), it())


def test_a_data_frame_is_sent_and_loaded_without_a_copy():
    frame = pd.DataFrame({"a": np.arange(1000.0), "b": np.arange(1000.0), "n": range(1000)})
    head, *buffers = serialize(frame)
    assert sum(memoryview(buffer).nbytes for buffer in buffers) >= 24_000
    assert len(head) < 2000
    loaded = deserialize([head, *buffers])
    pd.testing.assert_frame_equal(loaded, frame)
    for column in ("a", "b", "n"):
        assert np.shares_memory(loaded[column].to_numpy(), frame[column].to_numpy())


def test_a_picklable_buffer_travels_out_of_band():
    data = bytearray(b"x" * 5000)
    head, buffer = serialize([pickle.PickleBuffer(data)])
    assert memoryview(buffer).obj is data
    assert bytes(deserialize([head, bytes(buffer)])[0]) == bytes(data)
