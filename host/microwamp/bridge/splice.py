"""What the bridge does to the RawSocket streams of one device: next to nothing, and that purely.

`Splice` takes the octets of both directions and says what goes on to which side. Payload passes
untouched and is never kept. The splice answers PING itself (crossbar's connection dies of one),
and it announces the largest receive limit to the router in the device's place, so that a message
that is too long for the device reaches the bridge: there the router gets an ERROR for an
INVOCATION, and the device one for a RESULT, where otherwise a caller would wait for ever.
"""

from collections.abc import Callable
from typing import Final

import cbor2

from wamp import messages, rawsocket
from wamp.errors import ApplicationError, RemoteProtocolError

# Octets of a message that are looked at: enough for type, request id and a realm's name.
PEEK: Final = 300
# Longest PING that is answered: it is kept until it is whole. Peers send 8 to 125 octets.
PING_MAX: Final = 4096

_NOT_KNOWN: Final = 1 << 24


class Splice:
    """Both directions of one device's connection to the router.

    `to_router` and `to_device` collect what is to be sent; the owner takes and clears them.
    on_message(from_device, code, head): called for HELLO, WELCOME, ABORT and GOODBYE, with the
    first octets of the message; for the log, and for realms that a configuration forbids.
    """

    def __init__(self, on_message: Callable[[bool, int, bytes], None]) -> None:
        self.to_router: list[bytes] = []
        self.to_device: list[bytes] = []
        self.dropped = 0  # messages too long for the device
        self._on_message = on_message
        self._device = _Direction(self, True)
        self._router = _Direction(self, False)
        self.device_limit = _NOT_KNOWN
        self.router_limit = _NOT_KNOWN

    def from_device(self, octets: bytes) -> None:
        """Take octets that came from the device. Raises RemoteProtocolError with the cause."""
        self._device.feed(octets)

    def from_router(self, octets: bytes) -> None:
        """Take octets that came from the router. Raises RemoteProtocolError with the cause."""
        self._router.feed(octets)

    def _handshake(self, from_device: bool, octets: bytes) -> None:
        if octets[0] != 0x7F:
            who = "the device" if from_device else "the router"
            raise RemoteProtocolError(f"{who} does not speak RawSocket: it began with {octets!r}")
        limit = min(512 << (octets[1] >> 4), rawsocket.LENGTH_MAX)
        if from_device:
            self.device_limit = limit
            self.to_router.append(bytes((0x7F, octets[1] | 0xF0, octets[2], octets[3])))
        else:
            self.router_limit = limit
            self.to_device.append(octets)

    def _too_long(self, from_device: bool, length: int, head: bytes) -> None:
        """Part of a message that its receiver would not take: make sure nobody waits for it."""
        if from_device:
            # The device knows the limit as well as we do.
            raise RemoteProtocolError(
                f"the device sent a message of {length} octets, the router takes "
                f"{self.router_limit}"
            )
        self.dropped += 1
        code, request = peek(head)
        text = f"a message of {length} octets, the device takes {self.device_limit}"
        if code == messages.INVOCATION and request:
            self.to_router.append(_error(messages.INVOCATION, request, text))
        elif code == messages.RESULT and request:
            self.to_device.append(_error(messages.CALL, request, text))

    def _pong(self, from_device: bool, payload: bytes) -> None:
        answer = len(payload).to_bytes(4, "big")
        answer = bytes((rawsocket.PONG,)) + answer[1:] + payload
        (self.to_device if from_device else self.to_router).append(answer)


