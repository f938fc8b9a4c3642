"""What a router is told: where to listen, which realms, who may log in and do what."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from wamp.errors import ConfigurationError
from wamp.rawsocket import LENGTH_MAX

from . import uris
from .principals import Principal

Action: TypeAlias = Literal["call", "register", "publish", "subscribe"]
ACTIONS: tuple[Action, ...] = ("call", "register", "publish", "subscribe")


class Listen(NamedTuple):
    """A listening URL in parts; path is set for Unix sockets, host and port for the others."""

    tls: bool
    host: str
    port: int
    path: str
    websocket: bool = False

    def url(self, port: int) -> str:
        """The URL to connect to, once the port is known."""
        if self.path:
            return "rs://unix:" + self.path
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = ("ws" if self.websocket else "rs") + ("s" if self.tls else "")
        return f"{scheme}://{host}:{port}"


def parse_listen(url: str) -> Listen:
    """Take apart rs://HOST:PORT, rss://, ws://, wss://HOST:PORT or rs://unix:/PATH; port 0 is any
    free one.

    Raises ConfigurationError that says what is wrong.
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme not in ("rs", "rss", "ws", "wss"):
        raise ConfigurationError(
            f"cannot listen on {url}: rs://HOST:PORT, rss://HOST:PORT, ws://HOST:PORT, "
            "wss://HOST:PORT or rs://unix:/PATH needed"
        )
    if rest.startswith("unix:"):
        if scheme != "rs" or len(rest) == len("unix:"):
            raise ConfigurationError(f"cannot listen on {url}: rs://unix:/PATH needed")
        return Listen(False, "", 0, rest[len("unix:") :])
    host, found, port = rest.rstrip("/").rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not found or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError(f"cannot listen on {url}: HOST:PORT needed, PORT from 0 to 65535")
    return Listen(scheme in ("rss", "wss"), host, int(port), "", scheme.startswith("ws"))


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
    # Octets of a session's calls in flight that are kept to go to another callee if the first is
    # unavailable; what does not fit is answered instead.
    reroute_octets: int = 1 << 20
    # Topics with a retained event in a realm, and octets of all of them together: the oldest goes.
    retained: int = 10_000
    retained_octets: int = 64 << 20
    # Testaments of a session, and octets of all of them together: a device leaves one or two.
    testaments: int = 100
    testament_octets: int = 1 << 20

    def __post_init__(self) -> None:
        if not 1024 <= self.message <= LENGTH_MAX + 1:
            raise ConfigurationError("message must be from 1024 to 16777216 octets")


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
    prefix decides. A role without an entry in its realm may do everything but administer: calls
    that end sessions, registrations and subscriptions of others (`meta.ADMINISTRATION`) need a
    permission whose prefix begins with `wamp.`.
    """

    name: str
    allow: tuple[Permission, ...] = (Permission(),)

    def allows(self, action: Action, uri: str, within: str = "") -> bool:
        """Whether `action` is allowed on `uri` (or on all URIs that begin with it), by
        permissions whose prefix begins with `within`.
        """
        best: Permission | None = None
        for permission in self.allow:
            if not permission.uri.startswith(within):
                continue
            if uri.startswith(permission.uri) and (
                best is None or len(permission.uri) > len(best.uri)
            ):
                best = permission
        return best is not None and action in best.actions


@dataclass(frozen=True)
class Trust:
    """The trust level of calls and publications of a role (None: all roles) under a URI prefix.

    The longest prefix decides, and of two equal ones the one that names the role.
    """

    level: int
    uri: str = ""
    role: str | None = None

    def __post_init__(self) -> None:
        if self.level < 0:
            raise ConfigurationError("trust: level must be 0 or more")


@dataclass(frozen=True)
class Kept:
    """A topic or pattern whose events are kept for those who ask later: how many, and how many
    octets of them altogether; the oldest go.
    """

    uri: str
    match: str = "exact"
    events: int = 1000
    octets: int = 16 << 20

    def __post_init__(self) -> None:
        if self.match not in ("exact", "prefix", "wildcard"):
            raise ConfigurationError(
                f"history: match {self.match[:20]}; known: exact, prefix, wildcard"
            )
        if not uris.valid(self.uri, self.match):
            raise ConfigurationError(
                f"history: {self.uri[:64]!r} is not a URI for {self.match} match"
            )
        if self.events < 1 or self.octets < 1:
            raise ConfigurationError("history: events and octets must be greater than 0")


@dataclass(frozen=True)
class RealmConfig:
    """A realm: who may join it and in which role.

    anonymous: the role of clients that do not log in, None to refuse them. disclose: tell callees
    and subscribers who called or published even where the client did not ask for it. disclose_me:
    clients may ask for it. trust: the trust levels, 0 where nothing is said. history: whose events
    are kept. payload_transparency: also take opaque payloads in crossbar's form (`enc_*`).
    lenient: a client may use features that it did not announce, but where the specification itself
    calls that a violation.
    """

    name: str = "devices"
    anonymous: str | None = None
    principals: tuple[Principal, ...] = ()
    roles: tuple[Role, ...] = ()
    disclose: bool = False
    disclose_me: bool = True
    trust: tuple[Trust, ...] = ()
    history: tuple[Kept, ...] = ()
    payload_transparency: bool = False
    lenient: bool = False

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
        _unique(f"realm {self.name}: history", (f"{one.match} {one.uri}" for one in self.history))

    def trust_in(self, role: str, uri: str) -> int:
        """The trust level of what `role` calls or publishes (advanced profile)."""
        best = (-1, False, 0)
        for one in self.trust:
            if uri.startswith(one.uri) and one.role in (None, role):
                best = max(best, (len(one.uri), one.role is not None, one.level))
        return best[2]


@dataclass(frozen=True)
class RouterConfig:
    """Everything a router is told.

    listen: URLs (see `parse_listen`). certificate, key: PEM files for rss:// and wss://; key None
    means that the certificate's file holds it too. origins: of pages that browsers may let connect
    to ws:// and wss://, beside those of the same host; "*" are all. identity: a key file with
    the Ed25519 key by which the router proves itself to clients that ask (cryptosign).
    opening_timeout: seconds a client has for TLS, handshake and login, and to begin a new session
    after GOODBYE. closing_timeout: seconds it has to answer the router's GOODBYE and to take what
    is still on its way to it.
    """

    realms: tuple[RealmConfig, ...]
    listen: tuple[str, ...] = ("rs://127.0.0.1:8080",)
    certificate: str | None = None
    key: str | None = None
    identity: str | None = None
    origins: tuple[str, ...] = ()
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
                raise ConfigurationError(f"cannot listen on {url}: TLS needs a certificate")
        if self.opening_timeout <= 0 or self.closing_timeout <= 0:
            raise ConfigurationError("time-outs must be greater than 0")


def _unique(what: str, names: Iterable[str]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise ConfigurationError(f"{what} {name} is there twice")
        seen.add(name)
