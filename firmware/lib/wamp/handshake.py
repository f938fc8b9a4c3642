"""The RawSocket handshake (WAMP advanced profile, "RawSocket"): loaded for each connection."""

from .rawsocket import LENGTH_MAX

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
