"""A task machine for tests of single decisions: what it commands is read as short texts.

=========  =====================================================================
``1>a``    Dispatch: task 1 is sent to engine a
``1=ok``   Deliver: the reply to task 1, here ``ok``, goes to its client
``1!X``    Fail: the client of task 1 is told of an error of type X
``1-``     Abort: the client of task 1 is told that it was not run
``a<2,3``  Recall: engine a is asked to give back tasks 2 and 3
``a~1,2``  Cancel: engine a is asked to drop or to interrupt tasks 1 and 2
``a#``     Replace: engine a is to be killed, and another started in its place
``q:1=w``  Answer: who asked q is told where task 1 was, by its first letter
=========  =====================================================================
"""

from ipyparallel.scheduling.commands import (
    Abort,
    Answer,
    Cancel,
    Deliver,
    Dispatch,
    Fail,
    Recall,
    Replace,
)
from ipyparallel.scheduling.dependencies import Dependency
from ipyparallel.scheduling.machine import TaskMachine, Verdict
from ipyparallel.scheduling.policies import LeastLoad
from ipyparallel.scheduling.state import Job
from ipyparallel.scheduling.terms import Terms

#: Seconds that a short task takes.
SHORT = 0.0001


def terms(targets="", after=None, follow=None, resources=None, **others):
    """Terms, with shorter names for what they hold: ids of one letter each may be joined."""
    return Terms(
        targets=frozenset(targets),
        after=Dependency(list(after)) if isinstance(after, str) else after,
        follow=Dependency(list(follow)) if isinstance(follow, str) else follow,
        resources=tuple(sorted((resources or {}).items())),
        **others,
    )


class Driver:
    """See the module's text. Engines have ids in the order of the alphabet, from 0 on.

    Parameters
    ----------
    engines : str
        Those that are there from the beginning.
    resources : dict
        What each of these has.
    """

    def __init__(self, hwm="auto", engines="", resources=None):
        self.machine = TaskMachine(LeastLoad(), hwm)
        self.now = 0.0
        #: The last Fail command of each task.
        self.failed = {}
        for uuid in engines:
            self.join(uuid, resources)

    def take(self):
        return [self.text(command) for command in self.machine.take()]

    def text(self, command):
        match command:
            case Dispatch(engine, job):
                return f"{job.msg_id}>{engine.uuid}"
            case Deliver(job, reply):
                return f"{job.msg_id}={reply}"
            case Fail(job, error, _):
                self.failed[job.msg_id] = command
                return f"{job.msg_id}!{type(error).__name__}"
            case Abort(job):
                return f"{job.msg_id}-"
            case Recall(engine, jobs):
                return f"{engine.uuid}<{','.join(job.msg_id for job in jobs)}"
            case Cancel(engine, jobs):
                return f"{engine.uuid}~{','.join(job.msg_id for job in jobs)}"
            case Replace(engine, _):
                return f"{engine.uuid}#"
            case Answer(request, outcomes):
                said = ",".join(f"{i}={outcome[0]}" for i, outcome in sorted(outcomes.items()))
                return f"{request}:{said}"

    def error(self, msg_id):
        """What was said of a task that failed."""
        return str(self.failed[msg_id].error)

    # ---- engines

    def join(self, uuid, resources=None, engine_id=None):
        engine_id = ord(uuid) - ord("a") if engine_id is None else engine_id
        self.machine.engine_joined(uuid, engine_id, self.now, resources)
        return self.take()

    def leave(self, uuid, reason=""):
        self.machine.engine_left(uuid, reason, self.now)
        return self.take()

    def finish(self, uuid, msg_id, seconds=SHORT, verdict=Verdict.OK, what=""):
        reply = "ok" if verdict is Verdict.OK else "error"
        self.machine.finished(uuid, msg_id, seconds, reply, self.now, verdict, what)
        return self.take()

    def fail(self, uuid, msg_id):
        return self.finish(uuid, msg_id, verdict=Verdict.FAILED)

    def unmet(self, uuid, msg_id, what=""):
        return self.finish(uuid, msg_id, verdict=Verdict.UNMET, what=what)

    def give_back(self, uuid, msg_ids):
        self.machine.returned(uuid, list(msg_ids), self.now)
        return self.take()

    def answer_cancel(self, uuid, **outcomes):
        """An engine answers; the ids of tasks are given with a leading ``t``."""
        said = {msg_id[1:]: outcome for msg_id, outcome in outcomes.items()}
        self.machine.cancelled(uuid, said, self.now)
        return self.take()

    def pause(self, uuid, msg_id):
        self.machine.paused(uuid, msg_id, self.now)
        return self.take()

    def resume(self, uuid, msg_id):
        self.machine.resumed(uuid, msg_id)
        return self.take()

    # ---- clients, and time

    def submit(self, msg_ids, targets="", owner="", payload=None, **asked):
        for msg_id in msg_ids:
            job = Job(msg_id, terms(targets, **asked), owner, payload)
            self.machine.submitted(job, self.now)
        return self.take()

    def cancel(self, msg_ids, request="q"):
        self.machine.cancel(list(msg_ids), request, self.now)
        return self.take()

    def tick(self, seconds):
        self.now += seconds
        self.machine.tick(self.now)
        return self.take()
