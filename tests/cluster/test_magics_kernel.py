"""The magics in a notebook: what its frontend is sent, and for which cell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.ipython import TIMEOUT, Kernel, kinds, plain


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    kernel = Kernel()
    profile = tmp_path_factory.mktemp("profile")
    kernel.run(
        "import ipyparallel as ipp\n"
        f"cluster = ipp.Cluster(n=2, profile_dir={str(profile)!r}, log_level=40)\n"
        "rc = cluster.start_and_connect_sync()\n"
        "%px import sys, time; from IPython.display import HTML, Image, display\n"
        # a bar that shows because something is slow is in nobody's expectations
        "%pxconfig --progress-after -1"
    )
    yield kernel
    kernel.run("rc.close(); cluster.stop_cluster_sync()")
    kernel.stop()


def display_id(message: dict[str, Any]) -> str:
    return str(message["content"]["transient"]["display_id"])


def test_text_grows_in_a_place_of_its_own(kernel: Kernel) -> None:
    shown = kernel.run(
        "%%px --targets 0\n"
        "for i in range(10):\n"
        "    print(i); sys.stdout.flush(); time.sleep(0.15)\n"  # longer than updates are apart
    )
    # one each, unless something was slow
    assert len(shown) > 1
    assert kinds(shown) == ["display_data"] + ["update_display_data"] * (len(shown) - 1)
    texts = [plain(message) for message in shown]
    assert texts[-1] == "[stdout:0] " + "".join(f"{i}\n" for i in range(10))
    assert all(later.startswith(text) and later != text for text, later in pairwise(texts))
    assert len({display_id(message) for message in shown}) == 1
    msg_id = kernel.run("print(rc.history[-1])")[0]["content"]["text"].strip()
    assert display_id(shown[0]) == f"{msg_id}-stdout"


def test_a_flood_of_output_is_few_updates(kernel: Kernel) -> None:
    shown = kernel.run(
        "%%px --targets 0\nfor i in range(2000):\n    print(i); sys.stdout.flush()\n"
    )
    assert plain(shown[-1]) == "[stdout:0] " + "".join(f"{i}\n" for i in range(2000))
    assert len(shown) < 500


def test_a_bar_is_one_line(kernel: Kernel) -> None:
    shown = kernel.run(
        "%%px --targets 0\n"
        "for i in range(4):\n"
        "    print(f'\\r{i}%', end='', file=sys.stderr); sys.stderr.flush()\n"
    )
    assert plain(shown[-1]) == "[stderr:0] 3%"


def test_rich_output(kernel: Kernel) -> None:
    shown = kernel.run("%%px --targets 1\ndisplay(HTML('<b>x</b>'))\nHTML('<i>y</i>')")
    assert kinds(shown) == ["display_data"] * 3
    label, displayed, result = (message["content"] for message in shown)
    assert label["data"] == {"text/plain": "[output:1]"}
    assert displayed["data"]["text/html"] == "<b>x</b>"
    assert displayed["metadata"] == {"engine": 1}
    assert result["data"]["text/html"] == "<i>y</i>"
    assert re.fullmatch(r"Out\[1:\d+\]: <.*HTML object>", plain(shown[2]))
    assert result["metadata"]["engine_id"] == 1


def test_images(kernel: Kernel) -> None:
    cell = (
        "import base64\n"
        "png = base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
        "YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==')\n"
        "Image(png, width=40)"
    )
    for option in ("--stream", "--no-stream"):
        shown = kernel.run(f"%%px --targets 0 {option}\n{cell}")
        assert shown[-1]["content"]["data"]["image/png"].startswith("iVBORw0KGgo")
        assert shown[-1]["content"]["metadata"]["image/png"]["width"] == 40


def test_what_is_displayed_can_be_updated(kernel: Kernel) -> None:
    shown = kernel.run("%%px --targets 0\nh = display('old', display_id=True)")
    first = shown[1]
    assert plain(first) == "'old'"
    [update] = kernel.run("%%px --targets 0\nh.update('new')")
    assert update["msg_type"] == "update_display_data"
    assert display_id(update) == display_id(first)
    assert plain(update) == "'new'"


def test_what_was_updated_is_shown_as_it_is_now(kernel: Kernel) -> None:
    shown = kernel.run(
        "%%px --targets 0 --no-stream\nh = display('old', display_id=True)\nh.update('new')"
    )
    assert [plain(message) for message in shown] == ["'new'"]


def test_grouped_text_is_printed(kernel: Kernel) -> None:
    shown = kernel.run("%%px --no-stream\nprint('a')")
    assert set(kinds(shown)) == {"stream"}
    assert "".join(map(plain, shown)) == "[stdout:0] \na\n[stdout:1] \na\n"


def test_errors_while_streaming(kernel: Kernel) -> None:
    shown = kernel.run("%px 1/0", check=False)
    *streams, error = shown
    text = "".join(map(plain, streams))
    assert {message["content"]["name"] for message in streams} == {"stderr"}
    assert "[0:execute]\n" in text
    assert text.count("ZeroDivisionError: division by zero") == 2
    assert (error["content"]["ename"], plain(error)) == ("AlreadyDisplayedError", "2 errors")


def test_errors_at_the_end_are_errors_of_the_cell(kernel: Kernel) -> None:
    shown = kernel.run("%%px --no-stream\n1/0", check=False)
    assert kinds(shown) == ["error"]
    assert shown[0]["content"]["ename"] == "CompositeError"
    assert plain(shown[0]).startswith("[0:execute]:\n")
    assert plain(shown[0]).count("ZeroDivisionError: division by zero") == 2


def test_output_stays_in_its_cell(kernel: Kernel, tmp_path: Path) -> None:
    """What one cell has asked for does not go to the one that runs when it comes."""
    client = kernel.client
    begun = str(tmp_path / "begun")
    code = f"open({begun!r}, 'w').close(); time.sleep(60)"
    first = client.execute(
        f"ar = rc[0].execute({code!r}, silent=False, block=False)\n"
        "context = ar.stream_output()\n"
        "context.__enter__()\n"
    )
    second = client.execute(
        "import os, time\n"
        f"while not os.path.exists({begun!r}): time.sleep(0.01)\n"
        "rc.send_signal('SIGINT', targets=0, block=True)\n"
        "ar.wait()\n"
        "context.__exit__(None, None, None)\n"
        "print('second')"
    )
    shown: list[dict[str, Any]] = []
    while not shown or shown[-1]["content"].get("text") != "second\n":
        message = client.get_iopub_msg(timeout=TIMEOUT)
        if message["msg_type"] in ("stream", "display_data"):
            shown.append(message)
    by_cell = {
        cell: "".join(
            plain(message) for message in shown if message["parent_header"]["msg_id"] == cell
        )
        for cell in (first, second)
    }
    assert by_cell[first].startswith("[0:execute]\n")
    assert "KeyboardInterrupt" in by_cell[first]
    assert by_cell[second] == "second\n"


def test_autopx(kernel: Kernel) -> None:
    kernel.run("%autopx")
    try:
        assert "[stdout:0] there\n" in map(plain, kernel.run("where = 'there'\nprint(where)"))
        # the notebook's own way for cells with await
        shown = kernel.run("import asyncio\nawait asyncio.sleep(0)\nprint('awaited')")
        assert "[stdout:1] awaited\n" in map(plain, shown)
        shown = kernel.run("1/0", check=False)
        assert "2 errors" in map(plain, shown)
    finally:
        shown = kernel.run("%autopx")
    assert [plain(message) for message in shown] == ["%autopx disabled\n"]
    assert [plain(message) for message in kernel.run("print('here')")] == ["here\n"]


def test_the_stop_button_interrupts_the_engines(kernel: Kernel) -> None:
    def stop(message: dict[str, Any]) -> None:
        if message["msg_type"] == "display_data" and plain(message) == "[stdout:0] begun\n":
            kernel.interrupt()

    shown = kernel.run(
        "%%px --targets 0\nprint('begun'); sys.stdout.flush(); time.sleep(60)",
        check=False,
        seen=stop,
    )
    text = "".join(map(plain, shown))
    assert "Received Keyboard Interrupt. Sending signal SIGINT to engines...\n" in text
    assert "[0:execute]\n" in text
    assert "KeyboardInterrupt" in text
    assert plain(shown[-1]) == "1 errors"


def test_progress_widget(kernel: Kernel) -> None:
    shown = kernel.run("%%px --progress-after 0\ntime.sleep(0.2)")
    views = [
        message
        for message in shown
        if "application/vnd.jupyter.widget-view+json" in message["content"].get("data", {})
    ]
    assert len(views) == 1


def test_notebook_of_the_tutorial(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run("%%px --local\nimport sys\nversion = sys.version")
    kernel.run("%%px --target 0:2\nassert version")
    assert kernel.run("assert version") == []
