"""What the bridge does to the RawSocket streams of one device: next to nothing, and that purely.

`Splice` takes the octets of both directions and says what goes on to which side. Payload passes
untouched and is never kept. The splice answers PING itself (crossbar's connection dies of one),
and it announces the largest receive limit to the router in the device's place, so that a message
that is too long for the device reaches the bridge: there the router gets an ERROR for an
INVOCATION, and the device one for a RESULT or an ERROR, where otherwise a caller would wait for
ever. What the splice puts in of its own goes between two frames that pass, never into one.
"""

from collections.abc import Callable, Collection
from typing import Any, Final

import cbor2

from wamp import messages, rawsocket
from wamp.errors import ApplicationError, RemoteProtocolError

# Octets of a message that are looked at: enough for type, request id and a realm's name.
PEEK: Final = 300
# Longest PING that is answered: it is kept until it is whole. Peers send 8 to 125 octets.
PING_MAX: Final = 4096
# Octets of our own that may wait for the end of a frame: 16 of the longest PONGs, or some hundred
# ERRORs. Who causes more while one message passes means harm.
OWN_MAX: Final = 65536

# Octets of a message that a trace gets; of a longer one it is told the length.
TRACE_MAX: Final = 65536

_CBOR: Final = 3  # the serializer, in the handshake
_NOT_KNOWN: Final = 1 << 24
# What is done with a frame, besides passing it on or not
_NOTHING: Final = 0
_SEEN: Final = 1  # a message that passes
_TOO_LONG: Final = 2
_PING: Final = 3
# What is reported: the message types that begin and end a session.
_REPORTED: Final = (messages.HELLO, messages.WELCOME, messages.ABORT, messages.GOODBYE)


# (from the device, kind of frame, length, its first octets up to TRACE_MAX)
Tap = Callable[[bool, int, int, bytes], None]


class Forbidden(RemoteProtocolError):
    """The device wanted what its configuration does not allow; it has its ABORT."""


