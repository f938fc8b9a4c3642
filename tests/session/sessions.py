"""What the tests of `microwamp.Session` share: sessions, the embedded router, a played router."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import cbor2

from microwamp import Session, connect
from microwamp.router import RealmConfig, Router, RouterConfig
from microwamp.types import CloseDetails, ComponentConfig, SessionDetails

REALM = "devices"
LIMIT_S = 60

WELCOME = [
    2,
    4711,
    {"roles": {"broker": {}, "dealer": {"features": {"call_canceling": True}}}},
]


class Told(Session):
    """A session that keeps what its hooks are told. `events`: names in their order."""

    def __init__(self, realm: str | None = REALM) -> None:
        super().__init__(ComponentConfig(realm))
        loop = asyncio.get_running_loop()
        self.joined: asyncio.Future[SessionDetails] = loop.create_future()
        self.left: asyncio.Future[CloseDetails] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.events: list[str] = []
        self.errors: list[tuple[BaseException, str]] = []

    def onConnect(self) -> Any:
        self.events.append("connect")
        return super().onConnect()

    def onJoin(self, details: SessionDetails) -> Any:
        self.events.append("join")
        self.joined.set_result(details)

    def onLeave(self, details: CloseDetails) -> Any:
        self.events.append("leave")
        self.left.set_result(details)
        return super().onLeave(details)

    def onDisconnect(self) -> Any:
        self.events.append("disconnect")
        self.gone.set_result(None)

    def onUserError(self, fail: Any, msg: str) -> None:
        assert type(fail.value).__name__ in fail.traceback()
        self.errors.append((fail.value, msg))


async def joined(url: str, session: Told | None = None, **options: Any) -> Told:
    """A session that is joined at a URL."""
    session = session or Told()
    await connect(session, url, **options)
    async with asyncio.timeout(LIMIT_S):
        await session.joined
    return session


async def connect_and_wait(session: Told, url: str, **options: Any) -> None:
    """Connect, and wait for the end of the connection."""
    await connect(session, url, **options)
    async with asyncio.timeout(LIMIT_S):
        await session.gone


async def close(*sessions: Session) -> None:
    """Leave, and wait until the transport is closed."""
    async with asyncio.timeout(LIMIT_S):
        for session in sessions:
            if session.is_attached():
                await session.leave()
            else:
                session.disconnect()


@asynccontextmanager
async def embedded(url: str = "rs://127.0.0.1:0") -> AsyncIterator[Router]:
    """The embedded router, by default on a port of its own."""
    config = RouterConfig(
        (RealmConfig(REALM, anonymous="guest", payload_transparency=True),),
        listen=(url,),
    )
    async with Router(config) as router:
        yield router


class Played:
    """One connection to a router that the test plays."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def shake(self) -> None:
        """RawSocket's handshake."""
        octets = await self._reader.readexactly(4)
        self.writer.write(bytes((0x7F, 0xF0 | octets[1] & 15, 0, 0)))

    async def request(self) -> bytes:
        """The head of an HTTP request."""
        return await self._reader.readuntil(b"\r\n\r\n")

    async def receive(self) -> list[Any]:
        """The next message."""
        head = await self._reader.readexactly(4)
        found = cbor2.loads(await self._reader.readexactly(int.from_bytes(head, "big")))
        assert isinstance(found, list)
        return found

    def send(self, *messages: Any) -> None:
        """Messages, in one piece."""
        octets = b""
        for message in messages:
            payload = cbor2.dumps(message)
            octets += len(payload).to_bytes(4, "big") + payload
        self.writer.write(octets)

    def raw(self, payload: bytes) -> None:
        """A frame of any octets."""
        self.writer.write(len(payload).to_bytes(4, "big") + payload)

    async def join(self) -> list[Any]:
        """Handshake, HELLO and WELCOME; returns HELLO."""
        await self.shake()
        hello = await self.receive()
        self.send(WELCOME)
        return hello


@asynccontextmanager
async def played(
    play: Callable[[Played], Any], context: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """The URL of a router whose every connection is handled by `play`, and then closed.

    context: for TLS.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await play(Played(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client is gone, or the test over
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{'rss' if context else 'rs'}://{host}:{port}"
    finally:
        server.close()


async def until(condition: Callable[[], Any]) -> None:
    """Waits until a condition holds."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.005)


class Hanging:
    """An endpoint that never answers; it tells when it was called, and when it was cancelled."""

    def __init__(self) -> None:
        self.called, self.cancelled = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.called.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
