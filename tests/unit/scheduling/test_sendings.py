"""Jobs that are sent more than once, or could not be sent; what engines say of them."""

import pytest

from ipyparallel.error import DependencyTimeout, TaskTimeout
from ipyparallel.scheduling.commands import Abort, Answer, Cancel, Dispatch, Fail, Recall, Replace
from ipyparallel.scheduling.machine import GRACE, LONG, TaskMachine, Verdict
from ipyparallel.scheduling.policies import LeastLoad
from ipyparallel.scheduling.state import Engine, Job, msg_id_of
from ipyparallel.scheduling.terms import Terms


@pytest.fixture
def machine():
    machine = TaskMachine(LeastLoad(), hwm=2)
    machine.engine_joined("e", 0, 0.0)
    return machine


def submit(machine, msg_id, owner="a", **terms):
    job = Job(msg_id, Terms(**terms), owner)
    machine.submitted(job, 0.0)
    return job


def said(machine):
    """The commands, briefly."""
    texts = []
    for command in machine.take():
        match command:
            case Dispatch(engine, job):
                texts.append(f"{job.sending}>{engine.uuid}")
            case Cancel(_, jobs):
                texts.append(f"cancel {','.join(job.sending for job in jobs)}")
            case Recall(_, jobs):
                texts.append(f"recall {','.join(job.sending for job in jobs)}")
            case Fail(job, error, _):
                texts.append(f"{job.msg_id}!{type(error).__name__}")
            case Abort(job):
                texts.append(f"{job.msg_id} aborted")
            case Answer(_, outcomes):
                texts.append(outcomes)
            case Replace():
                texts.append("replace")
            case _:
                texts.append(type(command).__name__)
    return texts


def test_each_sending_has_a_name_of_its_own():
    job = Job("a#1")
    engine = Engine("e", 0, 1)
    names = []
    for job.attempt in (1, 2, 3):
        names.append(job.sending)
    engine.running[job.msg_id] = job
    assert names[0] == "a#1"
    assert len(set(names)) == 3
    assert {msg_id_of(name) for name in names[1:]} == {"a#1"}
    assert [engine.held(name) for name in names] == [None, None, job]
    job.attempt = 1
    assert [engine.held(name) for name in names] == [job, None, None]


def test_an_answer_about_an_earlier_sending_is_ignored(machine):
    submit(machine, "1", retries=1)
    assert said(machine) == ["1>e"]
    machine.finished("e", "1", 0.1, "failed", 0.0, Verdict.FAILED)
    assert said(machine) == ["1#2>e"]
    machine.returned("e", ["1"], 0.0)
    machine.cancelled("e", {"1": "queued"}, 0.0)
    assert said(machine) == []
    machine.returned("e", ["1#2"], 0.0)
    assert said(machine) == ["1#3>e"]


def test_one_that_cannot_be_sent_goes_elsewhere_and_has_not_failed(machine):
    job = submit(machine, "1")
    assert said(machine) == ["1>e"]
    machine.engine_joined("f", 1, 0.0)
    machine.not_sent("e", "1", 0.0)
    assert said(machine) == ["1#2>f"]
    submit(machine, "2")
    submit(machine, "3")
    assert said(machine) == ["2>f"]  # the other one is about to leave
    machine.engine_left("e", "", 0.0)
    assert said(machine) == []
    assert machine.jobs["1"] is job


def test_one_that_cannot_be_sent_anywhere_waits(machine):
    submit(machine, "1")
    assert said(machine) == ["1>e"]
    machine.not_sent("e", "1", 0.0)
    machine.engine_left("e", "", 0.0)
    assert said(machine) == []
    machine.engine_joined("f", 1, 0.0)
    assert said(machine) == ["1#2>f"]


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [(Verdict.ABORTED, "running"), (Verdict.FAILED, "finished"), (Verdict.OK, "finished")],
)
def test_a_reply_may_come_before_the_answer_to_a_cancel(machine, verdict, outcome):
    submit(machine, "1", retries=1)
    machine.cancel(["1"], "request", 0.0)
    machine.finished("e", "1", 0.1, "reply", 0.0, verdict)
    assert said(machine) == ["1>e", "cancel 1", "Deliver", {"1": outcome}]


def test_an_engine_that_is_to_be_killed_gets_nothing_though_the_task_ends(machine):
    submit(machine, "1", time_limit=1.0)
    machine.tick(1.0)
    machine.tick(1.0 + GRACE)
    assert said(machine) == ["1>e", "cancel 1", "replace"]
    machine.finished("e", "1", 3.0, "failed", 3.0, Verdict.FAILED)
    submit(machine, "2")
    assert said(machine) == [f"1!{TaskTimeout.__name__}"]
    machine.engine_left("e", "", 3.0)
    machine.engine_joined("f", 0, 3.0)
    assert said(machine) == ["2>f"]