class _Direction:
    """The frames of one direction, passed on as they come."""

    def __init__(self, splice: Splice, from_device: bool) -> None:
        self._splice = splice
        self._from_device = from_device
        self._open = False
        self._head = b""  # an incomplete handshake or prefix
        self._left = 0  # octets of the frame that are still to come
        self._pass = False  # whether they go on to the other side
        self._kept: bytearray | None = None  # beginning of a frame that is looked at
        self._keep = 0  # how many octets of it are wanted
        self._done: Callable[[bytes], None] = _nothing

    def feed(self, octets: bytes) -> None:
        splice = self._splice
        out = splice.to_router if self._from_device else splice.to_device
        i = 0
        end = len(octets)
        if not self._open:
            self._head += octets[:4]
            i = end
            if len(self._head) < 4:
                if self._head and self._head[0] != 0x7F:
                    splice._handshake(self._from_device, self._head)
                return
            # What followed the handshake in the same piece.
            extra = self._head[4:] + octets[4:]
            splice._handshake(self._from_device, self._head[:4])
            self._head = b""
            self._open = True
            self.feed(extra) if extra else None
            return
        while i < end:
            if not self._left:
                need = 4 - len(self._head)
                self._head += octets[i : i + need]
                i += need
                if len(self._head) < 4:
                    return
                self._begin(self._head, out)
                self._head = b""
                if not self._left:
                    self._finish()
                continue
            n = min(self._left, end - i)
            part = octets[i : i + n] if n < end else octets
            i += n
            self._left -= n
            if self._kept is not None:
                self._kept += part[: self._keep - len(self._kept)]
                if len(self._kept) >= self._keep or not self._left:
                    kept, self._kept = bytes(self._kept), None
                    self._done(kept)
            if self._pass:
                out.append(part)

    def _begin(self, prefix: bytes, out: list[bytes]) -> None:
        splice = self._splice
        kind = prefix[0]
        n = int.from_bytes(prefix[1:], "big")
        self._left = n
        self._pass = False
        self._kept = None
        if kind == rawsocket.MESSAGE:
            limit = splice.router_limit if self._from_device else splice.device_limit
            self._kept = bytearray()
            self._keep = PEEK
            if n > limit:
                self._done = lambda head: splice._too_long(self._from_device, n, head)
                return
            self._pass = True
            out.append(prefix)
            self._done = self._seen
        elif kind == rawsocket.PING:
            if n > PING_MAX:
                raise RemoteProtocolError(f"a PING of {n} octets; {PING_MAX} is the most here")
            self._kept = bytearray()
            self._keep = n
            self._done = lambda payload: splice._pong(self._from_device, payload)
        elif kind != rawsocket.PONG:
            who = "device" if self._from_device else "router"
            raise RemoteProtocolError(f"the {who} sent a frame with first octet 0x{kind:02x}")

    def _finish(self) -> None:
        """A frame without payload."""
        if self._kept is not None:
            self._kept = None
            self._done(b"")

    def _seen(self, head: bytes) -> None:
        # Only what opens and closes a session is reported; its code is in the second octet.
        if len(head) > 1 and head[1] <= messages.GOODBYE:
            self._splice._on_message(self._from_device, head[1], head)


def _nothing(_: bytes) -> None:
    return


def peek(head: bytes) -> tuple[int, int]:
    """(message code, request id) from the first octets of a CBOR message; zeros if unreadable."""
    numbers = []
    i = 1
    if not head or head[0] >> 5 != 4:
        return 0, 0
    while len(numbers) < 2 and i < len(head):
        first = head[i]
        if first < 24:
            numbers.append(first)
            i += 1
        elif first < 28:
            n = 1 << (first - 24)
            numbers.append(int.from_bytes(head[i + 1 : i + 1 + n], "big"))
            i += 1 + n
        else:
            break
    return (numbers + [0, 0])[0], (numbers + [0, 0])[1]


def realm_of(head: bytes) -> str:
    """The realm in the first octets of a HELLO, "" if it cannot be read."""
    if len(head) < 3 or head[2] >> 5 != 3:
        return ""
    n = head[2] & 31
    i = 3
    if n == 24 and len(head) > 3:
        n, i = head[3], 4
    elif n > 23:
        return ""
    return head[i : i + n].decode("utf-8", "replace") if len(head) >= i + n else ""


def _error(kind: int, request: int, text: str) -> bytes:
    payload = cbor2.dumps(
        [messages.ERROR, kind, request, {}, ApplicationError.PAYLOAD_SIZE_EXCEEDED, [text]]
    )
    return len(payload).to_bytes(4, "big") + payload
