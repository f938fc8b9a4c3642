"""`microwamp bridge`: connects boards on serial ports to a router.

One line for each event: port opened or gone, device connected, session joined, router unreachable,
console lines. SIGTERM and SIGINT end it: the devices are told, status 0.
"""

import argparse
import asyncio
import fcntl
import os
import signal
import ssl
import stat
import sys

import serial

from wamp.errors import ConfigurationError, TransportError
from wamp.transport import explain

from ..bridge import Bridge
from .events import printer

_COLOURS = {"port": 36, "device": 32, "session": 32, "router": 33, "protocol": 31, "console": 90}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "ports",
        nargs="+",
        metavar="PORT",
        help="a tty such as /dev/ttyACM0, a pty, or a pyserial URL such as rfc2217://host:2217",
    )
    parser.add_argument(
        "--router",
        required=True,
        metavar="URL",
        help="rs://HOST:PORT, rss://HOST:PORT (TLS, certificate verified) or rs://unix:/PATH",
    )
    parser.add_argument("--baud", type=int, default=115200, help="for all ports (default 115200)")
    parser.add_argument(
        "--cafile", metavar="FILE", help="PEM file with the certificates to trust for rss://"
    )
    parser.add_argument(
        "--console",
        choices=("off", "out"),
        default="out",
        help="whether to print what devices print between frames (default: out)",
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait for ports that are not there yet, instead of ending with status 3",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Run until a signal comes; raises ConfigurationError and TransportError."""
    return asyncio.run(_run(options))


def _context(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.cafile is None:
        return None
    try:
        return ssl.create_default_context(cafile=options.cafile)
    except (OSError, ssl.SSLError) as e:
        raise ConfigurationError(f"--cafile {options.cafile}: {e}") from e


def _check(port: str) -> None:
    """A first look, so that a wrong name ends at once with its cause."""
    if "://" in port:
        try:
            serial.serial_for_url(port, do_not_open=True)
        except ValueError as e:
            raise ConfigurationError(f"port {port}: {e}") from e
        return
    if not os.path.exists(port):
        raise TransportError(
            f"port {port}: it does not exist (--wait waits for it; `ls /dev/tty*` shows ports)"
        )
    if not stat.S_ISCHR(os.stat(port).st_mode):
        raise ConfigurationError(f"port {port}: it is not a serial port")
    if not os.access(port, os.R_OK | os.W_OK):
        raise TransportError(f"port {port}: no permission (is your user in the group dialout?)")
    try:
        fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as e:
        raise TransportError(f"port {port}: {explain(e)}") from e
    try:
        if not os.isatty(fd):
            raise ConfigurationError(f"port {port}: it is not a serial port")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock that pyserial takes
    except BlockingIOError:
        raise TransportError(f"port {port}: it is in use by another program") from None
    finally:
        os.close(fd)


async def _run(options: argparse.Namespace) -> int:
    if not 300 <= options.baud <= 12_000_000:
        raise ConfigurationError(f"--baud {options.baud}: 300 to 12000000")
    report = printer(options.json, _COLOURS)
    bridge = Bridge(
        options.ports,
        options.router,
        report,
        baud=options.baud,
        tls=_context(options),
        console=options.console,
    )
    if not options.wait:
        for port in options.ports:
            _check(port)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    report("bridge", {"state": "started", "router": options.router, "pid": os.getpid()})
    serving = asyncio.create_task(bridge.run())
    waiting = asyncio.create_task(ended.wait())
    done, _ = await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
    if serving in done:
        waiting.cancel()
        serving.result()
    await bridge.stop()
    serving.cancel()
    report("bridge", {"state": "stopped"})
    sys.stdout.flush()
    return 0
