"""Deadlines of jobs: each has one, and those that hold no more cost nothing."""

import gc
import weakref

from ipyparallel.scheduling.state import Job
from ipyparallel.scheduling.timers import Timers


def test_nothing_is_to_happen_at_first():
    timers = Timers()
    assert timers.next() is None
    assert timers.pop_due(1e9) == []


def test_jobs_come_in_the_order_of_their_deadlines():
    timers = Timers()
    jobs = {when: Job(str(when)) for when in (3, 1, 2, 5)}
    for when, job in jobs.items():
        timers.set(job, when)
    assert timers.next() == 1
    assert timers.pop_due(3) == [jobs[1], jobs[2], jobs[3]]
    assert timers.next() == 5
    assert timers.pop_due(4.999) == []
    assert timers.pop_due(5) == [jobs[5]]
    assert timers.next() is None


def test_jobs_of_one_deadline_come_in_the_order_in_which_it_was_set():
    timers = Timers()
    jobs = [Job(str(number)) for number in range(10)]
    for job in jobs:
        timers.set(job, 0.0)
    assert timers.pop_due(0.0) == jobs


def test_a_new_deadline_replaces_the_one_before():
    timers, job = Timers(), Job("1")
    timers.set(job, 1)
    timers.set(job, 3)
    assert timers.next() == 3
    assert timers.pop_due(2) == []
    timers.set(job, 2)
    assert timers.pop_due(2) == [job]
    assert timers.pop_due(9) == []


def test_the_same_deadline_set_twice_comes_once():
    timers, job = Timers(), Job("1")
    timers.set(job, 1)
    timers.set(job, 1)
    assert timers.pop_due(1) == [job]


def test_what_was_cleared_does_not_come():
    timers, job, other = Timers(), Job("1"), Job("2")
    timers.set(job, 1)
    timers.set(other, 2)
    timers.clear(job)
    timers.clear(job)  # there is none: nothing is done
    assert timers.next() == 2
    timers.set(job, 3)  # one that came may be given another
    assert timers.pop_due(9) == [other, job]


def test_a_job_that_was_cleared_is_let_go_with_what_it_carries():
    class Payload:
        """Something that can tell when it is forgotten."""

    payload = Payload()
    known = weakref.ref(payload)
    timers, job = Timers(), Job("1", payload=payload)
    timers.set(Job("2"), 1)  # before it, so that it is not the first
    timers.set(job, 2)
    timers.clear(job)
    del job, payload
    gc.collect()
    assert known() is None


def test_deadlines_that_hold_no_more_do_not_pile_up():
    timers = Timers()
    timers.set(Job("first"), 1.0)  # or all would be thrown out from the front
    for number in range(20_000):
        job = Job(str(number))
        timers.set(job, 3600.0)
        timers.clear(job)
    assert len(timers._heap) < 2000
    for _ in range(20_000):
        timers.set(job, 3600.0)
    assert len(timers._heap) < 2000
    assert len(timers.pop_due(3600.0)) == 2
    assert timers._heap == []
    assert timers._jobs == {}
