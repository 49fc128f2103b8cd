"""Who may use the server: those who have its token, from a page of its own, under its own name."""

from __future__ import annotations

import hmac
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ALL = ("", "0.0.0.0", "::")
# A page cannot give its connection a header, so the token is an offered protocol.
PROTOCOL = "medsegfm"
# Not `Authorization`, which may be that of a sign-on in front of the server.
TOKEN_HEADER = "X-MedSegFM-Token"
# Of a request that a page of another site has made; a link that the user follows is none.
_CROSS_SITE = ("cross-site", "same-site")


@dataclass(frozen=True)
class Access:
    """The rules of one server.

    Attributes:
        port: The port that it listens on.
        host: The address that it listens on.
        public_address: The address under which a proxy serves it, such as
            https://seg.example.org/ward; "" if there is none.
        names: Further names and addresses of this computer under which it may be used.
        page: The page that the link opens; "" for the workstation.
        token: The secret that requests must have.
    """

    port: int
    host: str = "127.0.0.1"
    public_address: str = ""
    names: tuple[str, ...] = ()
    page: str = ""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def link(self) -> str:
        """The address that opens the page, with the token after #, which browsers do not send."""
        host = "127.0.0.1" if is_loopback(self.host) else (self.names or (self.host,))[0]
        base = self.public_address.rstrip("/") or f"http://{_bracketed(host)}:{self.port}"
        return f"{base}/{self.page}#token={self.token}"

    def has_token(self, headers: Mapping[str, str]) -> bool:
        """Whether a request has the token; the time that this takes does not depend on its text."""
        found = headers.get(TOKEN_HEADER, "")
        name, _comma, offered = headers.get("Sec-WebSocket-Protocol", "").partition(",")
        if not found and name.strip() == PROTOCOL:
            found = offered.strip()
        # A header may have bytes that are no text.
        return hmac.compare_digest(found.encode(errors="surrogatepass"), self.token.encode())

    def fault(self, headers: Mapping[str, str], changes: bool) -> str:
        """Why a request is refused, with or without the token; "" if it is not.

        Args:
            headers: Its headers.
            changes: Whether it changes something or opens a connection, so that it must come from
                a page of this server.
        """
        host = headers.get("Host", "").casefold()
        if host not in self._hosts():
            return f"This server is not {host[:100]!a}; use the address that it printed."
        origin = headers.get("Origin")
        if origin is None and changes:
            return "The request names no origin; use the page of this server."
        if origin is not None and origin.casefold() not in self._origins():
            return f"The page of {origin[:100]!a} may not use this server."
        is_navigation = headers.get("Sec-Fetch-Mode") == "navigate" and not changes
        if headers.get("Sec-Fetch-Site") in _CROSS_SITE and not is_navigation:
            return "A page of another site may not use this server."
        return ""

    def _hosts(self) -> set[str]:
        names = {*_LOOPBACK, _bracketed(self.host), *map(_bracketed, self.names)}
        hosts = {f"{name}:{self.port}".casefold() for name in names}
        if self.public_address:
            hosts.add(urlsplit(self.public_address).netloc.casefold())
        return hosts

    def _origins(self) -> set[str]:
        origins = {f"http://{host}" for host in self._hosts()}
        if self.public_address:
            parts = urlsplit(self.public_address)
            origins.add(f"{parts.scheme}://{parts.netloc}".casefold())
        return origins


def names_of(host: str) -> tuple[str, ...]:
    """The names of this computer if a server listens on all its addresses; () otherwise."""
    if host not in _ALL:
        return ()
    name = socket.gethostname()
    try:
        found = socket.getaddrinfo(name, None)
    except OSError:
        found = []
    addresses = (str(item[4][0]).partition("%")[0] for item in found)
    return tuple(dict.fromkeys((name, socket.getfqdn(), *addresses)))


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this computer only."""
    return _bracketed(host) in _LOOPBACK


def _bracketed(host: str) -> str:
    """An address as it is written before a port."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
