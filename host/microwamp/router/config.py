"""What a router is told: where to listen, which realms, who may log in and do what."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from wamp.errors import ConfigurationError
from wamp.rawsocket import LENGTH_MAX

from . import uris

Action: TypeAlias = Literal["call", "register", "publish", "subscribe"]
ACTIONS: tuple[Action, ...] = ("call", "register", "publish", "subscribe")

_KEY = re.compile(r"[0-9a-fA-F]{64}")


class Listen(NamedTuple):
    """A listening URL in parts; path is set for Unix sockets, host and port for the others."""

    tls: bool
    host: str
    port: int
    path: str

    def url(self, port: int) -> str:
        """The URL to connect to, once the port is known."""
        if self.path:
            return "rs://unix:" + self.path
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rss' if self.tls else 'rs'}://{host}:{port}"


def parse_listen(url: str) -> Listen:
    """Take apart rs://HOST:PORT, rss://HOST:PORT or rs://unix:/PATH; port 0 is any free one.

    Raises ConfigurationError that says what is wrong.
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme not in ("rs", "rss"):
        raise ConfigurationError(
            f"cannot listen on {url}: rs://HOST:PORT, rss://HOST:PORT or rs://unix:/PATH needed"
        )
    if rest.startswith("unix:"):
        if scheme == "rss" or len(rest) == len("unix:"):
            raise ConfigurationError(f"cannot listen on {url}: rs://unix:/PATH needed")
        return Listen(False, "", 0, rest[len("unix:") :])
    host, found, port = rest.rstrip("/").rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not found or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError(f"cannot listen on {url}: HOST:PORT needed, PORT from 0 to 65535")
    return Listen(scheme == "rss", host, int(port), "")


@dataclass(frozen=True)
class Limits:
    """Bounds of everything that a client can make grow; what exceeds one is refused or dropped."""

    # Octets of a message from a client, rounded up to a power of two by the handshake. 1 MiB is
    # more than any device sends, and a thousand clients that all send half a message hold 1 GiB.
    message: int = 1 << 20
    # Octets waiting for a client before the next message to it makes the router drop the client.
    # 4 MiB are six minutes of a line with 115200 baud, and four messages of the longest kind.
    output: int = 4 << 20
    # Clients at a time: below the usual limit of 1024 descriptors a process, with room for files.
    connections: int = 1000
    # Subscriptions a session may hold; a program that needs more wants a pattern.
    subscriptions: int = 10_000
    # Registrations a session may hold, for the same reason.
    registrations: int = 10_000
    # Calls a session may have in flight; each costs half a KiB until the callee answers.
    calls: int = 10_000
    # Topics with a retained event in a realm, and octets of all of them together: the oldest goes.
    retained: int = 10_000
    retained_octets: int = 64 << 20
    # Testaments of a session, and octets of all of them together: a device leaves one or two.
    testaments: int = 100
    testament_octets: int = 1 << 20

    def __post_init__(self) -> None:
        if not 1024 <= self.message <= LENGTH_MAX + 1:
            raise ConfigurationError("limits: message must be from 1024 to 16777216 octets")


@dataclass(frozen=True)
class Permission:
    """Actions allowed under a URI prefix (a string prefix: `com.a` covers `com.ab` too)."""

    uri: str = ""
    actions: frozenset[Action] = frozenset(ACTIONS)

    def __post_init__(self) -> None:
        for action in self.actions:
            if action not in ACTIONS:
                raise ConfigurationError(
                    f"permission: unknown action {action}; known: {', '.join(ACTIONS)}"
                )


@dataclass(frozen=True)
class Role:
    """What clients with an authrole may do: of the permissions that cover a URI, the longest
    prefix decides. A role without an entry in its realm may do everything.
    """

    name: str
    allow: tuple[Permission, ...] = (Permission(),)

    def allows(self, action: Action, uri: str) -> bool:
        """Whether `action` is allowed on `uri` (or on all URIs that begin with it)."""
        best: Permission | None = None
        for permission in self.allow:
            if uri.startswith(permission.uri) and (
                best is None or len(permission.uri) > len(best.uri)
            ):
                best = permission
        return best is not None and action in best.actions


