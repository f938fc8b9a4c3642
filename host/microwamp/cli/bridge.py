"""`microwamp bridge`: connects boards on serial ports to a router.

One line for each event: port opened or gone, device connected, session joined, router unreachable,
console lines; JSON objects where stdout is no terminal. SIGTERM and SIGINT end it: the devices are
told, status 0. SIGHUP reads the configuration file again; SIGUSR2 hands ports and sessions over to
the next process by systemd's descriptor store.
"""

import argparse
import asyncio
import contextlib
import fcntl
import os
import resource
import signal
import ssl
import stat
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import serial

from wamp.errors import ConfigurationError, TransportError
from wamp.transport import explain

from ..bridge import BridgeConfig, PortConfig
from ..bridge.config import context, usb
from ..bridge.configfile import default_control, load
from .events import printer

_COLOURS = {
    "port": 36,
    "device": 32,
    "session": 32,
    "router": 33,
    "protocol": 31,
    "fault": 31,
    "console": 90,
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "ports",
        nargs="*",
        metavar="PORT",
        help="a tty such as /dev/ttyACM0, a pty, usb:VID:PID:SERIAL, or a pyserial URL such as "
        "rfc2217://host:2217",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="TOML file with ports, routers and limits, instead of PORT and the options for ports",
    )
    parser.add_argument(
        "--check", action="store_true", help="check the configuration, open nothing, and end"
    )
    parser.add_argument(
        "--router",
        metavar="URL",
        help="rs://HOST:PORT, rss://HOST:PORT (TLS, certificate verified), rs://unix:/PATH, "
        "ws://HOST:PORT/PATH or wss://HOST:PORT/PATH",
    )
    parser.add_argument("--baud", type=int, default=115200, help="for all ports (default 115200)")
    parser.add_argument(
        "--board",
        default="serial",
        metavar="NAME",
        help="how to hold the modem lines, such as RPI_PICO or ESP32_GENERIC (default: as they "
        "are)",
    )
    parser.add_argument(
        "--cafile", metavar="FILE", help="PEM file with the certificates to trust for rss://, wss"
    )
    parser.add_argument(
        "--realm", action="append", metavar="NAME", help="allow this realm only; may be repeated"
    )
    parser.add_argument(
        "--console",
        choices=("off", "out", "both"),
        default="out",
        help="what devices print between frames: not at all, to the log, or that and typing by "
        "`microwamp monitor` (default: out)",
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait for ports that are not there yet, instead of ending with status 3; always so "
        "with --config",
    )
    parser.add_argument(
        "--control",
        metavar="PATH",
        help='control socket for monitor and trace; "" for none (default: bridge.sock in '
        "$RUNTIME_DIRECTORY, or microwamp-bridge.sock in $XDG_RUNTIME_DIR)",
    )
    parser.add_argument(
        "--metrics", metavar="HOST:PORT", help="answer Prometheus there, on loopback only"
    )
    parser.add_argument("--user", metavar="NAME", help="become this user when started as root")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    form.add_argument("--text", action="store_true", help="lines for people, also into a file")


def run(options: argparse.Namespace) -> int:
    """Run until a signal comes; raises ConfigurationError and TransportError."""
    config = _config(options)
    if options.check:
        ports = len(config.ports)
        print(f"the configuration is good: {ports} port{'s' if ports != 1 else ''}")
        return 0
    return asyncio.run(_run(options, config))


def _config(options: argparse.Namespace) -> BridgeConfig:
    over: dict[str, Any] = {
        name: value
        for name in ("control", "metrics", "user")
        if (value := getattr(options, name)) is not None
    }
    if options.config is not None:
        if options.ports or options.router is not None:
            raise ConfigurationError("--config has the ports and routers: no PORT, no --router")
        return replace(load(options.config), **over)
    if not options.ports or options.router is None:
        raise ConfigurationError("PORT and --router are needed, or --config FILE")
    if not 300 <= options.baud <= 12_000_000:
        raise ConfigurationError(f"--baud {options.baud}: 300 to 12000000")
    _tls(options)
    return BridgeConfig(
        tuple(
            PortConfig(
                port,
                options.router,
                baud=options.baud,
                board=options.board,
                console=options.console,
                cafile=options.cafile or "",
                realms=tuple(options.realm or ()),
            )
            for port in options.ports
        ),
        **over,
    )


def _tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.cafile is None:
        return None
    try:
        return context(options.cafile)
    except ConfigurationError as e:
        raise ConfigurationError(f"--{e}") from e


def _check(port: str) -> None:
    """A first look, so that a wrong name ends at once with its cause."""
    if usb(port) is not None:
        return
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


# Descriptors of a device: its tty, its router connection, and one while it is traced; beside them
# those of the process, of the control socket's clients and of what is being opened.
_OF_A_DEVICE = 3
_BESIDE = 40


def _raise_limit(config: BridgeConfig) -> str:
    """Ask for as many descriptors as we may have; returns what to say if they are too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    devices = len(config.ports) + (0 if config.discover is None else config.discover.most)
    needed = _BESIDE + _OF_A_DEVICE * devices
    if hard == resource.RLIM_INFINITY or hard >= needed:
        return ""
    return (
        f"{devices} devices need {needed} descriptors, {hard} are allowed: raise `ulimit -Hn`, or "
        "LimitNOFILE in the unit"
    )


async def _run(options: argparse.Namespace, config: BridgeConfig) -> int:
    from ..bridge.daemon import Daemon

    as_json = options.json or not (options.text or sys.stdout.isatty())
    report = printer(as_json, _COLOURS)
    daemon = Daemon(config, report, default_control() if options.control is None else "")
    daemon.take_descriptors(os.environ)
    daemon.drop_privileges()
    if options.config is None and not options.wait:
        for port in options.ports:
            _check(port)
    few = _raise_limit(config)
    loop = asyncio.get_running_loop()

    def again() -> None:
        if options.config is None:
            report("bridge", {"state": "not reloaded", "reason": "there is no --config FILE"})
            return
        daemon.reload_soon(lambda: _config(options))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.end)
    loop.add_signal_handler(signal.SIGHUP, again)
    loop.add_signal_handler(signal.SIGUSR2, daemon.hand_over)
    fields: Mapping[str, Any] = {
        "state": "started",
        "router": options.router,
        "config": options.config,
        "pid": os.getpid(),
    }
    report("bridge", {name: value for name, value in fields.items() if value is not None})
    if few:
        report("bridge", {"state": "warning", "reason": few})
    if options.config is not None and os.geteuid() == 0:
        reason = "it runs as root, and need not: set user, or use the systemd unit"
        report("bridge", {"state": "warning", "reason": reason})
    await daemon.run()
    sys.stdout.flush()
    return 0
