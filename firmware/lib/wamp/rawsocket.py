"""RawSocket, the framing of WAMP on an octet stream (WAMP advanced profile, "RawSocket").

Pure: octets in, frames out. `Frames` is the framing, the same at every end. `RawSocket`, the
client's end with its handshake, stands with all that only the handshake needs in `handshake`; it
can be had from here too.
"""

from struct import pack

from .errors import LocalProtocolError, RemoteProtocolError, say

try:
    from micropython import const
except ImportError:  # CPython
    const = int

# A length of exactly 2^24 needs the X bit, which crossbar reads as something else (wamp-proto
# issue 507): one octet less is the most that every peer understands.
LENGTH_MAX = (1 << 24) - 1

_PONG = const(2)  # the highest frame type


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
            if kind > _PONG:
                raise say(RemoteProtocolError, "prefix", kind)
            if n > self.limit:
                raise say(RemoteProtocolError, "limit", n, self.limit)
            j = i + 4 + n
            if j > end:
                self._need = 4 + n
                break
            found.append((kind, bytes(data[i + 4 : j])))
            i = j
        if i < end:
            self._rest = bytearray(data[i:])
        return found

    def frame(self, payload, kind=0):
        """Prefix and payload as one octet string, to be written in one go. kind: frame type.

        Raises LocalProtocolError when the peer's limit does not allow it.
        """
        n = len(payload)
        if n > self.send_limit:
            raise say(LocalProtocolError, "long", n, self.send_limit)
        return pack(">I", kind << 24 | n) + payload

    def waiting(self):
        """Octets held of a frame that has not come whole; 0 between frames."""
        return len(self._rest)


def __getattr__(name):
    if name[0] == "_":
        raise AttributeError(name)  # what the interpreter looks for in modules
    from . import handshake

    found = globals()[name] = getattr(handshake, name)
    return found
