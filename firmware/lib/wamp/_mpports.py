"""Serial ports on MicroPython: a UART of the board, or a descriptor on the unix port. I/O edge.

What a port is to the serial transport: `await read()` gives octets (possibly none; raises OSError
when the line is gone), `more` what came meanwhile, `write` takes all and keeps what does not fit,
`busy` says that it keeps some, `await drain()` waits for it, `await reopen()` tries once to get
the line back and says whether it did, `wake()` makes `read` return, `console` takes text that came
between frames.
"""

import sys
from asyncio import core
from errno import EAGAIN

from ._port import readable, sleep_ms, ticks, writable
from .errors import ConfigurationError

_READ = 512

# Descriptors that a parent process passed cannot be opened a second time: they are kept.
_descriptors = {}


async def open_port(path, options):
    """A port for the path of a serial: URL. Raises OSError or ConfigurationError."""
    if path.isdigit():
        return UartPort(int(path), options)
    if not path:
        from ._mpconsole import ConsolePort

        return ConsolePort()
    if path.startswith("fd/") and path[3:].isdigit():
        fd = int(path[3:])
        if fd not in _descriptors:
            _descriptors[fd] = open(fd, "r+b")
        return Port(_descriptors[fd])
    if path.startswith("/"):
        return Port(_open_tty(path))
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


class Port:
    """Around a stream that is readable and writable without blocking."""

    def __init__(self, s):
        self._s = s
        self._buffer = memoryview(bytearray(_READ))
        self._rest = b""
        self._reader = None

    async def read(self):
        self._reader = core.cur_task
        try:
            await readable(self._s)
        finally:
            self._reader = None
        n = self._readinto()
        if n == 0:
            raise OSError(5)
        return self._buffer[:n] if n else b""

    def _readinto(self):
        return self._s.readinto(self._buffer)

    def more(self):
        """What has come meanwhile, without waiting."""
        return b""

    def wake(self):
        task = self._reader
        if task is not None and task is not core.cur_task:
            self._reader = None
            core._io_queue.remove(task)
            core._task_queue.push(task)

    def write(self, octets):
        n = self._try(octets)
        if n < len(octets):
            self._rest = bytes(octets[n:])

    def _try(self, octets):
        try:
            return self._s.write(octets) or 0
        except OSError as e:
            # What cannot be written now is lost like anything on a bad line: the link sends it
            # again when the line is back.
            return 0 if e.errno == EAGAIN else len(octets)

    def busy(self):
        return bool(self._rest)

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

    def console(self, octets):
        """Text that came between frames: nobody on a device waits for it."""

    def close(self):
        self._rest = b""

    def release(self):
        """Nobody will open this port again."""


class UartPort(Port):
    """A hardware UART: neither reads nor writes make the interpreter wait.

    `UART.write` of more octets than its buffer has room for waits until the last one fits: 11 ms
    for a whole frame at 921600 baud, 90 at 115200, a second at 9600. MicroPython does not tell how
    much room there is, only (`txdone`) that everything has gone out. So octets count as waiting
    until that is so, and no more are written than fit beside them. A short pause on the line after
    each batch is the price: 1 ms in 22, measured. At slow rates a batch is what 40 ms take, so
    that an acknowledgement does not wait behind a whole buffer.
    """

    def __init__(self, number, options):
        from machine import UART, Pin

        if sys.platform == "esp32" and ("tx" not in options or "rx" not in options):
            raise ConfigurationError(
                "serial:%d needs tx and rx on an ESP32: the default pins of UART1 are the flash's"
                % number
            )
        pins = {}
        for name in ("tx", "rx"):
            if name in options:
                pins[name] = Pin(options[name])
        self._baud = options["baud"]
        txbuf = options.get("txbuf", 2048)
        self._uart = UART(
            number,
            self._baud,
            rxbuf=options.get("rxbuf", 4096),
            txbuf=txbuf,
            timeout=0,
            timeout_char=0,
            **pins,
        )
        self._batch = max(min(txbuf, self._baud // 250), 32)
        self._sent = 0  # octets written since the buffer was known to be empty
        self._since = 0  # when that was
        super().__init__(self._uart)

    def _readinto(self):
        n = self._uart.any()
        if not n:
            return None
        return self._uart.readinto(self._buffer[:n] if n < _READ else self._buffer)

    def more(self):
        n = self._readinto()
        return self._buffer[:n] if n else b""

    def _try(self, octets):
        uart = self._uart
        if self._sent and uart.txdone():
            self._sent = 0
        if not self._sent:
            self._since = ticks()
        n = self._batch - self._sent
        if n < len(octets):
            if n <= 0:
                return 0
            octets = memoryview(octets)[:n]
        n = uart.write(octets) or 0
        self._sent += n
        return n

    async def drain(self):
        while self._rest:
            # Ten bits an octet.
            ms = self._sent * 10000 // self._baud - ((ticks() - self._since) & 0x3FFFFFFF)
            await sleep_ms(max(ms, 1))
            n = self._try(self._rest)
            if n:
                self._rest = self._rest[n:]