@dataclass(frozen=True)
class Principal:
    """Someone who may log in, by any of the credentials that are set.

    ticket: a shared word, sent in clear. secret: the shared secret of WAMP-CRA, as the user types
    it; with `salt` the key is derived from it (`iterations`, `keylen`). public_keys: Ed25519 keys
    for cryptosign, 64 hex digits each.
    """

    authid: str
    role: str = "user"
    ticket: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    salt: str | None = field(default=None, repr=False)
    iterations: int = 1000
    keylen: int = 32
    public_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        who = f"principal {self.authid}"
        if not self.authid:
            raise ConfigurationError("principal: an authid is needed")
        if self.ticket is None and self.secret is None and not self.public_keys:
            raise ConfigurationError(f"{who}: a ticket, a secret or public_keys needed")
        if self.ticket == "" or self.secret == "":
            raise ConfigurationError(f"{who}: an empty ticket or secret lets everyone in")
        if self.salt is not None and self.secret is None:
            raise ConfigurationError(f"{who}: salt without a secret")
        if not 1 <= self.iterations <= 10_000_000 or not 1 <= self.keylen <= 64:
            raise ConfigurationError(
                f"{who}: iterations must be from 1 to 10000000, keylen from 1 to 64"
            )
        for key in self.public_keys:
            if not _KEY.fullmatch(key):
                raise ConfigurationError(f"{who}: public key {key[:70]} is not 64 hex digits")


@dataclass(frozen=True)
class RealmConfig:
    """A realm: who may join it and in which role.

    anonymous: the role of clients that do not log in, None to refuse them. disclose: tell callees
    and subscribers who called or published even where the client did not ask for it.
    """

    name: str = "devices"
    anonymous: str | None = None
    principals: tuple[Principal, ...] = ()
    roles: tuple[Role, ...] = ()
    disclose: bool = False

    def __post_init__(self) -> None:
        if not uris.valid(self.name):
            raise ConfigurationError(f"realm {self.name[:64]!r} is not a URI")
        if self.anonymous is None and not self.principals:
            raise ConfigurationError(
                f"realm {self.name}: nobody could log in: a principal or anonymous needed"
            )
        _unique(f"realm {self.name}: principal", (one.authid for one in self.principals))
        _unique(f"realm {self.name}: role", (one.name for one in self.roles))
        keys = [key.lower() for one in self.principals for key in one.public_keys]
        _unique(f"realm {self.name}: public key", keys)


@dataclass(frozen=True)
class RouterConfig:
    """Everything a router is told.

    listen: URLs (see `parse_listen`). certificate, key: PEM files for rss://; key None means that
    the certificate's file holds it too. opening_timeout: seconds a client has for TLS, handshake
    and login, and to begin a new session after GOODBYE. closing_timeout: seconds it has to answer
    the router's GOODBYE and to take what is still on its way to it.
    """

    realms: tuple[RealmConfig, ...]
    listen: tuple[str, ...] = ("rs://127.0.0.1:8080",)
    certificate: str | None = None
    key: str | None = None
    limits: Limits = field(default_factory=Limits)
    opening_timeout: float = 10.0
    closing_timeout: float = 2.0

    def __post_init__(self) -> None:
        if not self.realms:
            raise ConfigurationError("a router needs at least one realm")
        _unique("realm", (realm.name for realm in self.realms))
        if not self.listen:
            raise ConfigurationError("a router needs at least one URL to listen on")
        for url in self.listen:
            if parse_listen(url).tls and self.certificate is None:
                raise ConfigurationError(f"cannot listen on {url}: rss:// needs a certificate")
        if self.opening_timeout <= 0 or self.closing_timeout <= 0:
            raise ConfigurationError("time-outs must be greater than 0")


def _unique(what: str, names: Iterable[str]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise ConfigurationError(f"{what} {name} is there twice")
        seen.add(name)
