"""The session against crossbar.io: progress, cancelling, opaque payloads, a second session.

`Protocol` alone, on a socket, so that each message and its answer is seen.
"""

import asyncio
from types import TracebackType
from typing import Any, Self

from microwamp_rig import crossbar as xb
from microwamp_rig.crossbar import CrossbarNode
from wamp import cbor
from wamp.errors import LocalProtocolError
from wamp.rawsocket import RawSocket
from wamp.session import (
    ANSWERED,
    DONE,
    ENDED,
    FAILED,
    HAPPENED,
    INTERRUPTED,
    INVOKED,
    JOINED,
    PROGRESSED,
    REVOKED,
    Protocol,
)

PROCEDURE = "com.example.session.procedure"
TOPIC = "com.example.session.topic"
LIMIT_S = 60  # for what must come
QUIET_S = 0.5  # for what must not


class Peer:
    """A session on a connection of its own; `next` is what it reports next."""

    def __init__(self, node: CrossbarNode) -> None:
        host, port = node.url.removeprefix("rs://").split(":")
        self._address = host, int(port)
        self._raw = RawSocket(65536)
        self._reports: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self.protocol = Protocol(self._send)

    async def __aenter__(self) -> Self:
        reader, self._writer = await asyncio.open_connection(*self._address)
        self._writer.write(self._raw.request())
        while self._raw.frames is None:
            self._raw.receive(await reader.readexactly(4))
        self._reading = asyncio.create_task(self._read(reader))
        await self.join()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._reading.cancel()
        self._writer.close()

    async def join(self) -> None:
        self.protocol.join(xb.REALM, (), "test")
        assert (await self.next())[0] == JOINED

    async def next(self) -> tuple[Any, ...]:
        async with asyncio.timeout(LIMIT_S):
            return await self._reports.get()

    async def nothing(self) -> bool:
        await asyncio.sleep(QUIET_S)
        return self._reports.empty()

    def _send(self, message: list[Any]) -> None:
        assert self._raw.frames is not None
        self._writer.write(self._raw.frames.frame(cbor.encode(message)))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while octets := await reader.read(65536):
            for _, payload in self._raw.receive(octets):
                report = self.protocol.receive(cbor.decode(payload))
                if report is not None:
                    self._reports.put_nowait(report)
        self._reports.put_nowait(("the router closed the connection",))


async def callee(peer: Peer, **options: Any) -> Protocol:
    peer.protocol.register("registered", PROCEDURE, "entry", options)
    assert (await peer.next())[:2] == (DONE, "registered")
    return peer.protocol


async def test_progressive_results(crossbar: CrossbarNode) -> None:
    async with Peer(crossbar) as a, Peer(crossbar) as b:
        b_protocol = await callee(b)
        a.protocol.call("call", PROCEDURE, [1], None, {"receive_progress": True})
        kind, _, request, details, args, _ = await b.next()
        assert (kind, args) == (INVOKED, [1]) and details["receive_progress"] is True
        for n in range(3):
            assert b_protocol.progress(request, [n]) is True
            assert (await a.next())[:3] == (PROGRESSED, "call", [n])
        b_protocol.answer(request)
        assert list((await a.next())[:3]) == [ANSWERED, "call", ()]
        # Nobody asked for it: crossbar would hand it on (pitfall P29).
        a.protocol.call("call", PROCEDURE)
        request = (await b.next())[2]
        assert b_protocol.progress(request, [1]) is False
        b_protocol.answer(request, [2])
        assert (await a.next())[:3] == (ANSWERED, "call", [2])