class Splice:
    """Both directions of one device's connection to the router.

    `to_router` and `to_device` collect what is to be sent; the owner takes and clears them.
    on_message(from_device, code, head): called for HELLO, WELCOME, ABORT and GOODBYE, with the
    first octets of the message; for the log. realms: those that the device may ask for, all if
    empty. longest: octets of a message, either way. tap: called with every frame that passes, for
    a trace; None, and nothing is kept.
    """

    def __init__(
        self,
        on_message: Callable[[bool, int, bytes], None],
        realms: Collection[str] = (),
        longest: int = rawsocket.LENGTH_MAX,
    ) -> None:
        self.to_router: list[bytes] = []
        self.to_device: list[bytes] = []
        self.dropped = 0  # messages too long for the device
        self.answered = 0  # PINGs
        self.realms = frozenset(realms)
        self.tap: Tap | None = None
        self._on_message = on_message
        # As the handshake can say it: 512 octets, doubled up to 15 times.
        self._longest = 15 if longest >= rawsocket.LENGTH_MAX else longest.bit_length() - 10
        self._device = _Direction(self, True)
        self._router = _Direction(self, False)
        self.device_limit = _NOT_KNOWN
        self.router_limit = _NOT_KNOWN

    @property
    def messages(self) -> tuple[int, int]:
        """Messages that have begun to pass: from the device, from the router."""
        return self._device.messages, self._router.messages

    @property
    def between(self) -> bool:
        """Whether the device is between two of its messages."""
        return not self._device.left

    def state(self) -> dict[str, Any]:
        """All that a successor in another process needs, as plain data."""
        return {
            "device": self._device.state(),
            "router": self._router.state(),
            "limits": [self.device_limit, self.router_limit, self._longest],
            "counted": [self.dropped, self.answered],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where the splice that gave this `state` ended."""
        self._device.restore(state["device"])
        self._router.restore(state["router"])
        self.device_limit, self.router_limit, self._longest = state["limits"]
        self.dropped, self.answered = state["counted"]

    @property
    def asked(self) -> bool:
        """Whether the device has begun the RawSocket handshake."""
        return self._device.opened

    @property
    def opened(self) -> bool:
        """Whether the router has answered the RawSocket handshake."""
        return self._router.opened

    def from_device(self, octets: bytes) -> None:
        """Take octets that came from the device. Raises RemoteProtocolError with the cause."""
        self._device.feed(octets)

    def from_router(self, octets: bytes) -> None:
        """Take octets that came from the router. Raises RemoteProtocolError with the cause, or
        HandshakeRefused if it is no router, or one that refuses (the device is told too)."""
        self._router.feed(octets)

    def _handshake(self, from_device: bool, octets: bytes) -> None:
        if octets[0] != 0x7F:
            if not from_device:
                rawsocket.check_reply(octets)  # raises, and says what it looks like
            raise RemoteProtocolError(
                f"the device does not speak RawSocket: it began with {octets!r}"
            )
        size = min(octets[1] >> 4, self._longest)
        limit = min(512 << size, rawsocket.LENGTH_MAX)
        if from_device:
            if self.realms and octets[1] & 15 != _CBOR:
                # In what cannot be read there may be any realm.
                self.to_device.append(b"\x7f\x10\x00\x00")
                raise Forbidden("the device's realms are limited, and it does not speak CBOR")
            self.device_limit = limit
            self.to_router.append(bytes((0x7F, octets[1] | 0xF0, octets[2], octets[3])))
        elif not octets[1] & 15:
            self.to_device.append(octets)
            rawsocket.check_reply(octets)  # raises, with the router's reason
        else:
            self.to_device.append(bytes((0x7F, size << 4 | octets[1] & 15, octets[2], octets[3])))
            self.router_limit = limit

    def _too_long(self, length: int, head: bytes) -> None:
        """Part of a message that the device would not take: make sure nobody waits for it."""
        text = f"a message of {length} octets, the device takes {self.device_limit}"
        code, request, request2 = peek(head)
        if code == messages.INVOCATION and request:
            self._device.insert(_error(messages.INVOCATION, request, text))
        elif code == messages.RESULT and request:
            self._router.insert(_error(messages.CALL, request, text))
        elif code == messages.ERROR and request and request2:
            self._router.insert(_error(request, request2, text))
        elif code != messages.EVENT:
            # WELCOME or CHALLENGE, say: without it the device would wait in vain.
            raise RemoteProtocolError(f"the router sent {text} (code {code})")
        self.dropped += 1

    def _allow(self, code: int, head: bytes) -> None:
        """Raise Forbidden, with an ABORT for the device, if a message of its may not pass."""
        if code == messages.HELLO:
            realm = realm_of(head)
            if realm in self.realms:
                return
            text = f"the bridge does not let this device into the realm {realm!r}"
        elif code:
            return
        else:
            # What cannot be read might be a HELLO in disguise.
            text = "a message whose type the bridge cannot read"
        abort = cbor2.dumps(
            [messages.ABORT, {"message": text}, ApplicationError.NO_SUCH_REALM]
            if code
            else [messages.ABORT, {"message": text}, ApplicationError.PROTOCOL_VIOLATION]
        )
        self._router.insert(len(abort).to_bytes(4, "big") + abort)
        raise Forbidden(text)

    def _pong(self, from_device: bool, payload: bytes) -> None:
        self.answered += 1
        answer = len(payload).to_bytes(4, "big")
        answer = bytes((rawsocket.PONG,)) + answer[1:] + payload
        (self._router if from_device else self._device).insert(answer)


class _Direction:
    """The frames of one direction, passed on as they come. All that lasts from one call to the
    next is plain data (`state`)."""

    def __init__(self, splice: Splice, from_device: bool) -> None:
        self._splice = splice
        self._from_device = from_device
        self.opened = False  # the handshake has passed
        self.messages = 0
        self.left = 0  # octets of the frame that are still to come
        self._head = b""  # an incomplete handshake or prefix
        self._length = 0  # of the frame
        self._pass = False  # whether it goes on to the other side
        self._held = b""  # octets of it that wait until it is known whether they may pass
        self._what = _NOTHING  # is to be done with its beginning
        self._kept: bytearray | None = None  # that beginning
        self._keep = 0  # how many octets of it are wanted
        self._own: list[bytes] = []  # of our own, to be sent between two frames
        self._own_octets = 0
        self._trace: bytearray | None = None  # the frame so far, while somebody looks

    _LASTING = (
        "opened", "messages", "left", "_head", "_length", "_pass", "_held", "_what", "_keep",
        "_own", "_own_octets",
    )  # fmt: skip

    def state(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in self._LASTING}
        return {**found, "_kept": None if self._kept is None else bytes(self._kept)}

    def restore(self, state: dict[str, Any]) -> None:
        for name in self._LASTING:
            setattr(self, name, state[name])
        kept = state["_kept"]
        self._kept = None if kept is None else bytearray(kept)

    def insert(self, octets: bytes) -> None:
        """Send a frame of our own the way this direction goes, as soon as none is passing."""
        if self._splice.tap is not None:
            self._splice.tap(self._from_device, octets[0], len(octets) - 4, octets[4:])
        if self.opened and not (self._pass and self.left):
            self._out().append(octets)
            return
        self._own.append(octets)
        self._own_octets += len(octets)
        if self._own_octets > OWN_MAX:
            raise RemoteProtocolError(
                "too many PINGs, or messages that are too long, while one message passes"
            )

    def _out(self) -> list[bytes]:
        return self._splice.to_router if self._from_device else self._splice.to_device

    def _between(self) -> None:
        """A frame has passed: now what waits for that."""
        if self._own:
            self._out().extend(self._own)
            self._own.clear()
            self._own_octets = 0

    def feed(self, octets: bytes) -> None:
        if not self.opened:
            octets = self._open(octets)
        out = self._out()
        if not (self.left or self._head) and self._plain(octets):
            self.messages += 1
            out.append(octets)
            return
        i = 0
        end = len(octets)
        while i < end:
            if not self.left:
                need = 4 - len(self._head)
                self._head += octets[i : i + need]
                i += need
                if len(self._head) < 4:
                    return
                head, self._head = self._head, b""
                self._begin(head, out)
                if not self.left:
                    self._end(out)
                continue
            n = min(self.left, end - i)
            part = octets[i : i + n] if n < end else octets
            i += n
            self.left -= n
            if self._trace is not None:
                self._trace += part[: TRACE_MAX - len(self._trace)]
            if self._kept is not None:
                self._kept += part[: self._keep - len(self._kept)]
                if len(self._kept) >= self._keep or not self.left:
                    self._known(out)
            if self._held:
                self._held += part
            elif self._pass:
                out.append(part)
            if not self.left:
                self._end(out)

    def _plain(self, octets: bytes) -> bool:
        """Whether these are one whole message to which nothing is to be done: the usual case. It
        has no elements with long heads, and its type is readable and none that is reported."""
        n = len(octets) - 4
        splice = self._splice
        return (
            2 < n <= (splice.router_limit if self._from_device else splice.device_limit)
            and int.from_bytes(octets[:4], "big") == n  # with 0 for a message in front
            and 0x81 < octets[4] < 0x98
            and (messages.GOODBYE < octets[5] < 24 or (octets[5] == 24 and octets[6] > 23))
            and splice.tap is None
        )

    def _open(self, octets: bytes) -> bytes:
        """Take the handshake; returns what followed it in the same piece."""
        begin = self._head + octets
        # What is no router is named by four octets, what is no device by one.
        if len(begin) < 4 and (begin[:1] in b"\x7f" or not self._from_device):
            self._head = begin
            return b""
        self._head = b""
        self._splice._handshake(self._from_device, begin[:4])
        self.opened = True
        self._between()
        return begin[4:]

    def _begin(self, prefix: bytes, out: list[bytes]) -> None:
        splice = self._splice
        kind = prefix[0]
        n = int.from_bytes(prefix[1:], "big")
        self.left = self._length = n
        self._pass = False
        self._kept = None
        self._what = _NOTHING
        if kind == rawsocket.MESSAGE:
            limit = splice.router_limit if self._from_device else splice.device_limit
            self.messages += 1
            self._kept = bytearray()
            self._keep = PEEK
            if n > limit:
                if self._from_device:
                    # The device knows the limit as well as we do.
                    raise RemoteProtocolError(
                        f"the device sent a message of {n} octets, {limit} are allowed"
                    )
                self._what = _TOO_LONG
            else:
                self._what = _SEEN
                self._pass = True
                if self._from_device and splice.realms:
                    self._held = prefix
                else:
                    out.append(prefix)
        elif kind == rawsocket.PING:
            if n > PING_MAX:
                raise RemoteProtocolError(f"a PING of {n} octets; {PING_MAX} is the most here")
            self._kept = bytearray()
            self._keep = n
            self._what = _PING
        elif kind != rawsocket.PONG:
            who = "device" if self._from_device else "router"
            raise RemoteProtocolError(f"the {who} sent a frame with first octet 0x{kind:02x}")
        self._trace = None if splice.tap is None else bytearray(prefix)

    def _known(self, out: list[bytes]) -> None:
        """What there is to know about a frame is there: do what is to be done."""
        splice = self._splice
        head, self._kept = bytes(self._kept or b""), None
        what, self._what = self._what, _NOTHING
        if what == _SEEN:
            code = peek(head)[0]
            if self._from_device and splice.realms:
                splice._allow(code, head)
            # Realms may have been limited, or set free, since the message began.
            if self._held:
                out.append(self._held)
                self._held = b""
            if code in _REPORTED:
                splice._on_message(self._from_device, code, head)
        elif what == _TOO_LONG:
            splice._too_long(self._length, head)
        elif what == _PING:
            splice._pong(self._from_device, head)

    def _end(self, out: list[bytes]) -> None:
        """The last octet of a frame has passed."""
        if self._kept is not None:
            self._known(out)  # one without payload
        trace, self._trace = self._trace, None
        tap = self._splice.tap
        if trace is not None and tap is not None:
            tap(self._from_device, trace[0], self._length, bytes(trace[4:]))
        if self._pass:
            self._between()


def peek(head: bytes) -> tuple[int, int, int]:
    """The numbers that a CBOR message begins with: code, then request id, or the request's type
    and id of an ERROR. From the first element on that is no number, or not all there: zeros."""
    numbers = [0, 0, 0]
    at = _elements(head)
    for n in range(3):
        item = _item(head, at) if at else None
        if item is None or item[0] != 0:
            break
        numbers[n], at = item[1:]
    return numbers[0], numbers[1], numbers[2]


def realm_of(head: bytes) -> str:
    """The realm in the first octets of a HELLO, "" if it cannot be read."""
    at = _elements(head)
    item = _item(head, at) if at else None
    text = _item(head, item[2]) if item else None
    if text is None or text[0] != 3 or len(head) < text[2] + text[1]:
        return ""
    return head[text[2] : text[2] + text[1]].decode("utf-8", "replace")


def _elements(head: bytes) -> int:
    """Where the first element of a CBOR array stands; 0 if it is none."""
    if head[:1] == b"\x9f":
        return 1
    item = _item(head, 0)
    return item[2] if item and item[0] == 4 else 0


def _item(octets: bytes, at: int) -> tuple[int, int, int] | None:
    """(major type, number, where its head ends) of the CBOR item at `at`; None where that is not
    all there, or the length is indefinite (RFC 8949, section 3)."""
    if at >= len(octets):
        return None
    first = octets[at]
    number = first & 31
    at += 1
    if number >= 24:
        n = 1 << (number - 24)
        if number > 27 or len(octets) < at + n:
            return None
        number = int.from_bytes(octets[at : at + n], "big")
        at += n
    return first >> 5, number, at


def _error(kind: int, request: int, text: str) -> bytes:
    payload = cbor2.dumps(
        [messages.ERROR, kind, request, {}, ApplicationError.PAYLOAD_SIZE_EXCEEDED, [text]]
    )
    return len(payload).to_bytes(4, "big") + payload
