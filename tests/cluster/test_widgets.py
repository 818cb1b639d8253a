"""Widgets made on engines, as the front end of the client's kernel sees them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ipyparallel as ipp
from tests.support.front_end import FrontEnd, Message, caused_by, of_type

MAKE = "import ipywidgets; w = ipywidgets.IntSlider(); display(w)"


@pytest.fixture
def front(tmp_path: Path) -> Iterator[FrontEnd]:
    made = FrontEnd(tmp_path)
    yield made
    made.close()


@pytest.fixture
def connected(front: FrontEnd, client: ipp.Client) -> FrontEnd:
    """A kernel with a client `rc` of the two engines."""
    connect(front, client)
    return front


def connect(front: FrontEnd, client: ipp.Client) -> None:
    cluster = client.cluster
    assert cluster is not None
    front.run(
        "import ipyparallel as ipp; from IPython import get_ipython\n"
        f"rc = ipp.Client(profile_dir={cluster.profile_dir!r}, cluster_id={cluster.cluster_id!r})\n"
        f"rc.wait_for_engines({len(client)}, timeout=30, interactive=False)\n"
        "comms = get_ipython().kernel.comm_manager.comms"
    )


def make(front: FrontEnd, engine: int = 0, code: str = MAKE) -> list[Message]:
    """Have an engine make the widget `w` in a cell; what the front end saw."""
    messages = front.run(f"rc[{engine}].execute({code!r}, silent=False, block=True);")
    assert of_type("comm_open", messages)
    return messages


def model(messages: list[Message], name: str = "IntSliderModel") -> str:
    """The comm of the widget's model, among those that were opened."""
    (found,) = [
        message["content"]["comm_id"]
        for message in of_type("comm_open", messages)
        if message["content"]["data"]["state"]["_model_name"] == name
    ]
    return str(found)


def known(front: FrontEnd) -> set[str]:
    """The comms that the client's kernel knows."""
    return set(front.value("' '.join(comms)").strip("'").split())


def update(front: FrontEnd, comm_id: str, **state: object) -> str:
    """Move the slider; the id of the message."""
    data = {"method": "update", "state": state, "buffer_paths": []}
    return front.send("comm_msg", {"comm_id": comm_id, "data": data})


def is_update(comm_id: str, **state: object) -> Callable[[Message], bool]:
    """Whether a message tells the front end of a change made on the engine."""

    def check(message: Message) -> bool:
        content = message["content"]
        return (
            message["msg_type"] == "comm_msg"
            and content["comm_id"] == comm_id
            and content["data"]["method"] == "update"
            and content["data"]["state"] == state
        )

    return check


def test_a_widget_is_opened_in_the_cell_that_submitted_its_task(connected: FrontEnd) -> None:
    opened = of_type("comm_open", make(connected))
    assert {m["content"]["data"]["state"]["_model_name"] for m in opened} == {
        "LayoutModel",
        "SliderStyleModel",
        "IntSliderModel",
    }
    for message in opened:
        assert message["content"]["target_name"] == "jupyter.widget"
        assert message["metadata"]["version"]
    ids = {message["content"]["comm_id"] for message in opened}
    assert known(connected) == ids


def test_that_cell_is_named_when_it_is_a_later_one_that_waits(
    connected: FrontEnd, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "gate")
    submitting = connected.run(
        f"gate = {str(tmp_path / 'gate')!r}\n"
        f"code = 'open({{!r}}).close(); {MAKE}'.format(gate)\n"
        "ar = rc[0].execute(code, silent=False)"
    )
    waiting = connected.run("open(gate, 'w').close(); ar.get(); ar.wait_for_output();")
    assert not of_type("comm_open", waiting)
    cell = submitting[0]["parent_header"]["msg_id"]
    assert len(of_type("comm_open", caused_by(cell, connected.seen))) == 3


def test_the_front_end_changes_the_engines_widget(connected: FrontEnd) -> None:
    slider = model(make(connected))
    moved = update(connected, slider, value=42)
    connected.until_idle(moved)
    assert connected.value("rc[0]['w.value']") == "42"
    assert connected.value("rc.queue_status()[0]['queue']") == "0"


