"""`microwamp deploy PORT`: the library, the application and its configuration on a board."""

from __future__ import annotations

import argparse
import json
import os
import ssl
import sys
from pathlib import Path
from typing import Any

from wamp.errors import ConfigurationError, TransportError

from ..boards import deployment, remote, settings

_WIDTH = 28


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    remote.arguments(parser)
    group = parser.add_argument_group(
        "configuration", "What is not given stays as it is on the board, or is the default."
    )
    group.add_argument("--config", metavar="FILE", help="JSON file, as /wamp.json on the board")
    group.add_argument("--url", help="for the board: rs://HOST:PORT, serial:0?tx=0&rx=1")
    group.add_argument("--realm", metavar="NAME", help="realm to join (default: devices)")
    group.add_argument("--anonymous", action="store_true", help="log in without a key")
    group.add_argument("--authid", metavar="NAME", help="who the board is")
    group.add_argument("--prefix", help="of its procedures and topics (default: com.example.)")
    group.add_argument("--heartbeat", type=int, metavar="SECONDS", help="0: none (default: 30)")
    group.add_argument(
        "--watchdog-ms", type=int, metavar="MS", help="1000 to 8388, 0: off (the default)"
    )
    group.add_argument("--wifi", metavar="NAME", help="the network to connect to")
    group.add_argument(
        "--wifi-password-file",
        metavar="FILE",
        help="file with its password (or MICROWAMP_WIFI_PASSWORD in the environment)",
    )
    group.add_argument("--ntp", metavar="HOST", help="time server (default: pool.ntp.org)")
    group.add_argument("--ca", metavar="FILE", help="the certificate to trust for rss://")
    group.add_argument("--led", metavar="PIN", help='name or number of its pin (default: "LED")')
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done, write nothing"
    )
    parser.add_argument(
        "--force", action="store_true", help="also over a newer library than this host's"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Deploy; raises ConfigurationError, TransportError, RemoteProtocolError."""
    given = _given(options)
    extra = {} if options.ca is None else {settings.CA: _certificate(options.ca)}
    with remote.Remote(options.port, options.baud, options.wait) as board:
        if options.dry_run:
            facts = board.facts()
            return _dry_run(options, board, facts, _own(options, board, facts, given, extra))
        try:
            facts = board.facts()
            done = _deploy(options, board, facts, given, extra)
        except TransportError as e:
            if not os.path.exists(options.port):
                raise
            try:
                facts = deployment.hold(board)
            except (TransportError, ConfigurationError):
                raise e from None
            done = _deploy(options, board, facts, given, extra)
    if options.json:
        print(json.dumps({"port": options.port, **vars(done)}))
        return 0
    for note in done.notes:
        print(note)
    print(
        f"{done.written} files written ({done.octets:,} octets), {done.removed} removed,"
        f" {done.kept} were right already; {done.sent:,} octets sent in {done.seconds:.1f} s"
    )
    return 0


def _own(
    options: argparse.Namespace,
    board: remote.Remote,
    facts: remote.Facts,
    given: dict[str, Any],
    extra: dict[str, bytes],
) -> dict[str, bytes]:
    deployment.check_version(options.port, facts)
    return {deployment.CONFIG: settings.merge(board, facts, given), **extra}


def _deploy(
    options: argparse.Namespace,
    board: remote.Remote,
    facts: remote.Facts,
    given: dict[str, Any],
    extra: dict[str, bytes],
) -> deployment.Outcome:
    own = _own(options, board, facts, given, extra)
    draw = progress(options.json)
    return deployment.deploy(board, own, facts=facts, force=options.force, progress=draw)


def _given(options: argparse.Namespace) -> dict[str, Any]:
    given: dict[str, Any] = settings.load(options.config) if options.config else {}
    words = {
        "url": options.url,
        "realm": options.realm,
        "authid": options.authid,
        "prefix": options.prefix,
        "heartbeat_s": options.heartbeat,
        "watchdog_ms": options.watchdog_ms,
        "ntp": options.ntp,
    }
    given |= {key: value for key, value in words.items() if value is not None}
    if options.anonymous:
        given["key"] = None
    if options.led is not None:
        given["led"] = int(options.led) if options.led.isdigit() else options.led
    if options.wifi is not None:
        given["wifi"] = settings.wifi(options.wifi, options.wifi_password_file)
    elif options.wifi_password_file is not None:
        raise ConfigurationError("--wifi-password-file needs --wifi NAME")
    if options.ca is not None:
        given["ca"] = settings.CA
    settings.render(given)  # what is wrong is found before the board is touched
    return given


def _certificate(path: str) -> bytes:
    try:
        octets = Path(path).read_bytes()
    except OSError as e:
        raise ConfigurationError(f"--ca {path} cannot be read: {e.strerror}") from e
    if octets[:1] == b"\x30":
        found = octets
    else:
        # Not every port of MicroPython reads PEM; all read DER.
        try:
            found = ssl.PEM_cert_to_DER_cert(octets.decode())
        except (ValueError, UnicodeError):
            raise ConfigurationError(f"--ca {path} is not one certificate in PEM or DER") from None
    if len(found) > 16384:
        raise ConfigurationError(f"--ca {path} has {len(found):,} octets: it is no certificate")
    return found


def _dry_run(
    options: argparse.Namespace,
    board: remote.Remote,
    facts: remote.Facts,
    own: dict[str, bytes],
) -> int:
    deployment.check_newer(options.port, facts, options.force)
    todo = deployment.plan(board, facts, own)
    deployment.check_room(board, facts, todo)
    board.reset()  # its program was interrupted
    if options.json:
        sizes = {path: len(octets) for path, octets in todo.write.items()}
        plan = {"write": sizes, "remove": todo.remove, "kept": todo.kept, "notes": todo.notes}
        print(json.dumps({"port": options.port, "dry_run": True, **plan}))
        return 0
    for path, octets in todo.write.items():
        print(f"write   {path} ({len(octets):,} octets)")
    for path in todo.remove:
        print(f"remove  {path}")
    for note in todo.notes:
        print(note)
    print(f"{len(todo.write)} files to write ({todo.octets:,} octets), {todo.kept} right already")
    return 0


def progress(quiet: bool) -> Any:
    """A function (done, all, path) that draws a bar, on a terminal only."""
    if quiet or not sys.stderr.isatty():
        return lambda done, total, path: None

    def draw(done: int, total: int, path: str) -> None:
        full = _WIDTH * done // max(total, 1)
        bar = "#" * full + "." * (_WIDTH - full)
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r[{bar}] {100 * done // max(total, 1):3} % {path[-40:]:<40}{end}")
        sys.stderr.flush()

    return draw
