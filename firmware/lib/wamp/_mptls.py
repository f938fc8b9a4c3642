"""RawSocket over TLS on MicroPython; loaded for rss:// only. Part of the I/O edge.

The handshake is part of the first reads and writes: so the device goes on between its steps.
"""

from . import _mpstream
from ._tls import context
from .errors import TransportError


class StreamTransport(_mpstream.StreamTransport):
    """See `transport`. ssl: the certificate to trust as octets, or an SSLContext that verifies."""

    _below = None  # the socket: after a failed handshake the TLS above does not close it
    _heard = False  # whether anything came that was said in private

    async def open(self):
        """Connect. The name look-up blocks the device."""
        made = context(self._ssl)
        await _mpstream.StreamTransport.open(self)
        self._below = self._s
        try:
            self._s = made.wrap_socket(
                self._below, server_hostname=self._where[1], do_handshake_on_connect=False
            )
        except (OSError, ValueError) as e:
            self._raise(TransportError, e)

    async def read(self):
        """What is there; b"" at the end."""
        octets = await _mpstream.StreamTransport.read(self)
        self._heard = self._heard or bool(octets)
        return octets

    def _raise(self, kind, error):
        if self._error is None:
            self._error = error
        _mpstream.StreamTransport._raise(self, kind if self._heard else TransportError, error)

    def _try(self, octets):
        # What the socket did not take is encrypted already, and must come again as it was: TLS
        # then says of all it is given that it was taken.
        n = _mpstream.StreamTransport._try(self, octets)
        self._part = len(octets) - n or 1024
        return n

    def close(self):
        """Close at once, as the transports below."""
        _mpstream.StreamTransport.close(self)
        if self._below is not None:
            self._below.close()
            self._below = None
