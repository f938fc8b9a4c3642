"""Serial ports on CPython: a tty, a pty, a descriptor or a pyserial URL. Part of the I/O edge.

The same interface as `_mpports` (see there). A tty's descriptor is driven by the event loop; URLs
of pyserial that have none (rfc2217://, socket://) by two threads.
"""

import asyncio
import fcntl
import os
import termios
import threading

from .errors import ConfigurationError

_READ = 65536
_PIECE = 8192
# Octets kept when the line takes no more: one window of the link and some.
_REST_MAX = 1 << 16


async def open_port(path, options):
    """A port for the path of a serial: URL. Raises OSError or ConfigurationError.

    options: baud; optional: dtr, rts, hupcl (True or False; as the system has them if absent or
    None), fd (a descriptor of the same tty, open and locked, that another process handed over).
    """
    if path.startswith("fd/") and path[3:].isdigit():
        port = DescriptorPort(path, options)
    elif "://" in path:
        port = ThreadPort(path, options)
    else:
        port = TtyPort(path, options)
    await port.open()
    return port


class Port:
    """What the ports have in common."""

    on_console = None  # called with octets that came between frames

    def __init__(self, path, options):
        self.path = path
        self._options = options
        self._rest = b""
        self._event = asyncio.Event()
        self._woken = False

    def busy(self):
        """Whether octets wait because the line took no more."""
        return bool(self._rest)

    def listen(self, on_octets, on_lost):
        """From now on on_octets(octets) is called with what comes, instead of `read`, and
        on_lost(OSError) once when the line has hung up."""
        self._on_octets = on_octets
        self._on_lost = on_lost

    def pause(self):
        """Nothing more is read from the line, after `listen`."""

    def resume(self):
        """The end of `pause`."""

    def fileno(self):
        """The descriptor, or -1 if there is none to hand over."""
        return -1

    def wake(self):
        """Make `read` return."""
        self._woken = True
        self._event.set()

    def more(self):
        """What has come meanwhile, without waiting: `read` takes all there is."""
        return b""

    def console(self, octets):
        """Text that came between frames."""
        if self.on_console is not None:
            self.on_console(octets)

    async def reopen(self):
        """Try once to get the line back, after 0.2 s; says whether it is there."""
        self.close()
        await asyncio.sleep(0.2)
        try:
            await self.open()
        except OSError:
            return False
        return True