async def test_cancelling(crossbar: CrossbarNode) -> None:
    async with Peer(crossbar) as a, Peer(crossbar) as b:
        b_protocol = await callee(b)
        for mode in ("kill", "killnowait", "skip"):
            n = a.protocol.call("call", PROCEDURE)
            request = (await b.next())[2]
            assert a.protocol.cancel(n, mode) is True
            if mode == "skip":
                # crossbar says nothing at all, neither now nor after the callee's answer (P8).
                assert await a.nothing() and await b.nothing()
                b_protocol.answer(request)
                assert await a.nothing()
                assert a.protocol.forget(n) == "call"
                continue
            assert await b.next() == (INTERRUPTED, request, mode)
            b_protocol.fail(request, "wamp.error.canceled")
            kind, handle, error = await a.next()
            assert (kind, handle, error.error) == (FAILED, "call", "wamp.error.canceled"), mode
        assert await a.nothing()
        assert a.protocol.end() == []


async def test_opaque_payloads(crossbar: CrossbarNode) -> None:
    async with Peer(crossbar) as a, Peer(crossbar) as b:
        b_protocol = await callee(b)
        b_protocol.subscribe("subscribed", TOPIC, "entry")
        assert (await b.next())[:2] == (DONE, "subscribed")
        for options, wire in (
            ({"ppt_scheme": "cryptobox"}, {"enc_algo": "cryptobox", "enc_serializer": "json"}),
            ({"ppt_scheme": "opaque"}, {"enc_algo": "x_opaque"}),
            ({"enc_algo": "mqtt", "ppt_keyid": "k"}, {"enc_algo": "mqtt", "enc_key": "k"}),
            (
                {"ppt_scheme": "x_own", "ppt_serializer": "x_own"},
                {"enc_algo": "x_own", "enc_serializer": "x_own"},
            ),
        ):
            a.protocol.call("call", PROCEDURE, b"call", None, options)
            kind, _, request, details, args, kwargs = await b.next()
            assert (kind, args, kwargs) == (INVOKED, b"call", None)
            assert wire.items() <= details.items()
            b_protocol.answer(request, b"result", None, options)
            kind, _, args, kwargs, details = await a.next()
            assert (kind, args, kwargs) == (ANSWERED, b"result", None)
            assert wire.items() <= details.items()
            a.protocol.call("call", PROCEDURE, b"call", None, options)
            b_protocol.fail((await b.next())[2], "com.error", b"error", None, options)
            kind, _, error = await a.next()
            assert (kind, error.error, error.args) == (FAILED, "com.error", (b"error",))
            assert wire.items() <= error.details.items()
            a.protocol.publish("published", TOPIC, b"event", None, options)
            assert (await a.next())[:2] == (DONE, "published")
            kind, _, _, details, args, kwargs = await b.next()
            assert (kind, args, kwargs) == (HAPPENED, b"event", None)
            assert wire.items() <= details.items()


async def test_what_crossbar_would_mistake_is_not_sent(crossbar: CrossbarNode) -> None:
    async with Peer(crossbar) as a:
        for options in ({"progress": True}, {"timeout": 5}):
            try:
                a.protocol.call("call", PROCEDURE, None, None, options)
            except LocalProtocolError as e:
                assert "does not announce" in str(e)
            else:
                raise AssertionError(options)
        a.protocol.call("call", "com.example.nobody")
        assert (await a.next())[2].error == "wamp.error.no_such_procedure"


async def test_sessions_one_after_another_on_one_connection(crossbar: CrossbarNode) -> None:
    async with Peer(crossbar) as a, Peer(crossbar) as b:
        b_protocol = await callee(b)
        sessions = set()
        for _ in range(3):
            sessions.add(a.protocol.session)
            assert a.protocol.call("call", PROCEDURE) == 1
            b_protocol.answer((await b.next())[2], [1])
            assert (await a.next())[:3] == (ANSWERED, "call", [1])
            a.protocol.leave()
            assert await a.next() == (ENDED, None)
            assert a.protocol.end() == []
            await a.join()
        assert len(sessions) == 3


async def test_registration_that_another_takes(crossbar: CrossbarNode) -> None:
    async with Peer(crossbar) as a, Peer(crossbar) as b:
        await callee(a)
        await callee(b, force_reregister=True)
        assert await a.next() == (REVOKED, ["entry"], "wamp.error.unregistered")
