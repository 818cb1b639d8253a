"""URLs and addresses."""

import socket
import warnings

import pytest

from ipyparallel.util import (
    disambiguate_ip_address,
    disambiguate_url,
    ip_for_host,
    is_ip,
    is_url,
    select_random_ports,
    split_url,
    validate_url,
    validate_url_container,
)

GOOD = [
    "tcp://127.0.0.1:80",
    "tcp://*:0",
    "tcp://[::1]:5",
    "udp://a-b.c:*",
    "ipc:///x",
    "inproc://x",
]


@pytest.mark.parametrize("url", GOOD)
def test_urls_of_sockets(url):
    assert is_url(url)
    assert validate_url(url) is True
    assert validate_url_container(url) is None


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", "like tcp"),
        ("127.0.0.1:80", "like tcp"),
        ("tcp://", "like tcp"),
        ("tcp://host", "like tcp"),
        ("foo://host:1", "Invalid protocol: 'foo'"),
        ("tcp://host:x", "Invalid port in .*: 'x'"),
        ("tcp://host:70000", "Invalid port"),
        ("tcp://host:-1", "Invalid port"),
        ("tcp://:80", "Invalid host"),
        ("tcp://a b:80", "Invalid host in .*: 'a b'"),
        ("tcp://-a:80", "Invalid host"),
    ],
)
def test_what_is_wrong_with_a_url_is_told(url, text):
    with pytest.raises(ValueError, match=text):
        validate_url(url)
    with pytest.raises(ValueError, match=text):
        validate_url_container({"a": [GOOD[0], (url,)]})


@pytest.mark.parametrize("no_url", [3, None, b"tcp://a:1"])
def test_what_is_no_text_is_no_url(no_url):
    assert not is_url(no_url)
    with pytest.raises(TypeError):
        validate_url(no_url)
    with pytest.raises(TypeError):
        validate_url_container([no_url])


def test_collections_of_urls():
    validate_url_container({"a": GOOD, "b": {"c": tuple(GOOD)}, "d": set(GOOD)})
    validate_url_container([])


def test_split():
    assert split_url("tcp://127.0.0.1:80") == ("tcp", "127.0.0.1", "80")
    assert split_url("tcp://[::1]:80") == ("tcp", "[::1]", "80")
    with pytest.raises(ValueError, match="like tcp"):
        split_url("ipc")


@pytest.mark.parametrize("ip", ["127.0.0.1", "10.1.2.3", "::1"])
def test_addresses_in_numbers(ip):
    assert is_ip(ip)


@pytest.mark.parametrize("name", ["localhost", "", "1.2.3", "256.1.1.1", "*", "10.0.0.1:80"])
def test_names_are_no_addresses(name):
    assert not is_ip(name)


def test_the_address_of_a_host():
    assert ip_for_host("localhost") == "127.0.0.1"


def test_a_host_that_nobody_knows_is_given_back(monkeypatch):
    def unknown(host):
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "gethostbyname_ex", unknown)
    with pytest.warns(RuntimeWarning, match=r"nobody\.invalid: unknown"):
        assert ip_for_host("nobody.invalid") == "nobody.invalid"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ip_for_host("nobody.invalid") == "nobody.invalid"  # remembered
    ip_for_host.cache_clear()


@pytest.mark.parametrize("anywhere", ["0.0.0.0", "*"])
@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (None, "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        (socket.gethostname(), "127.0.0.1"),
        ("203.0.113.9", "203.0.113.9"),
    ],
)
def test_where_to_connect_to(anywhere, location, expected):
    assert disambiguate_ip_address(anywhere, location) == expected
    assert disambiguate_url(f"tcp://{anywhere}:50", location) == f"tcp://{expected}:50"


def test_what_is_clear_already_stays():
    assert disambiguate_ip_address("10.0.0.1", "203.0.113.9") == "10.0.0.1"
    assert disambiguate_url("tcp://10.0.0.1:5", "203.0.113.9") == "tcp://10.0.0.1:5"
    assert disambiguate_url("ipc:///some/where", "203.0.113.9") == "ipc:///some/where"


def test_ports_are_free_and_differ():
    ports = select_random_ports(5)
    assert len(set(ports)) == 5
    assert all(0 < port < 65536 for port in ports)
    assert select_random_ports(0) == []