def test_time_counts_for_the_next_one_however_its_turn_came(machine):
    first, second = (submit(machine, i, time_limit=1.0) for i in "12")
    assert (first.begun, second.begun) == (True, False)
    machine.tick(1.0)
    machine.cancelled("e", {"1": "queued"}, 1.0)
    assert second.begun
    machine.paused("e", "2", 1.0)
    assert machine.engines["e"].head is first  # once more
    assert first.begun


def test_waiting_on_an_engine_counts_under_a_fixed_limit_too(machine):
    submit(machine, "1")
    submit(machine, "2", timeout=1.0)
    assert said(machine) == ["1>e", "2>e"]
    machine.tick(1.0)
    assert said(machine) == ["recall 2"]
    machine.returned("e", ["2"], 1.0)
    assert said(machine) == [f"2!{DependencyTimeout.__name__}"]
    assert machine.engines["e"].limit == 2


def test_one_that_expires_while_others_are_asked_back_has_its_turn():
    machine = TaskMachine(LeastLoad(), hwm=3)
    machine.engine_joined("e", 0, 0.0)
    submit(machine, "1")
    submit(machine, "2", timeout=1.001)
    submit(machine, "3", timeout=1.0)
    machine.tick(1.0)
    machine.tick(1.001)
    assert said(machine) == ["1>e", "2>e", "3>e", "recall 3"]
    machine.returned("e", ["3"], 1.01)
    machine.tick(1.001 + LONG)
    assert said(machine) == [f"3!{DependencyTimeout.__name__}", "recall 2"]


def test_fractions_of_a_resource_add_up():
    engine = Engine("e", 0, 10, {"gpu": 1.0})
    parts = [0.1, 0.2, 0.3]
    for part in parts:
        engine.occupy((("gpu", part),))
    for part in (0.2, 0.3, 0.1):
        engine.occupy((("gpu", part),), -1)
    assert engine.free["gpu"] != 1.0
    assert engine.can_run((("gpu", 1.0),))
    assert not engine.can_run((("gpu", 1.001),))


@pytest.mark.parametrize(("owner", "then"), [("a", ["replace"]), ("b", [])])
def test_another_client_does_not_pay_for_one_that_waits_beneath(machine, owner, then):
    submit(machine, "1", time_limit=1.0)
    machine.paused("e", "1", 0.0)
    submit(machine, "2", owner)
    machine.tick(1.0)
    assert said(machine) == ["1>e", "2>e", "cancel 1"]
    machine.tick(1.0 + GRACE)
    assert said(machine) == then
    machine.finished("e", "2", 3.0, "reply", 1.0 + GRACE)
    machine.tick(1.0 + 2 * GRACE)
    assert said(machine) == (["Deliver", "replace"] if owner == "b" else ["Deliver"])


def test_what_was_queued_on_an_engine_that_is_replaced_was_not_running(machine):
    submit(machine, "1", time_limit=1.0)
    submit(machine, "2")
    machine.tick(1.0)
    machine.tick(1.0 + GRACE)
    machine.cancel(["2"], "request", 4.0)
    machine.take()
    machine.engine_left("e", "", 4.0)
    assert said(machine) == [f"1!{TaskTimeout.__name__}", {"2": "queued"}, "2 aborted"]


@pytest.mark.parametrize("how", ["cancel", "expire"])
def test_one_that_does_not_wait_any_more_keeps_nothing_from_others(how):
    machine = TaskMachine(LeastLoad(), hwm=0)
    machine.engine_joined("e", 0, 0.0, {"gpu": 2})
    submit(machine, "1", resources=(("gpu", 1),))
    submit(machine, "2", resources=(("gpu", 2),), timeout=1.0)
    submit(machine, "3", resources=(("gpu", 1),))
    assert said(machine) == ["1>e"]
    if how == "cancel":
        machine.cancel(["2"], "request", 0.0)
    else:
        machine.tick(1.0)
    assert "3>e" in said(machine)


def test_one_that_goes_to_an_engine_keeps_nothing_on_another():
    machine = TaskMachine(LeastLoad(), hwm=0)
    for number, uuid in enumerate("ef"):
        machine.engine_joined(uuid, number, 0.0, {"gpu": 2})
    for msg_id, amount in (("1", 1), ("2", 1), ("3", 2), ("4", 1)):
        submit(machine, msg_id, resources=(("gpu", amount),))
    assert said(machine) == ["1>e", "2>f"]
    machine.finished("e", "1", 0.1, "reply", 0.0)
    assert said(machine) == ["Deliver", "3>e", "4>f"]
