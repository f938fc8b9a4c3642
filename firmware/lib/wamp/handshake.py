"""The RawSocket handshake (WAMP advanced profile, "RawSocket"): loaded for each connection."""

from .rawsocket import LENGTH_MAX, Frames

CBOR = 3  # serializer nibble of the handshake
MESSAGE = 0  # frame types
PING = 1
PONG = 2


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
    if reply[0] != 0x7F or reply[1] & 15 != serializer or reply[2] or reply[3]:
        from .words import refused

        raise refused(reply, serializer)
    high = reply[1] >> 4
    return 512 << high if high < 15 else LENGTH_MAX


class RawSocket:
    """The client's end of one RawSocket connection.

    limit: receive limit in octets; the handshake can only say powers of two from 512 to 2^24, so
    the next higher one is announced and kept. serializer: nibble of the handshake, 3 is CBOR.
    """

    def __init__(self, limit=4096, serializer=3):
        self._limit = limit
        self._serializer = serializer
        self._reply = b""
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
        if self.frames is None:
            self._reply += data
            if len(self._reply) < 4:
                return ()
            data = self._reply
            self._reply = b""
            limit = check_reply(data[:4], self._serializer)
            self.frames = Frames(512 << exponent(self._limit), limit)
            data = data[4:]
        return self.frames.receive(data)

    def ended(self):
        """What to say when the stream ended: the error to raise, by how far it had come."""
        if self.frames is None:
            from .words import unanswered

            return unanswered(len(self._reply) > 0)
        return None
