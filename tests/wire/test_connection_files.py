"""Connection files: bad ones give one clear error, stale ones block nothing, none is left over."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ipyparallel as ipp
from ipyparallel.protocol.connection import ClientInfo, EngineInfo, to_dict
from tests.support.processes import Controller, Engines, wait_until

_COMMON: dict[str, Any] = {
    "interface": "tcp://127.0.0.1",
    "registration": 1,
    "control": 2,
    "mux": 3,
    "task": 4,
    "iopub": 5,
    "key": "secret",
    "location": "here",
}
CLIENT = to_dict(ClientInfo(**_COMMON, notification=6))
ENGINE = to_dict(EngineInfo(**_COMMON, hb_ping=6, hb_pong=7))


def without(name: str) -> Callable[[dict[str, Any]], bytes]:
    return lambda content: json.dumps({k: v for k, v in content.items() if k != name}).encode()


def with_value(name: str, value: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda content: json.dumps({**content, name: value}).encode()


#: How a file is spoiled, and what the error says besides the path.
BAD = {
    "empty": (lambda _: b"", "is not JSON"),
    "text": (lambda _: b"here be dragons", "is not JSON"),
    "not utf-8": (lambda _: b'{"key": "\xff\xfe"}', "is not JSON"),
    "cut": (lambda content: json.dumps(content).encode()[:50], "is not JSON"),
    "a list": (lambda _: b"[]", "must hold a JSON object, not list"),
    "no key": (without("key"), "missing 'key'"),
    "no interface": (without("interface"), "missing 'interface'"),
    "no mux": (without("mux"), "missing 'mux'"),
    "port is text": (with_value("task", "many"), "$.task"),
    "port is null": (with_value("iopub", None), "$.iopub"),
    "key is a number": (with_value("key", 5), "$.key"),
}

bad_files = pytest.mark.parametrize(("spoil", "said"), BAD.values(), ids=list(BAD))


@bad_files
def test_client_names_what_is_wrong_with_its_file(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], bytes], said: str
) -> None:
    path = tmp_path / "client.json"
    path.write_bytes(spoil(CLIENT))
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        ipp.Client(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_client_names_what_is_wrong_with_a_dict() -> None:
    with pytest.raises(ValueError, match=r"Connection info is invalid \(missing 'notification'\)"):
        ipp.Client({name: value for name, value in CLIENT.items() if name != "notification"})


def test_client_given_the_engines_file(tmp_path: Path) -> None:
    path = tmp_path / "ipcontroller-engine.json"
    path.write_text(json.dumps(ENGINE))
    with pytest.raises(ValueError, match=r"missing 'notification'"):
        ipp.Client(str(path))


def test_client_given_a_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        ipp.Client(str(tmp_path))


def test_client_given_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    with pytest.raises(OSError, match=r"not found") as caught:
        ipp.Client(str(path))
    assert str(path) in str(caught.value)


def test_client_of_a_profile_without_a_controller(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OSError, match=r"no Controller could be found"):
        ipp.Client(profile_dir=tmp_path, timeout=0.1)
    assert "Waiting for connection file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "said"),
    [BAD[name] for name in ("text", "no key", "no mux", "port is text")],
    ids=["text", "no key", "no mux", "port is text"],
)
def test_ipengine_names_what_is_wrong_with_its_file(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], bytes], said: str
) -> None:
    path = tmp_path / "engine.json"
    path.write_bytes(spoil(ENGINE))
    engines = Engines(tmp_path, path)
    try:
        assert engines.wait(30) == 1
    finally:
        engines.end()
    (line,) = engines.lines
    assert "CRITICAL" in line
    assert str(path) in line
    assert said in line


def test_ipengine_without_a_file(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    engines = Engines(tmp_path, path, "--IPEngine.wait_for_url_file=0.1")
    try:
        assert engines.wait(30) == 1
    finally:
        engines.end()
    (line,) = engines.lines
    assert "CRITICAL" in line
    assert str(path) in line


# ---- the controller's files, from its start to its end

transports = pytest.mark.parametrize("transport", ["tcp", "ipc"])


@pytest.fixture
def start_controller(tmp_path: Path) -> Iterator[Callable[..., Controller]]:
    started = []

    def start(*options: str) -> Controller:
        started.append(Controller(tmp_path, *options))
        return started[-1]

    yield start
    for controller in started:
        controller.end()


def socket_folder(controller: Controller) -> Path:
    return Path(controller.info()["interface"].removeprefix("ipc://")).parent


def test_files_are_for_their_owner_only(start_controller: Callable[..., Controller]) -> None:
    controller = start_controller()
    for path in (controller.client_file, controller.engine_file):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


@transports
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clean_stop_leaves_nothing(
    start_controller: Callable[..., Controller], transport: str, number: signal.Signals
) -> None:
    controller = start_controller(f"--transport={transport}")
    folder = socket_folder(controller) if transport == "ipc" else None
    if folder is not None:
        assert folder.stat().st_mode & 0o777 == 0o700
    with ipp.Client(str(controller.client_file)) as client:
        assert client.ids == []
        controller.send_signal(number)
        assert controller.wait() == 0
    assert list(controller.client_file.parent.iterdir()) == []
    if folder is not None:
        assert not folder.exists()
    assert "Traceback" not in controller.text


@transports
def test_stale_file_does_not_block_a_new_controller(
    start_controller: Callable[..., Controller], transport: str
) -> None:
    killed = start_controller(f"--transport={transport}")
    old = killed.info()
    folder = socket_folder(killed) if transport == "ipc" else None
    killed.kill()
    assert killed.client_file.exists()
    new = start_controller(f"--transport={transport}")
    assert new.info()["key"] != old["key"]
    with ipp.Client(profile_dir=new.profile, timeout=20) as client:
        assert client.ids == []
    if folder is not None:
        assert not folder.exists(), "what a killed controller left is swept up"


@transports
def test_client_of_a_stale_file_is_told_that_nobody_listens(
    start_controller: Callable[..., Controller], transport: str
) -> None:
    killed = start_controller(f"--transport={transport}")
    info = killed.info()
    killed.kill()
    url = f"{info['interface']}:{info['registration']}"
    with pytest.raises(TimeoutError, match=r"Nobody listens there") as caught:
        ipp.Client(str(killed.client_file), timeout=0.5)
    assert url in str(caught.value)


def test_ipengine_of_a_stale_file_ends_with_one_line(
    start_controller: Callable[..., Controller], tmp_path: Path
) -> None:
    killed = start_controller()
    info = killed.info()
    killed.kill()
    engines = Engines(tmp_path, killed.engine_file, "--timeout=0.5")
    try:
        engines.wait(30)
    finally:
        engines.end()
    critical = [line for line in engines.lines if "CRITICAL" in line]
    assert len(critical) == 1, engines.text
    assert f"{info['interface']}:{info['registration']}" in critical[0]
    assert "Traceback" not in engines.text


def test_client_of_another_clusters_key_is_not_answered(
    start_controller: Callable[..., Controller],
) -> None:
    controller = start_controller()
    with pytest.raises(TimeoutError, match=r"did not answer in 0.5 s"):
        ipp.Client({**controller.info(), "key": "wrong"}, timeout=0.5)
    wait_until(lambda: "wrong signature" in controller.text, "the controller to say so")
    with ipp.Client(controller.info()) as client:
        assert client.ids == []
