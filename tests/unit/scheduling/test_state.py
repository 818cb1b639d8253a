"""What a job and an engine say of themselves."""

import math

import pytest

from ipyparallel.scheduling.state import Engine, Job, Phase


def test_a_new_job_waits_for_any_engine():
    job = Job("a_1", payload="frames")
    assert (job.phase, job.engine, job.allowed, job.payload) == (
        Phase.WAITING,
        None,
        frozenset(),
        "frames",
    )
    assert repr(job) == "<Job a_1 waiting>"


@pytest.mark.parametrize(
    ("limit", "load", "recalling", "full"),
    [
        (1, 0, False, False),
        (1, 1, False, True),
        (1, 2, False, True),  # its limit fell while it held two
        (math.inf, 2, False, False),
        (math.inf, 0, True, True),
    ],
)
def test_an_engine_is_full_at_its_limit_or_while_asked_for_tasks_back(limit, load, recalling, full):
    engine = Engine("uuid", 3, limit)
    engine.running = {str(i): Job(str(i)) for i in range(load)}
    engine.recalling = recalling
    assert engine.load == load
    assert engine.full is full
    assert repr(engine) == f"<Engine 3 load={load}/{limit}>"
