"""The other end of a machine's line without an event loop: link, RawSocket and a small router.

For benchmarks and fault cases in emulated time: it answers in no time, knows one realm, lets in
whoever signs, and keeps no state worth the name. The adapter between line and host gathers octets
for `latency_ms`, as a USB-serial adapter does.
"""

from __future__ import annotations

import random
from binascii import hexlify, unhexlify
from collections.abc import Callable
from typing import Any, Literal

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from wamp import messages as m
from wamp.cbor import decode, encode
from wamp.link import CLOSED, CONSOLE, OPENED, STREAM
from wamp.linkacceptor import Acceptor
from wamp.rawsocket import CBOR, MESSAGE, PING, PONG, Frames

from .machine import Machine

Message = list[Any]

_ROLES: dict[str, Any] = {
    "broker": {"features": {"publisher_identification": True}},
    "dealer": {"features": {"call_canceling": True, "progressive_call_results": True}},
}


class Peer:
    """Host and router at the other end of a machine's line.

    line: 0 or 1, a UART; "console", the USB console.
    on_message(message): asked first for every message of the board; True: it is dealt with.
    on_joined(): the board has its WELCOME. session: its id, 0 while there is none.
    welcomed_at, received: emulated ms of the last WELCOME, and all messages with their times.
    ids: of subscriptions and registrations, by URI.
    console: text that came between frames; on_console(octets) is told of each piece.
    """

    def __init__(
        self, machine: Machine, line: int | Literal["console"] = 0, latency_ms: float = 1.0
    ) -> None:
        self.machine = machine
        self._send: Callable[[bytes], None]
        if line == "console":
            self._send = machine.console.send
            machine.console.on_data = self._octets_came
        else:
            self._send = machine.uarts[line].send
            machine.uarts[line].on_tx = self._octet_came
        self.latency_ms = latency_ms
        self.link = Acceptor(16320, 1024, 10000, 16384, "peer")
        self.on_message: Callable[[Message], bool] | None = None
        self.on_joined: Callable[[], None] | None = None
        self.on_console: Callable[[bytes], None] | None = None
        self.received: list[tuple[float, Message]] = []
        self.console = bytearray()
        self.session = 0
        self.joins = 0
        self.welcomed_at = 0.0
        self.closed: list[tuple[int, str]] = []
        self._rng = random.Random(f"{machine.seed} peer")
        self._frames: Frames | None = None
        self._stream = b""
        self._unsent = bytearray()
        self._octets = bytearray()
        self._challenge = b""
        self._key = b""
        self.ids: dict[str, int] = {}
        self._ids = 0
        self._gathered = machine.clock.create_alarm(self._work)
        self._timer = machine.clock.create_alarm(self._tick)

    def start(self) -> None:
        """The port was opened: tells a board that waits for it."""
        self.link.announce(self._now())
        self._flush()

    def send(self, message: Message) -> None:
        """A message of the router's."""
        assert self._frames is not None
        self._write(self._frames.frame(encode(message)))

    def _now(self) -> int:
        return int(self.machine.ms)

    def _octet_came(self, octet: int) -> None:
        self._octets_came(bytes((octet,)))

    def _octets_came(self, octets: bytes) -> None:
        if not self._octets:
            self._gathered.schedule(round(self.latency_ms * 1e6))
        self._octets += octets

    def _work(self) -> None:
        octets, self._octets = bytes(self._octets), bytearray()
        self._handle(self.link.receive(octets, self._now()))

    def _tick(self) -> None:
        self._handle(self.link.tick(self._now()))

    def _handle(self, events: list[tuple[int, Any]]) -> None:
        for kind, value in events:
            if kind == STREAM:
                self._take(value)
            elif kind == OPENED:
                self._frames = None
                self._stream = b""
                self._unsent.clear()
                self.link.accept(self._rng.randrange(1, 1 << 32), 1767225600, self._now())
            elif kind == CLOSED:
                self.session = 0
                self.closed.append(value)
                self.machine.stop()
            elif kind == CONSOLE:
                self.console += value
                if self.on_console is not None:
                    self.on_console(value)
        self._flush()

    def _flush(self) -> None:
        del self._unsent[: self.link.send(bytes(self._unsent)) if self._unsent else 0]
        while (octets := self.link.output(self._now())) is not None:
            self._send(bytes(octets))
        wait = self.link.timeout(self._now())
        self._timer.cancel()
        if wait >= 0:
            self._timer.schedule((wait + 1) * 1_000_000)

    def _write(self, octets: bytes) -> None:
        self._unsent += octets
        self._flush()

    def _take(self, octets: bytes) -> None:
        if self._frames is None:
            self._stream += octets
            if len(self._stream) < 4:
                return
            octets, self._stream = self._stream[4:], self._stream[:4]
            self._frames = Frames(1 << 24, 512 << (self._stream[1] >> 4))
            self._write(bytes((0x7F, 15 << 4 | CBOR, 0, 0)))
        for kind, payload in self._frames.receive(octets):
            if kind == PING:
                self._write(self._frames.frame(payload, PONG))
            elif kind == MESSAGE:
                message = decode(payload)
                self.received.append((self.machine.ms, message))
                if self.on_message is None or not self.on_message(message):
                    self._answer(message)
                self.machine.stop()

    def _answer(self, message: Message) -> None:
        code = message[0]
        self._ids += 1
        if code == m.HELLO:
            self._key = unhexlify(message[2].get("authextra", {}).get("pubkey", ""))
            if not self._key:
                self._welcome("anonymous")
                return
            self._challenge = self._rng.randbytes(32)
            extra = {"challenge": hexlify(self._challenge).decode(), "channel_binding": None}
            self.send([m.CHALLENGE, "cryptosign", extra])
        elif code == m.AUTHENTICATE:
            try:
                VerifyKey(self._key).verify(self._challenge, unhexlify(message[1])[:64])
                self._welcome("cryptosign")
            except BadSignatureError:
                self.send([m.ABORT, {}, "wamp.error.authentication_failed"])
        elif code == m.SUBSCRIBE:
            self.ids[message[3]] = self._ids
            self.send([m.SUBSCRIBED, message[1], self._ids])
        elif code == m.REGISTER:
            self.ids[message[3]] = self._ids
            self.send([m.REGISTERED, message[1], self._ids])
        elif code == m.PUBLISH and message[2].get("acknowledge"):
            self.send([m.PUBLISHED, message[1], self._ids])
        elif code == m.CALL:
            self.send([m.RESULT, message[1], {}, *message[4:]])
        elif code == m.GOODBYE:
            self.send([m.GOODBYE, {}, "wamp.close.goodbye_and_out"])
            self.session = 0

    def _welcome(self, method: str) -> None:
        self.session = self._rng.randrange(1, 1 << 53)
        self.joins += 1
        self.welcomed_at = self.machine.ms
        details = {"roles": _ROLES, "authmethod": method, "authid": "board", "authrole": "device"}
        self.send([m.WELCOME, self.session, details])
        if self.on_joined is not None:
            self.on_joined()
        self.machine.stop()
