"""RawSocket, the framing of WAMP on an octet stream (WAMP advanced profile, "RawSocket").

Pure: octets in, frames out. `RawSocket` is the client's end, handshake included; `Frames` is the
framing alone, which the router's end and the bridge share.
"""

from struct import pack

from .errors import HandshakeRefused, LocalProtocolError, RemoteProtocolError

CBOR = 3  # serializer nibble of the handshake
MESSAGE = 0  # frame types
PING = 1
PONG = 2

# A length of exactly 2^24 needs the X bit, which crossbar reads as something else (wamp-proto
# issue 507): one octet less is the most that every peer understands.
LENGTH_MAX = (1 << 24) - 1

_REFUSALS = {
    1: "serializer unsupported",
    2: "maximum message length unacceptable",
    3: "use of reserved bits",
    4: "maximum connection count reached",
}


def exponent(length):
    """The handshake's LENGTH nibble for a receive limit of at least `length` octets.

    The nibble n stands for 2^(9+n) octets: 0 is 512 octets, 15 is 16 MiB.
    """
    n = 0
    while n < 15 and (512 << n) < length:
        n += 1
    return n


def request(length, serializer=CBOR):
    """The four octets a client sends first; `length` is its receive limit in octets."""
    return bytes((0x7F, exponent(length) << 4 | serializer, 0, 0))


def check_reply(reply, serializer=CBOR):
    """The router's receive limit in octets, from its four octets.

    Raises HandshakeRefused with the router's error code, or with what the octets look like.
    """
    if reply[0] != 0x7F:
        raise HandshakeRefused(
            "this is not a RawSocket router: %s; check host, port and scheme of the URL"
            % _looks_like(reply)
        )
    low = reply[1] & 15
    high = reply[1] >> 4
    if low == 0:
        raise HandshakeRefused(
            "the router refused the RawSocket handshake: %s (error %d)"
            % (_REFUSALS.get(high, "illegal or unknown error code"), high),
            high,
        )
    if low != serializer:
        raise HandshakeRefused(
            "the router answered with serializer %d, %d was asked for" % (low, serializer)
        )
    if reply[2] or reply[3]:
        raise HandshakeRefused("the router used reserved bits of the RawSocket handshake")
    return 512 << high if high < 15 else LENGTH_MAX


def _looks_like(octets):
    if octets[:4] == b"HTTP":
        return "it speaks HTTP"
    if octets[0] == 0x15 or octets[0] == 0x16:
        return "it speaks TLS (use rss:// instead of rs://)"
    return "it began with the octets %s" % " ".join(["%02x" % x for x in octets])


class Frames:
    """Framing in both directions.

    limit: most octets accepted in one frame (what we announced). send_limit: most octets the peer
    accepts, set once its handshake is known.
    """

    def __init__(self, limit, send_limit=LENGTH_MAX):
        self.limit = limit if limit < LENGTH_MAX else LENGTH_MAX
        self.send_limit = send_limit
        self._rest = b""  # a frame that has not come whole yet
        self._need = 4  # octets that must be there before another look pays

    def receive(self, data):
        """Take octets as they come; returns a list of (type, payload), payload as bytes.

        Raises RemoteProtocolError for reserved bits, an unknown frame type or a length over the
        limit, before anything is allocated for it. After that the stream is lost: RawSocket
        cannot find its way back.
        """
        if self._rest:
            # A bytearray grows in place, so a long frame that comes in many pieces is not copied
            # once per piece.
            self._rest += data
            if len(self._rest) < self._need:
                return ()
            data = bytes(self._rest)
            self._rest = b""
        found = []
        i = 0
        end = len(data)
        self._need = 4
        while end - i >= 4:
            kind = data[i]
            n = data[i + 1] << 16 | data[i + 2] << 8 | data[i + 3]
            if kind > PONG:
                raise RemoteProtocolError(
                    "RawSocket frame with reserved bits or unknown type: first octet 0x%02x" % kind
                )
            if n > self.limit:
                raise RemoteProtocolError(
                    "RawSocket frame of %d octets, over our limit of %d" % (n, self.limit)
                )
            j = i + 4 + n
            if j > end:
                self._need = 4 + n
                break
            found.append((kind, bytes(data[i + 4 : j])))
            i = j
        if i < end:
            self._rest = bytearray(data[i:])
        return found

    def frame(self, payload, kind=MESSAGE):
        """Prefix and payload as one octet string, to be written in one go.

        Raises LocalProtocolError when the peer's limit does not allow it.
        """
        n = len(payload)
        if n > self.send_limit:
            raise LocalProtocolError(
                "message of %d octets, the router accepts %d" % (n, self.send_limit)
            )
        return pack(">I", kind << 24 | n) + payload

    def waiting(self):
        """Octets held of a frame that has not come whole; 0 between frames."""
        return len(self._rest)


class RawSocket:
    """The client's end of one RawSocket connection.

    limit: receive limit in octets; the handshake can only say powers of two from 512 to 2^24, so
    the next higher one is announced and kept.
    """

    def __init__(self, limit=4096, serializer=CBOR):
        self._serializer = serializer
        self._reply = b""
        self._limit = 512 << exponent(limit)
        self.frames = None  # Frames, once the handshake is done

    def request(self):
        """The octets to send first; nothing may follow before the reply."""
        return request(self._limit, self._serializer)

    def receive(self, data):
        """Take octets as they come; returns a list of (type, payload).

        Raises HandshakeRefused for a reply that is no welcome, RemoteProtocolError as
        `Frames.receive` does. `frames` is set once the handshake is done, which octets that
        followed in the same piece need not wait for.
        """
        if self.frames is not None:
            return self.frames.receive(data)
        self._reply += data
        if len(self._reply) < 4:
            return ()
        data = self._reply
        self._reply = b""
        limit = check_reply(data[:4], self._serializer)
        self.frames = Frames(self._limit, limit)
        return self.frames.receive(data[4:])

    def ended(self):
        """What to say when the stream ended: the error to raise, by how far it had come."""
        if self.frames is None:
            if self._reply:
                return HandshakeRefused(
                    "the router closed the connection in the middle of the RawSocket handshake"
                )
            return HandshakeRefused(
                "the router closed the connection without a RawSocket reply: is CBOR enabled on "
                "that port, and is it a RawSocket port?"
            )
        return None
