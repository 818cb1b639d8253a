"""A published client, led by a test. Run by the peer's python, which has the published package.

Reads commands as lines of JSON, ``{"do": name, ...arguments}``, from standard input, and answers
each by one line: ``{"result": ...}`` or ``{"error": {...}}``.
"""

import json
import os
import sys
import time

import ipyparallel as ipp

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # nothing else may be said where the answers go

rc = None
former = []
pending = {}


def describe(error):
    told = {"type": type(error).__name__, "text": str(error)}
    if isinstance(error, ipp.CompositeError):
        told["elist"] = [
            {"ename": ename, "evalue": evalue, "engine_id": info.get("engine_id")}
            for ename, evalue, _, info in error.elist
        ]
    elif isinstance(error, ipp.RemoteError):
        told["ename"] = error.ename
        told["evalue"] = error.evalue
        told["engine_id"] = (error.engine_info or {}).get("engine_id")
    return told


def twice(x):
    return 2 * x


def fail_with(text):
    raise KeyError(text)


def touch_and_sleep(path, seconds):
    import os
    import time

    open(path, "w").close()
    time.sleep(seconds)
    return os.getpid()


def connect(file):
    global rc
    # the one before stays connected: a test asks as another client, too
    former.append(rc)
    rc = ipp.Client(file, timeout=20)
    return rc.ids


def ids():
    return rc.ids


def wait_for_engines(n):
    rc.wait_for_engines(n, timeout=60, interactive=False)
    return rc.ids


def wait_until_gone(engine_id, within):
    begun = time.monotonic()
    while engine_id in rc.ids:
        if time.monotonic() - begun > within:
            raise TimeoutError(f"{engine_id} is still there")
        time.sleep(0.01)
    return time.monotonic() - begun


def apply_all(x):
    return rc[:].apply_sync(twice, x)


def apply_one(engine_id, x):
    return rc[engine_id].apply_sync(twice, x)


def pids():
    return dict(zip(rc.ids, rc[:].apply_sync(os.getpid), strict=True))


def metadata(engine_id):
    ar = rc[engine_id].apply_async(twice, 1)
    ar.get(20)
    return {
        "engine_id": ar.engine_id,
        "engine_uuid": ar.engine_uuid == rc._engines[engine_id],
        "status": ar.status,
        "output_ready": ar.wait_for_output(20) is not False,
    }


def execute(code, targets):
    ar = rc[targets].execute(code, silent=False)
    ar.get(20)
    ar.wait_for_output(20)
    return {
        "stdout": ar.stdout,
        "stderr": ar.stderr,
        "outputs": [(r.execute_result or {}).get("data", {}).get("text/plain") for r in ar.get()]
        if isinstance(targets, list)
        else None,
    }


def push_pull(value):
    view = rc[:]
    view.push({"pushed": value}, block=True)
    view.scatter("spread", list(range(8)), block=True)
    return {
        "pulled": view.pull("pushed", block=True),
        "gathered": view.gather("spread", block=True),
    }


def work_on(engine_id):
    """All that a direct view does with functions and data, on one engine."""
    import numpy

    view = rc.direct_view([engine_id])
    array = numpy.arange(1000.0)
    view.push({"pushed": array, "n": 5}, block=True)
    view.scatter("spread", array, block=True)
    offset = 3

    class Typed:
        def __init__(self, n):
            self.n = n

    Typed.__module__ = "__main__"
    with view.sync_imports(quiet=True):
        import string  # noqa: F401  (it is imported on the engine, too)
    return {
        "pulled": [value.sum() for value in view.pull("pushed", block=True)],
        "pulled names": view.pull(["n", "n + 1"], block=True),
        "gathered": bool((view.gather("spread", block=True) == array).all()),
        "closure": view.apply_sync(lambda x: x + offset + n, 1),  # noqa: F821
        "arguments": view.apply_sync(
            lambda x, *, y: (x[1].sum(), y["a"].sum()), [0, array], y={"a": array}
        ),
        "reference": view.apply_sync(lambda x: x.sum(), ipp.Reference("pushed")),
        "array": [value.sum() for value in view.apply_sync(lambda: pushed * 2)],  # noqa: F821
        "function": [f(1) for f in view.apply_sync(lambda: lambda x: x + 1)],
        "class": view.apply_sync(lambda c: c(4).n, Typed),
        "map": view.map_sync(twice, range(5)),
        "required": view.apply_sync(ipp.require("bisect", k=7)(lambda: (bisect.__name__, k))),  # noqa: F821
        "imported": view.pull("string.digits", block=True),
    }


