"""Whatever happens, in whatever order, the task machine keeps its promises.

Hypothesis plays clients, engines and the clock; a plain `Model` next to the machine knows what
each task and each engine must be at, and what may be done with them. To play longer than the
checks do: IPP_EXAMPLES=100000 (games of 50 events).
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ipyparallel.scheduling.board import REPLACEMENT
from ipyparallel.scheduling.dependencies import Dependency
from ipyparallel.scheduling.machine import GRACE, Verdict
from ipyparallel.scheduling.terms import Terms
from tests.support.machine_model import Model

#: What an engine may say a task took; negative: it does not say.
SECONDS = st.sampled_from([0.0001, 0.0, 0.0001, 0.0003, 0.0008, 0.0001, 3.0, 0.005, -1.0])

RESOURCES = st.sampled_from([{}, {}, {"gpu": 1}, {"gpu": 2, "mem": 4}])
NEEDS = st.sampled_from(
    [(), (), (("gpu", 1),), (("gpu", 2),), (("gpu", 1), ("mem", 3)), (("x", 1),)]
)
VERDICTS = st.sampled_from([Verdict.OK, Verdict.OK, Verdict.FAILED, *Verdict])


class Rules(RuleBasedStateMachine):
    def __init__(self, hwm):
        super().__init__()
        self.model = Model(hwm)

    # ---- engines

    @initialize(engines=st.sampled_from([3, 2, 0, 1]), quick=st.sampled_from([True, True, False]))
    def begin(self, engines, quick):
        for number in range(engines):
            self.model.join()
            if quick:
                self.model.submit(Terms(targets=frozenset((f"engine-{number}",))))
                self.model.finish(f"engine-{number}", 0.0001)

    @precondition(lambda self: len(self.model.engines) < 4)
    @rule(resources=RESOURCES)
    def join(self, resources):
        self.model.join(resources)

    @precondition(lambda self: self.model.engines)
    @rule(data=st.data())
    def leave(self, data):
        self.model.leave(data.draw(st.sampled_from(sorted(self.model.engines))))

    @precondition(lambda self: self.model.condemned)
    @rule(data=st.data(), resources=RESOURCES)
    def replace(self, data, resources):
        uuid = data.draw(st.sampled_from(self.model.condemned))
        engine = self.model.engines[uuid]
        self.model.leave(uuid)
        same = data.draw(st.booleans())
        self.model.join(engine.resources if same else resources, engine.number)

    @precondition(lambda self: self.model.busy)
    @rule(data=st.data(), seconds=SECONDS, verdict=VERDICTS)
    def finish(self, data, seconds, verdict):
        self.model.finish(data.draw(st.sampled_from(self.model.busy)), seconds, verdict)

    @precondition(lambda self: self.model.busy)
    @rule(data=st.data(), times=st.integers(1, 5))
    def finish_several(self, data, times):
        for _ in range(times):
            if self.model.busy:
                self.model.finish(data.draw(st.sampled_from(self.model.busy)), 0.0001)

    @precondition(lambda self: any(e.held for e in self.model.gone.values()))
    @rule(data=st.data())
    def answer_of_the_dead(self, data):
        uuid = data.draw(st.sampled_from(sorted(u for u, e in self.model.gone.items() if e.held)))
        self.model.answer_of_the_dead(uuid, data.draw(st.sampled_from(self.model.gone[uuid].held)))

    @precondition(lambda self: self.model.asked_back)
    @rule(data=st.data())
    def answer_recall(self, data):
        uuid = data.draw(st.sampled_from(self.model.asked_back))
        self.model.give_back(uuid, data.draw(st.integers(0, 3)))

    @precondition(lambda self: self.model.asked_to_cancel)
    @rule(data=st.data())
    def answer_cancel(self, data):
        self.model.answer_cancel(data.draw(st.sampled_from(self.model.asked_to_cancel)))

    @precondition(lambda self: self.model.busy)
    @rule(data=st.data())
    def pause(self, data):
        self.model.pause(data.draw(st.sampled_from(self.model.busy)))

    @precondition(lambda self: self.model.pausing)
    @rule(data=st.data())
    def resume(self, data):
        self.model.resume(data.draw(st.sampled_from(self.model.pausing)))

    # ---- engines out of reach

    @precondition(lambda self: self.model.engines)
    @rule(data=st.data())
    def away_or_back(self, data):
        uuid = data.draw(st.sampled_from(sorted(self.model.engines)))
        if self.model.engines[uuid].away:
            self.model.back(uuid)
        else:
            self.model.away(uuid)

    @precondition(lambda self: self.model.engines)
    @rule(data=st.data())
    def cut_or_reach(self, data):
        uuid = data.draw(st.sampled_from(sorted(self.model.engines)))
        if self.model.engines[uuid].cut:
            self.model.reach(uuid)
        else:
            self.model.cut(uuid)

    @precondition(lambda self: self.model.busy)
    @rule(data=st.data(), results=st.booleans())
    def lose(self, data, results):
        uuid = data.draw(st.sampled_from(self.model.busy))
        active = self.model.engines[uuid].active
        lost = sorted(data.draw(st.sets(st.sampled_from(active), min_size=1)), key=active.index)
        (self.model.lose_results if results else self.model.lose)(uuid, lost)

    @precondition(lambda self: self.model.engines)
    @rule(data=st.data())
    def ask_again(self, data):
        self.model.ask_again(data.draw(st.sampled_from(sorted(self.model.engines))))

    @precondition(lambda self: self.model.gone and len(self.model.engines) < 4)
    @rule(data=st.data(), foreign=st.integers(0, 3))
    def come_back(self, data, foreign):
        waiting = self.model.plain_waiting
        brought = data.draw(st.sets(st.sampled_from(waiting), max_size=2)) if waiting else ()
        uuid = data.draw(st.sampled_from(sorted(self.model.gone)))
        self.model.come_back(uuid, foreign, sorted(brought))

    @precondition(lambda self: self.model.adopted)
    @rule(
        data=st.data(),
        owner=st.sampled_from("ab"),
        retries=st.sampled_from([0, 2]),
        timeout=st.sampled_from([0, 1.0]),
        time_limit=st.sampled_from([0, 1.0]),
    )
    def claim(self, data, owner, **asked):
        msg_id = data.draw(st.sampled_from(self.model.adopted))
        self.model.claim(msg_id, Terms(**asked), owner)

    # ---- clients

    @rule(times=st.integers(1, 4), owner=st.sampled_from("ab"))
    def submit(self, times, owner):
        for _ in range(times):
            self.model.submit(Terms(), owner)

    @rule(
        data=st.data(),
        times=st.integers(1, 3),
        owner=st.sampled_from("abc"),
        needs=NEEDS,
        priority=st.sampled_from([0, 0, 0, 1, -1]),
        depth=st.sampled_from([0, 0, 1]),
        retries=st.sampled_from([0, 0, 1, 3]),
        timeout=st.sampled_from([0, 0, 0.05, 1.0]),
        time_limit=st.sampled_from([0, 0, 0.05, 1.0]),
    )
    def submit_on_terms(self, data, times, owner, **asked):
        asked["resources"] = asked.pop("needs")
        if data.draw(st.booleans()):
            # some are there, some have been, one comes later
            number = len(self.model.engines) + len(self.model.gone)
            known = sorted({*self.model.engines, *self.model.gone, f"engine-{number}"})
            asked["targets"] = data.draw(
                st.frozensets(st.sampled_from(known), min_size=1, max_size=3)
            )
        for name in ("after", "follow"):
            if self.model.tasks and data.draw(st.integers(0, 2)) == 0:
                asked[name] = self.draw_dependency(data)
        for _ in range(times):
            self.model.submit(Terms(**asked), owner)

    def draw_dependency(self, data):
        # the last ones are those that are likely not to have ended
        known = [*sorted(self.model.tasks, key=lambda i: int(i.split("_")[1]))[-6:], "nobody_0"]
        counting = data.draw(st.sampled_from([(True, False), (True, True), (False, True)]))
        return Dependency(
            data.draw(
                st.lists(st.sampled_from(known[:-1] * 5 + known[-1:]), min_size=1, max_size=3)
            ),
            data.draw(st.booleans()),
            *counting,
        )

    @precondition(lambda self: self.model.tasks)
    @rule(data=st.data(), interrupt=st.sampled_from([True, True, False]))
    def cancel(self, data, interrupt):
        known = st.sampled_from(sorted(self.model.tasks))
        self.model.cancel(data.draw(st.lists(known, min_size=1, max_size=4)), interrupt)

    # ---- time

    @rule(seconds=st.sampled_from([1.0, 0.06, 0.02, GRACE, REPLACEMENT]))
    def tick(self, seconds):
        self.model.tick(seconds)

    @precondition(lambda self: any(len(e.held) > 1 for e in self.model.engines.values()))
    @rule(data=st.data())
    def one_is_slow(self, data):
        several = sorted(u for u, e in self.model.engines.items() if len(e.held) > 1)
        slow = data.draw(st.sampled_from(several))
        for uuid in self.model.busy:
            while uuid != slow and uuid in self.model.busy:
                self.model.finish(uuid, 0.0001)
        self.model.tick(1.0)

    # ---- what always holds

    @invariant()
    def promises(self):
        self.model.check()

    def teardown(self):
        if self.model.sound:
            self.model.play_to_the_end()


@pytest.mark.timeout(400)  # as long as it may take to shrink what was found
@pytest.mark.parametrize("hwm", ["auto", 0, 1, 3])
def test_promises_hold_in_any_order_of_events(hwm):
    run_state_machine_as_test(
        lambda: Rules(hwm),
        settings=settings(
            max_examples=int(os.environ.get("IPP_EXAMPLES", "60")),
            stateful_step_count=50,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
            # to explain takes longer than to find
            phases=[phase for phase in Phase if phase is not Phase.explain],
        ),
    )
