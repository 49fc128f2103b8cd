"""Who may use the server: the token, the host, the origin."""

from __future__ import annotations

import socket

import pytest

from MedSegFMLib.browser.access import TOKEN_HEADER, Access, is_loopback, names_of

ACCESS = Access(8123, token="secret")
PROXIED = Access(8123, public_address="https://seg.example.org/ward", token="secret")


@pytest.mark.parametrize(
    ("given", "is_token"),
    [("secret", True), ("", False), ("secre", False), ("secrets", False), ("SECRET", False)],
)
def test_only_the_exact_token_is_accepted(given: str, is_token: bool) -> None:
    assert ACCESS.has_token({TOKEN_HEADER: given}) == is_token
    assert ACCESS.has_token({"Sec-WebSocket-Protocol": f"medsegfm, {given}"}) == is_token
    assert not ACCESS.has_token({"Authorization": f"Bearer {given}"})
    assert not ACCESS.has_token({"Sec-WebSocket-Protocol": given})
    assert not ACCESS.has_token({"Cookie": f"medsegfm-8123={given}"})


def test_a_sign_on_in_front_of_the_server_may_use_authorization() -> None:
    theirs = {"Authorization": "Basic dXNlcjpwYXNz"}
    assert ACCESS.has_token({**theirs, TOKEN_HEADER: "secret"})
    assert ACCESS.has_token({**theirs, "Sec-WebSocket-Protocol": "medsegfm, secret"})


def test_a_request_without_a_token_has_none() -> None:
    assert not ACCESS.has_token({})
    assert not ACCESS.has_token({"Sec-WebSocket-Protocol": "medsegfm"})


def test_bytes_that_are_no_text_are_no_token() -> None:
    given = b"\xff\xfe".decode("utf-8", "surrogateescape")
    assert not ACCESS.has_token({TOKEN_HEADER: given})


def test_each_server_has_its_own_long_token() -> None:
    first, second = Access(1).token, Access(1).token
    assert first != second
    assert min(len(first), len(second)) >= 43


@pytest.mark.parametrize("host", ["127.0.0.1:8123", "localhost:8123", "[::1]:8123"])
def test_the_servers_own_names_are_accepted(host: str) -> None:
    assert ACCESS.fault({"Host": host}, changes=False) == ""
    assert ACCESS.fault({"Host": host, "Origin": f"http://{host}"}, changes=True) == ""


@pytest.mark.parametrize("host", ["", "evil.example:8123", "127.0.0.1:80", "127.0.0.1"])
def test_another_name_for_this_server_is_refused(host: str) -> None:
    """A name of an attacker that leads to 127.0.0.1 is no way in (DNS rebinding)."""
    assert "is not" in ACCESS.fault({"Host": host}, changes=False)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:8123", "http://127.0.0.1:9999"]
)
def test_a_foreign_origin_is_refused_for_every_request(origin: str) -> None:
    for changes in (False, True):
        fault = ACCESS.fault({"Host": "127.0.0.1:8123", "Origin": origin}, changes)
        assert "may not use" in fault


def test_a_change_without_an_origin_is_refused() -> None:
    assert "origin" in ACCESS.fault({"Host": "127.0.0.1:8123"}, changes=True)


def test_a_request_that_another_site_makes_is_refused_but_its_link_is_not() -> None:
    headers = {"Host": "127.0.0.1:8123", "Sec-Fetch-Site": "cross-site"}
    assert ACCESS.fault(headers, changes=False)
    assert ACCESS.fault({**headers, "Sec-Fetch-Mode": "navigate"}, changes=False) == ""


def test_a_proxys_address_is_accepted() -> None:
    headers = {"Host": "seg.example.org", "Origin": "https://seg.example.org"}
    assert PROXIED.fault(headers, changes=True) == ""
    assert ACCESS.fault(headers, changes=True)
    # What follows # stays in the browser: neither the proxy's log nor another site gets it.
    assert PROXIED.link == "https://seg.example.org/ward/#token=secret"


def test_a_server_on_all_addresses_is_used_under_the_names_of_its_computer() -> None:
    names = names_of("0.0.0.0")
    assert socket.gethostname() in names
    access = Access(8123, "0.0.0.0", names=names)
    assert access.fault({"Host": f"{socket.gethostname()}:8123"}, changes=False) == ""
    assert access.fault({"Host": "evil.example:8123"}, changes=False)
    assert access.link.startswith(f"http://{socket.gethostname()}:8123/")
    assert names_of("127.0.0.1") == ()


def test_only_this_computers_own_addresses_are_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "localhost", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "192.168.1.4", "::", "example.org")))
