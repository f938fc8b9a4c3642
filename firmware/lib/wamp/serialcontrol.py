"""How a serial transport begins and ends. Part of the I/O edge.

Functions on a `serial.SerialTransport`, apart from what runs with every message.
"""

import asyncio
import sys

from ._port import MICROPYTHON, random32, ticks, wait_for
from .errors import ConfigurationError, LocalProtocolError, TransportError, TransportLost
from .link import Link, diff
from .linkcontrol import resume
from .transport import BACKLOG_MAX

OPEN_MS = 10000
_INTEGERS = ("baud", "tx", "rx", "window", "fragment", "lost_ms", "rxbuf", "txbuf")
_VERSION = "microwamp 0.1.0"


def parse(url):
    """(path, options) of a serial: URL; raises ConfigurationError."""
    path, _, query = url[7:].partition("?")
    options = {"baud": 115200}
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        if name not in _INTEGERS or not value.isdigit():
            raise ConfigurationError(
                "URL %s: %s is not one of %s with a number" % (url, pair, ", ".join(_INTEGERS))
            )
        options[name] = int(value)
    if not path and not MICROPYTHON:
        raise ConfigurationError(
            "URL %s: a port is missing, as in serial:/dev/ttyACM0 or serial:0?tx=0&rx=1" % url
        )
    if not 300 <= options["baud"] <= 12000000:
        raise ConfigurationError("URL %s: baud must be 300 to 12000000" % url)
    if path.isdigit() and sys.platform == "esp32" and ("tx" not in options or "rx" not in options):
        raise ConfigurationError(
            "URL %s: an ESP32 needs tx and rx, as in serial:1?tx=17&rx=16: the default pins of "
            "UART1 are the flash's" % url
        )
    return path, options


async def open_port(url, path, options):
    """The port object for a path: see _mpports and _posixport for what a port is."""
    try:
        if not MICROPYTHON:
            from ._posixport import open_port

            return await open_port(path, options)
        if path.isdigit():
            from ._mpports import UartPort

            return UartPort(int(path), options)
        if not path:
            from ._mpconsole import ConsolePort

            return ConsolePort()
        from ._mpdescriptor import open_path

        return open_path(path)
    except OSError as e:
        from ._explain import explain

        raise TransportError("%s: %s" % (url, explain(e)))
    except (ValueError, ImportError) as e:  # no such UART, or not on these pins
        raise ConfigurationError("URL %s: %s" % (url, e))


async def begin(transport):
    """Open the port and connect; raises TransportError after 10 s without an answer."""
    options = transport.options
    url = transport.url
    try:
        transport._link = link = Link(
            options.get("window", 4096),
            options.get("fragment", 1024),
            options.get("lost_ms", 10000),
            BACKLOG_MAX,
            _VERSION,
        )
    except LocalProtocolError as e:
        raise ConfigurationError("URL %s: %s" % (url, e))
    transport._port = await open_port(url, transport.path, options)
    link.open(random32(), ticks())
    transport._flush()
    try:
        await _until(transport, lambda: link.is_open, OPEN_MS)
        if not link.is_open:
            if not transport._ended:
                transport.alone = True  # to ask again burdens nobody
            raise TransportError(
                "%s: the bridge refused: %s" % (url, transport._ended)
                if transport._ended
                else "%s: nobody answers: is the bridge running on the other end of the line, at "
                "%d baud?" % (url, options["baud"])
            )
    except BaseException:
        close(transport)
        raise


async def _until(transport, true, ms):
    """Take what comes until true() is, or the connection has ended, or `ms` are over."""
    end = ticks() + ms
    while not (true() or transport._ended):
        left = diff(end, ticks())
        if left <= 0:
            break
        try:
            await wait_for(transport._pull(), left / 1000)
        except asyncio.TimeoutError:
            break


async def reopen(transport, port, link):
    """A cable that was bumped: the connection outlives it for lost_ms. Returns no octets."""
    if not hasattr(port, "reopen"):
        raise TransportLost("%s: the port cannot be read" % transport.url)
    if transport._port is not None and await port.reopen():
        if transport._port is None:
            port.close()  # the transport was closed meanwhile
        else:
            resume(link, ticks())
    return b""


async def finish(transport):
    """Wait until all is acknowledged and the bridge knows that we close; at most 2 s."""
    link = transport._link
    if transport._port is not None:
        link.close(0, "the device left")
        transport._flush()
        await _until(transport, lambda: not link.is_open, 2000)


def close(transport):
    """Close at once; the bridge is told if the port takes the frame."""
    port = transport._port
    if port is None:
        return
    transport._alarm.stop()
    if transport._flushing is not None:
        transport._flushing.cancel()
        transport._flushing = None
    if transport._link.is_open:
        transport._link.close(0, "the device closed the connection", True)
        if not port.busy():
            port.write(transport._link.output(ticks()))
    port.close()
    transport._last, transport._port = port, None
    # Kilobytes: the transport may outlive its use, by a stale reference to it in a coroutine.
    transport._link = None
    transport._ended = transport._ended or "closed"
    transport._news.set()
