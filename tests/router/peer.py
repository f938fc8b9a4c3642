"""A tiny scripted WAMP peer: lists through cbor2 over a real socket, no state of its own.

async with serve() as router, joined(router) as alice:
    await alice.send(48, 1, {}, "com.example.f", [1])
    assert await alice.receive() == [...]
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import cbor2

from microwamp.router import Limits, Permission, RealmConfig, Role, Router, RouterConfig

REALM = "test"
FEATURES: dict[str, tuple[str, ...]] = {
    "publisher": (
        "payload_passthru_mode",
        "publisher_exclusion",
        "publisher_identification",
        "subscriber_blackwhite_listing",
    ),
    "subscriber": (
        "pattern_based_subscription",
        "payload_passthru_mode",
        "publisher_identification",
        "subscription_revocation",
    ),
    "caller": (
        "call_canceling",
        "call_timeout",
        "caller_identification",
        "payload_passthru_mode",
        "progressive_call_invocations",
        "progressive_call_results",
    ),
    "callee": (
        "call_canceling",
        "caller_identification",
        "pattern_based_registration",
        "payload_passthru_mode",
        "progressive_call_invocations",
        "progressive_call_results",
        "registration_revocation",
        "shared_registration",
    ),
}
ROLES: dict[str, Any] = {
    role: {"features": dict.fromkeys(names, True)} for role, names in FEATURES.items()
}
BASIC: dict[str, Any] = {role: {} for role in FEATURES}  # the basic profile: no features
PATIENCE_S = 60
# A realm whose guests are administrators.
ADMINISTERED = RealmConfig(
    REALM,
    anonymous="anonymous",
    roles=(
        Role("anonymous", (Permission(), Permission("wamp.", frozenset({"call", "subscribe"})))),
    ),
)


def roles(**more: tuple[str, ...]) -> dict[str, Any]:
    """ROLES with more features for some roles, such as callee=("call_timeout",)."""
    return {
        role: {"features": dict.fromkeys((*names, *more.get(role, ())), True)}
        for role, names in FEATURES.items()
    }


def without(**less: tuple[str, ...]) -> dict[str, Any]:
    """ROLES with some features less."""
    return {
        role: {"features": {name: True for name in names if name not in less.get(role, ())}}
        for role, names in FEATURES.items()
    }


class Peer:
    """One connection. `session` is the id from WELCOME, `welcome` its details."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._request = 0
        self.reply = b""  # the router's four octets
        self.session = 0
        self.welcome: dict[str, Any] = {}

    @classmethod
    async def dial(cls, url: str, context: ssl.SSLContext | None = None) -> Peer:
        """Connect, and send nothing."""
        scheme, _, rest = url.partition("://")
        if rest.startswith("unix:"):
            return cls(*await asyncio.open_unix_connection(rest[5:]))
        host, _, port = rest.rpartition(":")
        assert (scheme == "rss") == (context is not None)
        return cls(*await asyncio.open_connection(host.strip("[]"), int(port), ssl=context))

    @classmethod
    async def connect(
        cls, url: str, length: int = 15, context: ssl.SSLContext | None = None
    ) -> Peer:
        """Connect and shake hands; length: our LENGTH nibble."""
        peer = await cls.dial(url, context)
        await peer.raw(bytes((0x7F, length << 4 | 3, 0, 0)))
        peer.reply = await peer.octets(4)
        assert peer.reply[0] == 0x7F and peer.reply[1] & 15 == 3 and peer.reply[2:] == b"\0\0"
        return peer

    async def hello(self, realm: str = REALM, **details: Any) -> list[Any]:
        """HELLO, and what the router answers."""
        details.setdefault("roles", ROLES)
        await self.send(1, realm, details)
        return await self.receive()

    async def join(self, realm: str = REALM, **details: Any) -> Peer:
        """HELLO that must be welcomed at once."""
        answer = await self.hello(realm, **details)
        assert answer[0] == 2, answer
        _, self.session, self.welcome = answer
        self._request = 0
        return self

    def next(self) -> int:
        """The next request id."""
        self._request += 1
        return self._request

    async def send(self, *message: Any) -> None:
        """Send one message."""
        await self.frame(cbor2.dumps(list(message)))

    async def frame(self, payload: bytes, kind: int = 0) -> None:
        """Send one frame."""
        await self.raw(bytes((kind,)) + len(payload).to_bytes(3, "big") + payload)

    async def raw(self, octets: bytes) -> None:
        """Send octets as they are."""
        self._writer.write(octets)
        await self._writer.drain()

    async def octets(self, count: int) -> bytes:
        """Receive exactly so many octets."""
        return await asyncio.wait_for(self._reader.readexactly(count), PATIENCE_S)

    async def receive_frame(self) -> tuple[int, bytes]:
        """Receive one frame."""
        head = await self.octets(4)
        return head[0], await self.octets(int.from_bytes(head[1:], "big"))

    async def receive(self) -> list[Any]:
        """Receive one message."""
        kind, payload = await self.receive_frame()
        assert kind == 0, kind
        message = cbor2.loads(payload)
        assert type(message) is list
        return message

    async def request(self, code: int, *rest: Any) -> list[Any]:
        """Send a request with the next id; returns what comes next, whatever it is."""
        await self.send(code, self.next(), *rest)
        return await self.receive()

    async def subscribe(self, topic: str, **options: Any) -> int:
        """SUBSCRIBE that must succeed; returns the subscription id."""
        answer = await self.request(32, options, topic)
        assert answer[:2] == [33, self._request], answer
        return int(answer[2])

    async def register(self, procedure: str, **options: Any) -> int:
        """REGISTER that must succeed; returns the registration id."""
        answer = await self.request(64, options, procedure)
        assert answer[:2] == [65, self._request], answer
        return int(answer[2])

    async def silent(self) -> bool:
        """Whether the router has nothing more to say: a request is answered next."""
        answer = await self.request(34, 9_999_999)
        return answer[:3] == [8, 34, self._request]

    async def aborted(self, reason: str = "wamp.error.protocol_violation") -> str:
        """ABORT with `reason` must come next, then the end; returns its message."""
        answer = await self.receive()
        assert answer[0] == 3 and answer[2] == reason, answer
        assert await self.ended(), "the connection is still open"
        return str(answer[1]["message"])

    async def ended(self) -> bool:
        """Whether the router closes the connection and sends nothing more."""
        try:
            return await asyncio.wait_for(self._reader.read(1), PATIENCE_S) == b""
        except ConnectionError:
            return True

    async def close(self) -> None:
        """Close the connection without a word."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            pass

    async def __aenter__(self) -> Peer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Log:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, fields: Mapping[str, Any]) -> None:
        self.events.append((event, dict(fields)))

    def names(self) -> list[str]:
        """The names of the events so far."""
        return [name for name, _ in self.events]


@asynccontextmanager
async def serve(
    *realms: RealmConfig,
    listen: tuple[str, ...] = ("rs://127.0.0.1:0",),
    limits: Limits | None = None,
    log: Log | None = None,
    **settings: Any,
) -> AsyncIterator[Router]:
    """A router; without realms one that lets everyone in. settings: more of RouterConfig."""
    config = RouterConfig(
        realms=realms or (RealmConfig(REALM, anonymous="anonymous"),),
        listen=listen,
        limits=limits or Limits(),
        **{"closing_timeout": 0.5, **settings},
    )
    async with Router(config, log or Log()) as router:
        yield router


@asynccontextmanager
async def joined(
    router: Router, *, length: int = 15, realm: str = REALM, **details: Any
) -> AsyncIterator[Peer]:
    """A peer with a session."""
    async with await Peer.connect(router.urls[0], length) as peer:
        yield await peer.join(realm, **details)