def test_an_echo_names_the_message_that_it_echoes(connected: FrontEnd) -> None:
    slider = model(make(connected))
    moved = update(connected, slider, value=42)
    echo = connected.wait_for(lambda m: m["msg_type"] == "comm_msg")
    assert echo["content"]["data"]["method"] == "echo_update"
    assert echo["parent_header"]["msg_id"] == moved


def test_the_engine_changes_what_the_front_end_shows(connected: FrontEnd) -> None:
    slider = model(make(connected))
    messages = connected.run("rc[0].execute('w.value = 7', block=True);")
    assert [m for m in messages if is_update(slider, value=7)(m)]


def test_a_widget_made_by_a_function(connected: FrontEnd) -> None:
    messages = connected.run(
        "def make():\n"
        "    import builtins, ipywidgets\n"
        "    builtins.kept = ipywidgets.Text('hello')\n"
        "ar = rc[0].apply_async(make); ar.get(); ar.wait_for_output()"
    )
    text = model(messages, "TextModel")
    connected.until_idle(update(connected, text, value="world"))
    assert connected.value("rc[0]['kept.value']") == "'world'"


def test_each_engine_has_its_own(connected: FrontEnd) -> None:
    sliders = [model(make(connected, engine)) for engine in (0, 1)]
    for engine, slider in enumerate(sliders):
        connected.until_idle(update(connected, slider, value=10 + engine))
    assert connected.value("rc[:]['w.value']") == "[10, 11]"
    messages = connected.run("rc[:].execute('w.value += 10', block=True);")
    for engine, slider in enumerate(sliders):
        assert [m for m in messages if is_update(slider, value=20 + engine)(m)]


def test_buffers_travel_both_ways(connected: FrontEnd) -> None:
    pixels = bytes(range(256)) * 1000
    code = "import ipywidgets; w = ipywidgets.Image(value=bytes(range(256)) * 1000)"
    messages = make(connected, code=code)
    image = model(messages, "ImageModel")
    (opened,) = [m for m in of_type("comm_open", messages) if m["content"]["comm_id"] == image]
    assert [bytes(buffer) for buffer in opened["buffers"]] == [pixels]
    data = {"method": "update", "state": {}, "buffer_paths": [["value"]]}
    sent = connected.send("comm_msg", {"comm_id": image, "data": data}, [pixels[::-1]])
    connected.until_idle(sent)
    assert connected.value("bytes(rc[0]['w.value']) == (bytes(range(256)) * 1000)[::-1]") == "True"


def test_what_a_callback_prints_and_raises_is_seen(connected: FrontEnd) -> None:
    code = (
        "import ipywidgets; w = ipywidgets.Button()\n"
        "@w.on_click\n"
        "def clicked(button): print('clicked'); w.description = 'on'; 1 / 0"
    )
    button = model(make(connected, code=code), "ButtonModel")
    data = {"method": "custom", "content": {"event": "click"}}
    click = connected.send("comm_msg", {"comm_id": button, "data": data})
    connected.wait_for(lambda m: m["msg_type"] == "error")
    messages = caused_by(click, connected.seen)
    (error,) = of_type("error", messages)
    assert error["content"]["ename"] == "ZeroDivisionError"
    # the engine sends what is printed when it is done with the message
    if not of_type("stream", messages):
        connected.wait_for(lambda m: m["msg_type"] == "stream")
    (stream,) = of_type("stream", caused_by(click, connected.seen))
    assert stream["content"] == {"name": "stdout", "text": "clicked\n"}
    assert [m for m in messages if is_update(button, description="on")(m)]