class DescriptorPort(Port):
    """A descriptor that the parent process opened; it is duplicated, and stays open."""

    _fd = -1
    _on_octets = None

    async def open(self):
        self._start(os.dup(int(self.path[3:])))

    def _start(self, fd):
        self._fd = fd
        os.set_blocking(fd, False)
        self._loop = asyncio.get_running_loop()
        self._drained = asyncio.Event()
        self._loop.add_reader(fd, self._event.set)

    async def read(self):
        """What is there. Raises OSError when the line has hung up."""
        while True:
            if self._fd < 0:
                raise OSError(5, "closed")
            try:
                octets = os.read(self._fd, _READ)
                if not octets:
                    raise OSError(5, "the line has hung up")
                return octets
            except BlockingIOError:
                self._event.clear()
                await self._event.wait()
            if self._woken:
                self._woken = False
                return b""

    def listen(self, on_octets, on_lost):
        super().listen(on_octets, on_lost)
        self.resume()

    def pause(self):
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)

    def resume(self):
        if self._fd >= 0 and self._on_octets is not None:
            self._loop.add_reader(self._fd, self._readable)

    def _readable(self):
        # A piece at a time: whoever sends without end must not keep the others waiting.
        try:
            octets = os.read(self._fd, _PIECE)
            if not octets:
                raise OSError(5, "the line has hung up")
        except BlockingIOError:
            return
        except OSError as e:
            self.pause()
            self._on_lost(e)
            return
        self._on_octets(octets)

    def fileno(self):
        return self._fd

    def write(self, octets):
        """Write what the line takes, keep the rest, and say whether there is one; what a broken
        line loses, the link repeats."""
        if self._fd < 0 or len(self._rest) > _REST_MAX:
            return False
        if not self._rest:
            n = self._try(octets)
            if n == len(octets):
                return False
            octets = octets[n:]
            self._loop.add_writer(self._fd, self._writable)
            self._drained.clear()
        self._rest += bytes(octets)
        return True

    def _try(self, octets):
        try:
            return os.write(self._fd, octets)
        except BlockingIOError:
            return 0
        except OSError:
            return len(octets)

    def _writable(self):
        self._rest = self._rest[self._try(self._rest) :]
        if not self._rest:
            self._loop.remove_writer(self._fd)
            self._drained.set()

    async def drain(self):
        """Until nothing waits."""
        while self._rest and self._fd >= 0:
            await self._drained.wait()

    def close(self):
        """Close at once."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._close_fd()
            self._fd = -1
        self._rest = b""
        self._drained.set()
        self._event.set()

    def _close_fd(self):
        os.close(self._fd)


class TtyPort(DescriptorPort):
    """A tty or pty, set up and locked by pyserial."""

    _serial = None

    async def open(self):
        fd = self._options.get("fd")
        if fd is None:
            fd = self._open()
        self._start(fd)

    def _open(self):
        serial = _pyserial()
        options = self._options
        port = serial.Serial()
        port.port = self.path
        port.timeout = port.write_timeout = 0
        port.exclusive = True
        if options.get("dtr") is not None:
            port.dtr = bool(options["dtr"])
        if options.get("rts") is not None:
            port.rts = bool(options["rts"])
        try:
            port.baudrate = options["baud"]
            port.open()
        except serial.SerialException as e:
            raise _as_os_error(e)
        except ValueError as e:
            raise ConfigurationError("port %s: %s" % (self.path, e))
        self._serial = port
        fd = port.fileno()
        try:
            settings = termios.tcgetattr(fd)
            # pyserial asks for VMIN 0, with which "nothing there" and "hung up" read the same.
            settings[6][termios.VMIN] = 1
            if options.get("hupcl") is not None:
                settings[2] &= ~termios.HUPCL
                if options["hupcl"]:
                    settings[2] |= termios.HUPCL
            termios.tcsetattr(fd, termios.TCSANOW, settings)
            exclusive(fd, self.path)
        except (OSError, termios.error) as e:
            port.close()  # it went away at once
            raise OSError(5, str(e))
        return fd

    def _close_fd(self):
        try:
            fcntl.ioctl(self._fd, termios.TIOCNXCL)
        except OSError:
            pass  # it has hung up
        if self._serial is None:
            os.close(self._fd)
        else:
            self._serial.close()


def exclusive(fd, path):
    """Let nobody else open the tty, whether or not he asks for a lock (root may, as ever).

    Not on a pty: there the mark would outlive a process that was killed, for as long as somebody
    has its other end.
    """
    if not os.path.realpath(path).startswith("/dev/pts/"):
        fcntl.ioctl(fd, termios.TIOCEXCL)


class ThreadPort(Port):
    """A pyserial URL without a descriptor: one thread reads, one writes."""

    _serial = None
    _on_octets = _on_lost = None

    async def open(self):
        serial = _pyserial()
        self._loop = asyncio.get_running_loop()
        try:
            self._serial = await self._loop.run_in_executor(
                None, lambda: serial.serial_for_url(self.path, self._options["baud"], timeout=0.2)
            )
        except serial.SerialException as e:
            raise _as_os_error(e)
        except ValueError as e:
            raise ConfigurationError("port %s: %s" % (self.path, e))
        self._found = []
        self._error = None
        self._drained = asyncio.Event()
        self._wanted = threading.Event()
        self._reading = threading.Event()
        self._reading.set()
        self._lock = threading.Lock()
        self._start(self._read_thread, self._serial)
        self._writer = self._start(self._write_thread, self._serial)

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        thread.start()
        return thread

    def _read_thread(self, port):
        try:
            while port is self._serial:
                if not self._reading.wait(0.2):
                    continue
                octets = port.read(1)
                # socket:// only tells that something is there: so until there is nothing.
                while octets and len(octets) < _PIECE and port.in_waiting:
                    octets += port.read(min(port.in_waiting, _PIECE))
                if octets:
                    self._call(self._arrived, port, octets)
        except Exception as e:  # pyserial's handlers raise many types when the other side goes
            self._call(self._failed, port, e)

    def _write_thread(self, port):
        try:
            while port is self._serial:
                self._wanted.wait(0.2)
                self._wanted.clear()
                with self._lock:
                    octets, self._rest = self._rest, b""
                if octets:
                    port.write(octets)
                    self._call(self._drained.set)
        except Exception as e:
            self._call(self._failed, port, e)

    def _close_thread(self, port, writer, octets):
        # Not in the event loop: closing a socket:// takes 0.3 s.
        writer.join(1.0)
        try:
            if octets:
                port.write(octets)
            port.close()
        except Exception:
            return  # it is gone, one way or the other

    def _call(self, function, *args):
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            return  # the loop has ended first

    def _arrived(self, port, octets):
        if port is self._serial:
            if self._on_octets is not None:
                self._on_octets(octets)
                return
            self._found.append(octets)
            self._event.set()

    def _failed(self, port, error):
        if port is self._serial:
            self._error = error
            self._event.set()
            self._drained.set()
            if self._on_lost is not None:
                self._on_lost(OSError(5, str(error)))

    def listen(self, on_octets, on_lost):
        super().listen(on_octets, on_lost)
        found, self._found = self._found, []
        for octets in found:
            on_octets(octets)

    def pause(self):
        self._reading.clear()

    def resume(self):
        self._reading.set()

    async def read(self):
        """What is there. Raises OSError when the other side is gone."""
        while not self._found:
            if self._error is not None or self._serial is None:
                raise OSError(5, str(self._error or "closed"))
            if self._woken:
                self._woken = False
                return b""
            self._event.clear()
            await self._event.wait()
        octets = b"".join(self._found)
        self._found = []
        return octets

    def write(self, octets):
        """Hand over to the writing thread."""
        if self._serial is not None and len(self._rest) < _REST_MAX:
            with self._lock:
                self._rest += bytes(octets)
            self._drained.clear()
            self._wanted.set()
        return self.busy()

    async def drain(self):
        """Until nothing waits."""
        while self._rest and self._serial is not None and self._error is None:
            await self._drained.wait()

    def busy(self):
        """Whether more waits than the line takes soon."""
        return len(self._rest) > 4096

    def close(self):
        """Close; what was written is still sent if the other side takes it."""
        port, self._serial = self._serial, None
        if port is not None:
            with self._lock:
                octets, self._rest = self._rest, b""
            self._wanted.set()
            self._start(self._close_thread, port, self._writer, octets)
            self._drained.set()
            self._event.set()


def _pyserial():
    try:
        import serial
    except ImportError:
        raise ConfigurationError("serial ports on a host need pyserial: pip install pyserial")
    return serial


def _as_os_error(error):
    """pyserial's SerialException as an OSError with the cause's number."""
    text = str(error)
    if "exclusively lock" in text:
        return OSError(16, "it is in use by another program")
    return OSError(error.errno or 5, text)