def requires(engine_id, answer):
    return rc[engine_id].apply_sync(ipp.depend(lambda met: met, answer)(twice), 1)


def returns_a_lock(engine_id):
    return rc[engine_id].apply_sync(lambda: [__import__("threading").Lock()])


def broadcast(x):
    return rc.broadcast_view().apply_sync(twice, x)


def direct_map(n):
    return rc[:].map_sync(twice, range(n))


def balanced_map(n, targets=None):
    view = rc.load_balanced_view(targets)
    return view.map_sync(twice, range(n), chunksize=1)


def balanced(n):
    view = rc.load_balanced_view()
    results = [view.apply_async(twice, i) for i in range(n)]
    return {
        "results": [r.get(20) for r in results],
        "engines": sorted({r.engine_id for r in results}),
        "statuses": sorted({r.status for r in results}),
    }


def balanced_on(targets, x):
    return rc.load_balanced_view(targets).apply(twice, x).get(20)


def fail_direct(targets):
    rc[targets].apply(fail_with, "direct").get(20)


def fail_balanced():
    rc.load_balanced_view().apply(fail_with, "balanced").get(20)


def fail_execute(engine_id):
    rc[engine_id].execute("1/0", silent=False).get(20)


def start(name, engine_id, balanced, path):
    view = rc.load_balanced_view([engine_id]) if balanced else rc[engine_id]
    pending[name] = view.apply_async(touch_and_sleep, path, 120)


def collect(name, within):
    return pending.pop(name).get(within)


def queue_status(targets, verbose):
    status = rc.queue_status(targets, verbose=verbose)
    return {str(key): value for key, value in status.items()}


def run_some():
    """Run a direct call, a balanced one, code that prints, and calls that fail; their ids."""
    direct = rc[0].apply_async(twice, 4)
    balanced = rc.load_balanced_view().apply_async(twice, [1])
    code = rc[1].execute("print('hi'); 6 * 7", silent=False)
    failed = rc[:].apply_async(fail_with, "recorded")
    for result in (direct, balanced, code, failed):
        result.wait(20)
    code.wait_for_output(20)
    return {
        "direct": direct.msg_ids,
        "balanced": balanced.msg_ids,
        "code": code.msg_ids,
        "failed": failed.msg_ids,
    }


def result_of(msg_ids):
    result = rc.get_result(msg_ids)
    value = result.get(20)
    return {"value": value, "stdout": result.stdout, "status": result.status}


def result_status(msg_ids, status_only=True):
    return rc.result_status(msg_ids, status_only=status_only)


def hub_history():
    return rc.hub_history()


def query(query, keys=None):
    """The records that match; the buffers as their sizes."""
    found = rc.db_query(query, keys)
    for record in found:
        for name in ("buffers", "result_buffers"):
            if name in record:
                record[name] = [memoryview(buffer).nbytes for buffer in record[name]]
    return found


def count_submitted_around(msg_id):
    """How many tasks were submitted up to this one, and after it."""
    moment = rc.db_query({"msg_id": msg_id})[0]["submitted"]
    return [len(rc.db_query({"submitted": {test: moment}})) for test in ("$lte", "$gt")]


def resubmit(msg_ids):
    result = rc.resubmit(msg_ids)
    return {"value": result.get(20), "msg_ids": result.msg_ids}


def purge(msg_ids=(), targets=()):
    rc.purge_hub_results(msg_ids, targets=targets)


def clear(engine_id):
    rc[engine_id].execute("left_over = 1", block=True)
    rc.clear(engine_id, block=True)
    return rc[engine_id].apply_sync(lambda: "left_over" in globals())


def shutdown_engine(engine_id):
    rc.shutdown(targets=[engine_id], block=True)


def signal(engine_id, sig):
    rc.send_signal(sig, targets=engine_id, block=True)


for line in sys.stdin:
    command = json.loads(line)
    try:
        answer = {"result": globals()[command.pop("do")](**command)}
    except Exception as e:  # noqa: BLE001  (the test judges)
        answer = {"error": describe(e)}
    answers.write(json.dumps(answer, default=repr) + "\n")
    answers.flush()
