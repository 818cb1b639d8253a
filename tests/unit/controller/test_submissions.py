"""What a client's message asks for, and what of it is refused."""

import json

import pytest

from ipyparallel.controller import submissions
from ipyparallel.controller.submissions import SubmissionReader, Unacceptable
from ipyparallel.protocol.messages import TaskMetadata
from ipyparallel.protocol.session import Session
from ipyparallel.scheduling.terms import PLAIN, Terms

#: As published clients say it when nothing is asked for.
PUBLISHED = {"after": [], "follow": [], "timeout": 0.0, "targets": [], "retries": 0, "label": "x"}


class Bench:
    """A reader, and a client that sends to it."""

    def __init__(self):
        self.reader = SubmissionReader()
        self.client = Session(b"key")
        self.session = Session(b"key")
        self.session_id = self.message()[0].header.session

    def message(self, metadata=None):
        frames = [b"client", *self.client.message("apply_request", metadata=metadata or {})]
        return self.session.parse(frames), frames

    def read(self, metadata=None):
        return self.reader.read(*self.message(metadata))

    def read_frame(self, text):
        frames = self.client.message("apply_request")
        frames[4] = text
        frames[1] = self.client.sign(*frames[2:6])
        frames = [b"client", *frames]
        return self.reader.read(self.session.parse(frames), frames)

    def terms(self, **metadata):
        return self.read(metadata).terms


@pytest.fixture
def bench():
    return Bench()


def test_a_job_carries_the_message_as_it_came(bench):
    message, frames = bench.message()
    job = bench.reader.read(message, frames)
    assert job.msg_id == message.header.msg_id
    assert job.owner_name == bench.session_id
    payload = job.payload
    assert payload.client == b"client"
    assert payload.frames is frames
    assert payload.msg_type == "apply_request"
    assert payload.header_frame == message.header_frame


@pytest.mark.parametrize(
    "metadata",
    [{}, PUBLISHED, {"targets": None, "timeout": None, "after": None}, {"resources": {"gpu": 0}}],
    ids=str,
)
def test_of_most_tasks_nothing_is_asked(bench, metadata):
    assert bench.read(metadata).terms == PLAIN


def test_all_that_may_be_asked(bench):
    said = {
        "targets": ["b", "a", "a"],
        "timeout": 2,
        "time_limit": 0.5,
        "retries": 3,
        "priority": -2,
        "resources": {"mem": 1.5, "gpu": 1},
        "depth": 4,
        "unknown": "is ignored",
    }
    assert bench.read(said).terms == Terms(
        targets=frozenset("ab"),
        timeout=2.0,
        time_limit=0.5,
        retries=3,
        priority=-2,
        resources=(("gpu", 1), ("mem", 1.5)),
        depth=4,
    )


def test_a_task_takes_the_turn_of_whom_it_works_for(bench):
    assert bench.read({"on_behalf_of": "somebody"}).owner_name == "somebody"
    assert bench.read({"on_behalf_of": ""}).owner_name == bench.session_id


@pytest.mark.parametrize("name", ["after", "follow"])
def test_dependencies(bench, name):
    ids = ["a_1", "a_2"]
    given = getattr(bench.terms(**{name: ids}), name)
    assert (given, given.all, given.success, given.failure) == (set(ids), True, True, False)
    said = {"dependencies": ids, "all": False, "success": False, "failure": True}
    given = getattr(bench.terms(**{name: said}), name)
    assert (given, given.all, given.success, given.failure) == (set(ids), False, False, True)
    assert getattr(bench.terms(**{name: {**said, "dependencies": []}}), name) is None


DEEP = "[" * 900 + "]" * 900

#: What is refused, as JSON, and what is said of it.
REFUSED = [
    ('{"timeout": -1}', "timeout must be a number, 0 or more, not -1"),
    ('{"timeout": 1e999}', "timeout|malformed"),
    ('{"time_limit": -0.5}', "time_limit must be a number, 0 or more, not -0.5"),
    ('{"retries": -1}', "retries must be a number, 0 or more, not -1"),
    ('{"retries": 1.5}', "malformed.*retries"),
    ('{"depth": -1}', "depth must be a number, 0 or more, not -1"),
    ('{"resources": {"gpu": -1}}', r"resources\['gpu'\] must be a number, 0 or more"),
    ('{"resources": {"gpu": "one"}}', "malformed.*resources"),
    ('{"targets": "a"}', "malformed.*targets"),
    ('{"targets": [1]}', "malformed.*targets"),
    ('{"priority": "high"}', "malformed.*priority"),
    ('{"on_behalf_of": 5}', "malformed.*on_behalf_of"),
    ('{"after": 5}', "malformed.*after"),
    ('{"after": [5]}', "malformed.*after"),
    ('{"after": {"dependencies": [5]}}', "after is not a dependency: .*not 5"),
    ('{"after": {"dependencies": 5}}', "after is not a dependency: .*not 5"),
    ('{"after": {"dependencies": null}}', "after is not a dependency: .*not None"),
    ('{"follow": {"success": false}}', "follow is not a dependency: .*must count success"),
    ('{"follow": {"tasks": ["a"]}}', "follow is not a dependency: .*'tasks'"),
    (f'{{"after": {{"dependencies": {DEEP}5}}}}', "malformed"),
    ("[]", "malformed"),
    ("null", "malformed"),
    ("", "malformed"),
]


@pytest.mark.parametrize(
    ("text", "said"), REFUSED, ids=[text[:50] or "nothing" for text, _ in REFUSED]
)
def test_what_makes_no_sense_is_refused_by_name(bench, text, said):
    for _ in range(2):  # it is not taken for known the second time
        with pytest.raises(Unacceptable, match=said):
            bench.read_frame(text.encode())


def test_a_dependency_that_is_nested_too_deeply_is_refused():
    nested = []
    for _ in range(5000):
        nested = [nested]
    with pytest.raises(Unacceptable, match=r"after is not a dependency: .*recursion"):
        submissions._read_terms(TaskMetadata(after={"dependencies": nested}))


def test_one_that_is_refused_can_still_be_answered(bench):
    message, frames = bench.message({"timeout": -1})
    job = bench.reader.refused(message, frames)
    assert job.msg_id == message.header.msg_id
    assert job.terms == PLAIN
    assert job.payload.client == b"client"


# ---- what is kept


def test_tasks_of_a_view_share_what_they_ask_for(bench):
    said = {"targets": ["a", "b"], "retries": 1}
    assert bench.read(said).terms is bench.read(said).terms


def test_what_a_task_depends_on_is_not_kept(bench):
    for number in range(100):
        bench.read({"after": [f"a_{number}"]})
        bench.read({"follow": {"dependencies": [f"a_{number}"]}})
    assert bench.reader._known == {}


def test_what_is_kept_is_bounded_in_number(bench):
    for number in range(3 * submissions._MAX_KNOWN):
        job = bench.read({"label": str(number), "priority": number})
        assert job.terms.priority == number
    assert len(bench.reader._known) <= submissions._MAX_KNOWN


def test_what_is_kept_is_bounded_in_size(bench):
    for number in range(100):
        bench.read({"label": f"{number:0100000}"})
    assert sum(map(len, bench.reader._known)) < 3e6
    small = json.dumps({"label": "small"}).encode()
    assert bench.read_frame(small).terms is bench.read_frame(small).terms
