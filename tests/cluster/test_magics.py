"""The magics in an IPython shell: what they print, and what they leave behind."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import ipyparallel as ipp
from ipyparallel.client.magics import NO_LAST_RESULT, ParallelMagics
from ipyparallel.error import AlreadyDisplayedError, CompositeError, RemoteError
from tests.support.ipython import ANSI, shell_in_process


@pytest.fixture(scope="module")
def shell() -> Iterator[Any]:
    with shell_in_process() as shell:
        yield shell


class Session:
    """A shell whose output is looked at."""

    def __init__(self, shell: Any, client: ipp.Client, capsys: Any) -> None:
        self.shell = shell
        self.client = client
        self._capsys = capsys
        self.out = self.err = ""

    def run(self, cell: str) -> Any:
        """Run a cell; its result, with what it printed in `out` and `err`."""
        self._capsys.readouterr()
        result = self.shell.run_cell(cell, store_history=True)
        self.raw = self._capsys.readouterr()
        self.out, self.err = (ANSI.sub("", text) for text in self.raw)
        return result

    def shows(self, cell: str) -> str:
        """Run a cell that succeeds; what it wrote to standard output."""
        self.run(cell).raise_error()
        return self.out

    def fails(self, cell: str) -> BaseException:
        """Run a cell that fails."""
        result = self.run(cell)
        error = result.error_in_exec or result.error_before_exec
        assert error is not None, self.out
        return error


@pytest.fixture
def session(shell: Any, client: ipp.Client, capsys: Any) -> Session:
    client.activate()
    shell.user_ns.update(rc=client, ipp=ipp)
    return Session(shell, client, capsys)


# ---- %px and %%px


def test_px(session: Session) -> None:
    assert session.shows("%px print('hi')") in (
        "[stdout:0] \nhi\n[stdout:1] \nhi\n",
        "[stdout:1] \nhi\n[stdout:0] \nhi\n",
    )


def test_px_expands_nothing(session: Session) -> None:
    session.run("a = 1")
    assert "{a} $a %d" in session.shows("%px print('{a} $a %d')")


def test_a_cell_shows_everything_in_order(session: Session) -> None:
    out = session.shows(
        "%%px --targets 0\n"
        "import sys\n"
        "from IPython.display import HTML, display\n"
        "print('a')\n"
        "sys.stdout.flush()\n"
        "display(HTML('<b>x</b>'))\n"
        "print('b', file=sys.stderr)\n"
        "[1, 2]\n"
    )
    assert out.startswith("[stdout:0] \na\n[output:0]\n<IPython.core.display.HTML object>\nOut[0:")
    assert out.endswith("]: [1, 2]\n")
    assert session.err == "[stderr:0] \nb\n"


def test_without_streaming_outputs_are_grouped(session: Session) -> None:
    out = session.shows("%%px --no-stream\nprint('a')\n5")
    first, last = out.split("Out[0:")
    assert first == "[stdout:0] \na\n[stdout:1] \na\n"
    assert last.partition(": ")[2].startswith("5\nOut[1:")


@pytest.mark.parametrize("option", ["-e", "--group-outputs engine"])
def test_grouped_by_engine(session: Session, option: str) -> None:
    out = session.shows(f"%%px --no-stream {option}\nprint('a')\n5")
    assert out.startswith("[stdout:0] \na\n[output:0]\nOut[0:")
    assert "[stdout:1] \na\n[output:1]\nOut[1:" in out


def test_one_engine_without_streaming_has_no_prefix(session: Session) -> None:
    assert session.shows("%%px --no-stream -t 0\nprint('a')") == "a\n"


def test_long_results_begin_on_a_line_of_their_own(session: Session) -> None:
    out = session.shows("%%px -t 0\nlist(range(40))")
    assert out.partition(": ")[2].startswith("\n[0,\n 1,")


def test_results_are_red_where_colors_are_on(session: Session) -> None:
    session.shell.colors = "linux"
    try:
        session.shows("%%px -t 0\n7")
        assert session.raw.out.startswith("\x1b[0;31mOut[0:")
    finally:
        session.shell.colors = "nocolor"


@pytest.mark.parametrize(
    ("spec", "engines"),
    [
        ("0", [0]),
        ("-1", [1]),
        ("[1]", [1]),
        ("0:1", [0]),
        ("::2", [0]),
        (":", [0, 1]),
        ("all", [0, 1]),
        ("rc.ids[-1]", [1]),
        ("0,1", [0, 1]),
    ],
)
def test_targets(session: Session, spec: str, engines: list[int]) -> None:
    session.shows(f"%%px --targets={spec} --out result\npass")
    engine_id = session.shell.user_ns["result"].engine_id
    assert (engine_id if isinstance(engine_id, list) else [engine_id]) == engines
    assert session.shell.user_ns["rc"].ids == [0, 1]
    # for this cell only
    assert session.shows("%px print('x')").count("x") == 2


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--targets [7]", "--targets [7]: No such engine: 7"),
        ("--targets nonsense", "--targets nonsense: NameError"),
        ("--targets 5:9", "there are no such engines"),
        ("--bogus", "unrecognized arguments: --bogus"),
        ("--group-outputs kind", "invalid choice: 'kind'"),
        ("--signal-on-interrupt hard", "not 'hard'"),
        ("--timeout -1", "not -1"),
        ("--noblock --timeout 1", "needs a blocking %px"),
        ("--out 1x", "not '1x'"),
    ],
)
def test_bad_options_are_named(session: Session, options: str, complaint: str) -> None:
    session.fails(f"%%px {options}\nprint('x')")
    assert complaint in session.err
    assert session.out == ""


def test_line_magics_and_shell_commands_run_there(session: Session) -> None:
    assert "there" in session.shows("%%px -t 0\n%precision 3\n!echo there")


def test_no_code(session: Session) -> None:
    assert session.shows("%px") == ""


def test_the_result_can_be_kept(session: Session) -> None:
    session.shows("%%px --out kept\n6")
    kept = session.shell.user_ns["kept"]
    assert repr(kept) == "<AsyncResult(%px): finished>"
    assert [reply.data for reply in kept.get()] == [{"text/plain": "6"}] * 2
    assert session.shows("kept[0]").endswith(": 6\n")


def test_without_blocking_the_result_is_returned(session: Session) -> None:
    result = session.run("%%px --noblock\nprint('later')\n5").result
    assert isinstance(result, ipp.AsyncResult)
    out = session.shows("%pxresult")
    assert out.startswith("[stdout:0] \nlater\n[stdout:1] \nlater\nOut[0:")
    assert session.shows("%result") == out
    session.shows("%pxresult --out recalled")
    assert session.shell.user_ns["recalled"] is result


def test_blocking_returns_nothing(session: Session) -> None:
    assert session.run("%px 5").result is None


def test_local_runs_the_cell_here_too(session: Session) -> None:
    out = session.shows("%%px --local\nmark = 5\nprint('x')")
    assert out.startswith("x\n")
    assert out.count("x\n") == 3
    assert session.shell.user_ns["mark"] == 5
    assert session.client[:]["mark"] == [5, 5]


def test_pxresult_before_any_px(session: Session) -> None:
    session.client[:].activate("_fresh")
    session.fails("%pxresult_fresh")
    assert NO_LAST_RESULT in session.err


# ---- failures


def test_errors_are_shown_as_they_come_and_told_in_one_line(session: Session) -> None:
    error = session.fails("%px 1/0")
    assert isinstance(error, AlreadyDisplayedError)
    assert "[0:execute]\n" in session.err
    assert session.err.count("ZeroDivisionError: division by zero") == 2
    assert session.out.endswith("2 errors\n")


def test_errors_at_the_end(session: Session) -> None:
    error = session.fails("%%px --no-stream\nprint('before')\n1/0")
    assert isinstance(error, CompositeError)
    assert session.out.startswith("[stdout:0] \nbefore\n[stdout:1] \nbefore\n[0:execute]:\n")
    assert "result.py" not in session.out + session.err


def test_the_error_of_one_engine(session: Session) -> None:
    error = session.fails("%%px --no-stream -t 0\n1/0")
    assert isinstance(error, RemoteError)
    assert isinstance(error, ZeroDivisionError)
    assert session.out.startswith("[0:execute]\n")


def test_what_follows_an_error_is_run(session: Session) -> None:
    for _ in range(20):
        session.fails("%px 1/0")
        assert session.shows("%px print('on')").count("on") == 2


def test_errors_are_recalled(session: Session) -> None:
    session.fails("%px 1/0")
    assert isinstance(session.fails("%pxresult"), CompositeError)


def test_a_syntax_error(session: Session) -> None:
    assert isinstance(session.fails("%px def"), AlreadyDisplayedError)
    assert "SyntaxError" in session.err


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_a_cell_that_takes_too_long_is_interrupted(session: Session, stream: str) -> None:
    error = session.fails(
        f"%%px --timeout 3 {stream}\n"
        "import time\n"
        "print('begun')\n"
        "if get_ipython().kernel.engine_id == 1: time.sleep(60)\n"
    )
    assert isinstance(error, TimeoutError)
    assert "engine(s) [1]" in str(error)
    assert session.out.count("begun") == 2
    assert ("KeyboardInterrupt" in session.err) == (stream == "--stream")
    assert "px.py" not in session.out
    # nothing is left behind
    assert session.shows("%px print('free')").count("free") == 2


def test_an_engine_that_is_deaf_to_signals_is_not_waited_for(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipyparallel.client.magics.px._LAST_WORDS", 0.1)
    error = session.fails(
        "%%px --timeout 2 --no-stream --targets 0 --signal-on-interrupt SIGCONT\n"
        "import time\n"
        "print('so far', flush=True)\n"
        "time.sleep(60)\n"
    )
    assert "SIGCONT was sent to them, and [0] still run it" in str(error)
    assert "so far" in session.out
    session.client.send_signal("SIGINT", targets=0, block=True)
    session.client.wait()


# ---- configuration


def test_pxconfig_sets_the_options_of_later_cells(session: Session) -> None:
    session.shows("%pxconfig --targets 1 --no-stream --verbose")
    assert session.shows("%px print('x')") == "Parallel execution on engine(s): 1\nx\n"
    session.shows("%pxconfig --targets all --noblock")
    assert session.run("%px pass").result is not None
    assert session.out.startswith("Async parallel execution on engine(s): all\n")


def test_many_targets_are_told_in_short(session: Session) -> None:
    session.shows("%pxconfig --verbose")
    out = session.shows("%%px --targets [0]*12\npass")
    assert out == "Parallel execution on engine(s): [0, 0, 0, 0, ..., 0, 0, 0, 0]\n"


def test_a_bad_pxconfig_changes_nothing(session: Session) -> None:
    session.fails("%pxconfig --no-stream --targets 9")
    magics = session.shell.find_line_magic("px").__self__
    assert magics.stream_output
    assert magics.view.targets == "all"


def test_progress_bar(session: Session) -> None:
    session.shows("%%px --progress-after 0\nimport time; time.sleep(0.05)")
    assert "%px: 100%" in session.err
    session.shows("%%px --progress-after -1\npass")
    assert session.err == ""


def test_defaults(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    magics = ParallelMagics(session.shell, session.client[:])
    assert (magics.stream_output, magics.progress_after_seconds) == (True, 2)
    assert (magics.signal_on_interrupt, magics.verbose) == ("SIGINT", False)
    monkeypatch.setenv("IPP_NONINTERACTIVE", "1")
    magics = ParallelMagics(session.shell, session.client[:])
    assert (magics.stream_output, magics.progress_after_seconds) == (False, -1)


def test_every_magic_has_help(session: Session) -> None:
    for name in ("px", "pxconfig", "pxresult", "autopx"):
        assert session.shell.find_line_magic(name).__doc__


# ---- %autopx


@pytest.fixture
def auto(session: Session) -> Iterator[Session]:
    assert session.shows("%autopx") == "%autopx enabled\n"
    yield session
    if "run_ast_nodes" in vars(session.shell):
        session.shows("%autopx")


def test_autopx(auto: Session) -> None:
    count = auto.shell.execution_count
    assert auto.shows("def f(x):\n    return x + 1\n\nprint(f(1))").count("2\n") == 2
    assert auto.shell.execution_count == count + 1
    assert auto.shows("%autopx") == "%autopx disabled\n"
    assert "f" not in auto.shell.user_ns
    assert "run_ast_nodes" not in vars(auto.shell)
    assert auto.shows("print('here')") == "here\n"


def test_autopx_shows_errors_and_goes_on(auto: Session) -> None:
    auto.run("1/0").raise_error()
    assert auto.err.count("ZeroDivisionError: division by zero") == 2
    assert auto.out.endswith("2 errors\n")
    assert auto.shows("print('on')").count("on") == 2


def test_autopx_and_code_around_it(auto: Session) -> None:
    out = auto.shows("print('there')\n%autopx\nprint('here')")
    assert out.count("there") == 2
    assert out.endswith("%autopx disabled\nhere\n")


def test_autopx_with_await(auto: Session) -> None:
    out = auto.shows("import asyncio\nawait asyncio.sleep(0)\nprint('awaited')")
    assert out.count("awaited") == 2


def test_autopx_without_blocking(session: Session) -> None:
    session.client[0].activate("_one")
    session.shows("%autopx_one")
    try:
        assert "<AsyncResult(%px): " in session.shows("5")
        assert isinstance(session.shell.user_ns["_"], ipp.AsyncResult)
    finally:
        assert session.shows("%autopx_one") == "%autopx disabled\n"


def test_silent_cells_run_here(auto: Session) -> None:
    auto.shell.run_cell("silently = 1", silent=True)
    assert auto.shell.user_ns["silently"] == 1


# ---- activation


def test_views_have_magics_side_by_side(session: Session) -> None:
    view = session.client[1]
    view.block = True
    view.activate("_one")
    assert session.shows("%px_one print('x')") == "[stdout:1] \nx\n"
    assert session.shows("%px print('x')").count("x") == 2
    view.targets = 0
    assert session.shows("%%px_one\nprint('x')") == "[stdout:0] \nx\n"


def test_activate_returns_a_blocking_view(session: Session) -> None:
    view = session.client.activate([1], suffix="_b")
    assert (view.block, view.targets) == (True, [1])


@pytest.fixture
def no_magics(session: Session) -> Session:
    session.shell.magics_manager.magics["line"].pop("px")
    return session


def connect(session: Session) -> ipp.Client:
    assert session.client.cluster is not None
    return session.client.cluster.connect_client_sync()


def owner(session: Session) -> Any:
    return session.shell.find_line_magic("px").__self__


def test_the_first_client_has_the_magics_until_it_is_closed(no_magics: Session) -> None:
    with connect(no_magics) as first, connect(no_magics) as second:
        assert owner(no_magics).view.client is first
        first.close()
        with connect(no_magics) as third:
            assert owner(no_magics).view.client is third
            second.activate()
            assert owner(no_magics).view.client is second
        second.close()
        no_magics.fails("%px print('x')")
        assert "was closed" in no_magics.err


def test_when_the_first_client_is_gone_the_last_one_follows(no_magics: Session) -> None:
    """As when the cell that makes it is run again."""
    user = no_magics.shell.user_ns
    user["again"] = connect(no_magics)
    no_magics.shows("%px a = 1")
    gone = weakref.ref(user["again"])
    user["again"] = connect(no_magics)
    gc.collect()
    assert gone() is None
    assert no_magics.shows("%px print('x')").count("x") == 2
    assert owner(no_magics).view.client is user["again"]
    user.pop("again").close()


def test_a_client_that_was_activated_is_kept(no_magics: Session) -> None:
    def set_up() -> None:
        connect(no_magics).activate(suffix="_kept")

    set_up()
    gc.collect()
    assert no_magics.shows("%px_kept print('x')").count("x") == 2
    no_magics.shell.find_line_magic("px_kept").__self__.view.client.close()


def test_the_magics_do_not_keep_a_closed_client(no_magics: Session) -> None:
    client = connect(no_magics)
    no_magics.shows("%px pass")
    client.close()
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None


def test_somebody_elses_px_is_left_alone(session: Session) -> None:
    mine = session.shell.find_line_magic("px")
    session.shell.register_magic_function(str, magic_name="px")
    with connect(session):
        assert session.shell.find_line_magic("px") is str
    session.shell.register_magic_function(mine, magic_name="px")
