"""Descriptors, ttys and ptys as serial ports on MicroPython's unix port. I/O edge."""

from errno import EAGAIN

from ._mpports import UartPort
from ._port import sleep_ms, writable
from .errors import ConfigurationError

# Descriptors that a parent process passed cannot be opened a second time: they are kept.
_descriptors = {}


def open_path(path):
    """A port for fd/N or /dev/NAME. Raises OSError or ConfigurationError."""
    if path.startswith("fd/") and path[3:].isdigit():
        fd = int(path[3:])
        if fd not in _descriptors:
            _descriptors[fd] = open(fd, "r+b")
        return StreamPort(_descriptors[fd])
    if path.startswith("/"):
        return StreamPort(_open_tty(path))
    raise ConfigurationError(
        "serial:%s is not a port here: serial:N (a UART), serial:fd/N or serial:/dev/NAME" % path
    )


def _open_tty(path):
    f = open(path, "r+b")
    try:
        import termios

        termios.setraw(f.fileno() if hasattr(f, "fileno") else f)
    except (ImportError, TypeError, OSError):
        return f  # whoever made the pty has set it up
    return f


class StreamPort(UartPort):
    """Around a stream that is readable and writable without blocking."""

    def __init__(self, s):
        self._start(s)
        self._ready = False

    async def read(self):
        self._ready = True
        return await super().read()

    def more(self):
        if not self._ready:
            return b""  # a descriptor that blocks must not be read before poll has said so
        self._ready = False
        n = self._s.readinto(self._buffer)
        if n == 0:
            raise OSError(5)
        return self._buffer[: n or 0]

    def write(self, octets):
        n = self._try(octets)
        if n < len(octets):
            self._rest = bytes(octets[n:])
        return self._rest

    def _try(self, octets):
        try:
            return self._s.write(octets) or 0
        except OSError as e:
            # What cannot be written now is lost like anything on a bad line: the link sends it
            # again when the line is back.
            return 0 if e.errno == EAGAIN else len(octets)

    async def drain(self):
        while self._rest:
            await writable(self._s)
            n = self._try(self._rest)
            self._rest = self._rest[n:]
            if self._rest and not n:
                await sleep_ms(5)

    async def reopen(self):
        await sleep_ms(200)
        return False
