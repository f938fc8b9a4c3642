"""Transports: how the octets of RawSocket get to the router and back. Part of the I/O edge.

A transport is opened once and closed once; a client makes a new one for each connection:

    await open()        raises TransportError or ConfigurationError, in one sentence
    await read()        the next octets; b"" when the other side ended; raises TransportLost
    write(octets)       takes all or raises TransportLost; never blocks; returns the backlog
    backlog()           octets that wait to be written
    await drain()       until the backlog is small again
    await finish()      until the backlog is gone, or cannot be; bounded
    close()             at once; wakes who reads
    release()           no connection will follow
    private             whether nobody on the way can read along (TLS, or a Unix socket)
    alone               it is there once nobody answered on a line that is ours alone
"""

from ._port import MICROPYTHON

# A backlog above this stops `drain` from returning: what one frame of the default length takes.
BACKLOG_HIGH = 8192
# A backlog above this ends the transport: whoever does not read for so long is gone.
BACKLOG_MAX = 1 << 17 if MICROPYTHON else 1 << 25

_CHANNELS = ("memory", "serial", "tcp", "tls")  # types 2 to 5


class TransportDetails:
    """What carries a session (the seed's TransportDetails, as far as a device knows it).

    channel_type, channel_framing, channel_serializer: numbers of the enumerations; 3, 3, 3 is
    SERIAL, RAWSOCKET, CBOR. channel_typeid: such as "serial-rawsocket-cbor". peer: the URL.
    """

    def __init__(self, channel, peer):
        self.channel_type = _CHANNELS.index(channel) + 2
        self.channel_framing = self.channel_serializer = 3
        self.channel_typeid = channel + "-rawsocket-cbor"
        self.peer = peer


def make(url, **options):
    """The transport for a URL, not yet opened.

    rs://host:port, rs://unix:/path, rss://host:port (option ssl: certificates to trust as
    octets, DER or PEM, or an SSLContext), serial:PATH, serial:fd/N, serial:N (a UART of the board)
    with ?baud= and so on. Raises ConfigurationError.
    """
    from ._urls import transport

    return transport(url, options)


if not MICROPYTHON:
    from ._explain import explain as explain
