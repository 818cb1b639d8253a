"""What an engine says of requests whose connection broke."""

import pytest

from ipyparallel.engine import holdings
from ipyparallel.protocol.holding import HoldingReply, HoldingRequest
from ipyparallel.protocol.kept_replies import KeptReplies
from ipyparallel.protocol.session import Session


@pytest.fixture
def here():
    return Session(b"key")


@pytest.fixture
def there():
    return Session(b"key")


def ask(here, there, msg_ids, **known):
    """All that is sent in answer, as messages."""
    frames = there.message("holding_request", HoldingRequest(msg_ids))
    sent = []
    answered = {"held": [], "kept": KeptReplies(), "has_begun": lambda name: False, **known}
    request = here.parse([b"hub", *frames])
    holdings.answer(request, here, sent.append, **answered)
    return [there.parse(frames) for frames in sent]


def test_each_request_is_held_or_answered_or_lost_or_missing(here, there):
    reply = here.message("apply_reply", {"status": "ok"}, buffers=[b"result"])
    kept = KeptReplies()
    kept.keep("answered", [b"client", *reply])
    again, told = ask(
        here,
        there,
        ["held", "answered", "lost", "missing"],
        held=["held", "another"],
        kept=kept,
        has_begun={"held", "answered", "lost"}.__contains__,
    )
    assert again.idents == [b"client"]
    assert again.header.msg_type == "apply_reply"
    assert again.buffers == [b"result"]
    assert told.idents == [b"hub"]
    assert told.read_content(HoldingReply) == HoldingReply(
        holding=["held", "another"], missing=["missing"], lost=["lost"]
    )


def test_a_reply_that_has_arrived_may_be_sent_again_and_again(here, there):
    reply = here.message("apply_reply", {"status": "ok"})
    kept = KeptReplies()
    kept.keep("1", [b"client", *reply])
    there.parse(reply)
    for _ in range(2):
        again, _ = ask(here, there, ["1"], kept=kept)
        assert again.content() == {"status": "ok"}


@pytest.mark.parametrize("compact", [False, True])
def test_it_comes_in_the_form_in_which_it_was_sent(here, there, compact):
    reply = here.message("apply_reply", {"status": "ok"}, compact=compact)
    kept = KeptReplies()
    kept.keep("1", [b"client", *reply])
    again, _ = ask(here, there, ["1"], kept=kept)
    assert again.compact is compact


def test_what_makes_no_sense_is_refused(here, there):
    request = here.parse(there.message("holding_request", {"msg_ids": 5}))
    with pytest.raises(ValueError, match="malformed"):
        holdings.answer(
            request, here, print, held=[], kept=KeptReplies(), has_begun=lambda name: False
        )


def test_names(here, there):
    def request(metadata):
        return here.parse(there.message("apply_request", metadata=metadata))

    plain, again = request({"label": "sending"}), request({"sending": "x#2"})
    assert holdings.name_of(plain, True) == plain.header.msg_id
    assert holdings.name_of(again, True) == "x#2"
    # a direct request has its id for its name, whatever it says
    assert holdings.name_of(again, False) == again.header.msg_id
    assert holdings.names_of([plain, again], True) == [plain.header.msg_id, "x#2"]