def test_an_output_widget_takes_up_what_a_callback_prints(connected: FrontEnd) -> None:
    code = (
        "import ipywidgets; w = ipywidgets.Button(); out = ipywidgets.Output()\n"
        "@w.on_click\n"
        "def clicked(button):\n"
        "    with out: print('clicked')"
    )
    messages = make(connected, code=code)
    button, out = model(messages, "ButtonModel"), model(messages, "OutputModel")
    data = {"method": "custom", "content": {"event": "click"}}
    click = connected.send("comm_msg", {"comm_id": button, "data": data})
    # it asks for the output that names this message, until it says stop
    connected.wait_for(is_update(out, msg_id=click))
    printed = connected.wait_for(lambda m: m["msg_type"] == "stream")
    assert printed["parent_header"]["msg_id"] == click
    connected.wait_for(is_update(out, msg_id=""))


def test_a_callback_can_be_interrupted(connected: FrontEnd) -> None:
    code = (
        "import ipywidgets; w = ipywidgets.Button()\n"
        "@w.on_click\n"
        "def clicked(button):\n"
        "    w.description = 'busy'\n"
        "    while True: pass"
    )
    button = model(make(connected, code=code), "ButtonModel")
    data = {"method": "custom", "content": {"event": "click"}}
    connected.send("comm_msg", {"comm_id": button, "data": data})
    connected.wait_for(is_update(button, description="busy"))
    connected.run("import signal; rc.send_signal(signal.SIGINT, 0, block=True);")
    assert connected.value("rc[0]['w.description']") == "'busy'"
    (error,) = of_type("error", connected.seen)
    assert error["content"]["ename"] == "KeyboardInterrupt"


def test_the_engine_closes_it(connected: FrontEnd) -> None:
    slider = model(make(connected))
    messages = connected.run("rc[0].execute('w.close()', block=True);")
    assert slider in {m["content"]["comm_id"] for m in of_type("comm_close", messages)}
    assert slider not in known(connected)
    # and it says so once
    connected.run("import gc; gc.collect();")
    closed = [m["content"]["comm_id"] for m in of_type("comm_close", connected.seen)]
    assert closed.count(slider) == 1


def test_the_front_end_closes_it(connected: FrontEnd) -> None:
    slider = model(make(connected))
    connected.until_idle(connected.send("comm_close", {"comm_id": slider, "data": {}}))
    there = f"{slider!r} in get_ipython().kernel.comm_manager.comms"
    assert connected.value(f"rc[0][{there!r}]") == "False"
    assert slider not in known(connected)
    assert not of_type("comm_close", connected.seen)


def test_the_kernel_lists_it(connected: FrontEnd) -> None:
    slider = model(make(connected))
    assert connected.value(f"comms[{slider!r}].target_name") == "'jupyter.widget'"


def test_another_client_changes_it(connected: FrontEnd, client: ipp.Client) -> None:
    slider = model(make(connected))
    client[0].execute("w.value = 33", block=True)
    connected.wait_for(is_update(slider, value=33))


def test_when_the_engine_dies_the_front_end_is_told(
    front: FrontEnd, new_cluster: Callable[..., tuple[ipp.Cluster, ipp.Client]]
) -> None:
    _, client = new_cluster(2)
    connect(front, client)
    dying, staying = (
        {m["content"]["comm_id"] for m in of_type("comm_open", make(front, engine))}
        for engine in (0, 1)
    )
    os.kill(client[0].apply_sync(os.getpid), signal.SIGKILL)
    for _ in dying:
        closed = front.wait_for(lambda m: m["msg_type"] == "comm_close")
        assert closed["content"]["comm_id"] in dying
    assert known(front) == staying


@pytest.mark.parametrize("end", ["rc.close()", "import gc; del rc; gc.collect();"])
def test_when_the_client_ends_nothing_is_left(
    connected: FrontEnd, client: ipp.Client, end: str
) -> None:
    # the magics hold a client, too: let it be another
    cluster = client.cluster
    assert cluster is not None
    of = f"profile_dir={cluster.profile_dir!r}, cluster_id={cluster.cluster_id!r}"
    connected.run(f"ipp.Client({of}).activate();")
    slider = model(make(connected))
    messages = connected.run(end)
    assert not of_type("comm_close", messages)  # what is shown stays as it is
    assert not known(connected)
    connected.until_idle(update(connected, slider, value=1))  # goes nowhere, and does no harm
    assert "Traceback" not in connected.log.read_text()
