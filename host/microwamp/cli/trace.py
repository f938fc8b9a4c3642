"""`microwamp trace DEVICE`: every WAMP message of a device, decoded as it passes the bridge.

Only while it runs does the bridge look at payload. The file that --write makes has one JSON object
a line, the octets in base64; --replay shows it again. What logs in (AUTHENTICATE) is not shown.
"""

import argparse
import base64
import binascii
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any

import cbor2

from wamp import messages
from wamp.errors import ConfigurationError, Error

from . import OK
from .bridgecontrol import Connection, argument, path, printable

_HEADER = "microwamp-trace"
_VERSION = 1
_SHOWN = 400  # characters of a message, unless --full
_NAMES = {code: row[0] for code, row in messages.LAYOUT.items()}
_COLOURS = {"device": 32, "router": 36, "ERROR": 31, "ABORT": 31, "ping": 90, "pong": 90}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("device", nargs="?", metavar="DEVICE", help="its name, port or tty")
    argument(parser)
    parser.add_argument("--write", metavar="FILE", help="into a file as well, of mode 0600")
    parser.add_argument("--replay", metavar="FILE", help="show what a file of --write has")
    parser.add_argument(
        "--speed",
        type=float,
        default=0.0,
        metavar="N",
        help="with --replay: in N times the tempo of then (default: at once)",
    )
    parser.add_argument("--quiet", action="store_true", help="with --write: print nothing")
    parser.add_argument("--full", action="store_true", help="long messages too, to their end")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Run until a signal comes; raises the errors of `wamp.errors`."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if (options.device is None) == (options.replay is None):
        raise ConfigurationError("DEVICE or --replay FILE is needed, one of the two")
    if options.speed < 0:
        raise ConfigurationError(f"--speed {options.speed:g}: 0 or more")
    try:
        if options.replay is not None:
            return _replay(options)
        return _trace(options)
    except KeyboardInterrupt:
        return OK


def _trace(options: argparse.Namespace) -> int:
    connection = Connection(path(options))
    file: IO[str] | None = None
    count = 0
    try:
        connection.ask(do="trace", device=options.device)
        for record in connection.each():
            if "error" in record:
                raise ConfigurationError(printable(record["error"]))
            try:
                if "tracing" in record:
                    if options.write is not None:
                        file = _file(options.write)
                        head = {_HEADER: _VERSION, "device": record["tracing"]}
                        file.write(json.dumps({**head, "time": round(time.time(), 3)}) + "\n")
                        file.flush()
                    if not options.json and not options.quiet:
                        _say(f"tracing {printable(record['tracing'])}; Ctrl-C ends it")
                    continue
                if file is not None:
                    file.write(json.dumps(record) + "\n")
                    file.flush()
                    count += 1
            except OSError as e:
                raise Error(f"{options.write}: {e.strerror}; {count} records are in it") from None
            if not options.quiet:
                _show(record, options)
    except KeyboardInterrupt:
        if file is not None and not options.json:
            _say(f"{count} records are in {printable(options.write)}; --replay shows them again")
    finally:
        connection.close()
        if file is not None:
            with contextlib.suppress(OSError):  # what could not be written was said
                file.close()
    return OK


def _file(name: str) -> IO[str]:
    # What passes may be anybody's secret.
    return os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")


def _replay(options: argparse.Namespace) -> int:
    before: float | None = None
    for record in _records(options.replay):
        at = float(record.get("time", 0.0))
        if options.speed and before is not None:
            time.sleep(min(max(at - before, 0.0) / options.speed, 3600.0))
        before = at
        _show(record, options)
    return OK


def _records(name: str) -> Iterator[dict[str, Any]]:
    """The records of a file; one that was cut off at its end is good up to there."""
    try:
        with open(name, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    one = json.loads(line)
                    if type(one) is not dict or (number == 1 and one.get(_HEADER) != _VERSION):
                        raise ValueError
                except ValueError:
                    if number > 1 and not line.endswith("\n"):
                        return
                    raise ConfigurationError(
                        f"{name}: line {number} is not of a trace (version {_VERSION})"
                    ) from None
                if number > 1:
                    yield one
    except OSError as e:
        raise ConfigurationError(f"cannot read {name}: {e.strerror}") from e
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name}: it is not of a trace") from None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _show(record: Mapping[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(record), flush=True)
        return
    if "lost" in record:
        _say(f"{int(record['lost'])} records were lost: this program reads too slowly")
        return
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(line(record, None if options.full else _SHOWN, colour), flush=True)


def line(record: Mapping[str, Any], most: int | None, colour: bool) -> str:
    """A record for people. most: characters of the message, None for all."""
    try:
        octets = base64.b64decode(str(record["octets"]), validate=True)
        who = str(record["from"])
        length = int(record["length"])
        at = float(record["time"])
        kind = str(record["kind"])
    except (KeyError, ValueError, TypeError, binascii.Error):
        return printable(f"not a record: {record!r:.200}")
    name, text = kind.upper(), octets.hex()
    if kind == "message":
        name, text = _message(octets, length)
    if most is not None and len(text) > most:
        text = f"{text[:most]}... ({length} octets)"
    arrow = "->" if who == "device" else "<-"
    second = time.strftime("%H:%M:%S", time.localtime(at))
    word = f"{arrow} {name:12}"
    if colour:
        sgr = _COLOURS.get(name, _COLOURS.get(kind, _COLOURS.get(who, 0)))
        word = f"\x1b[{sgr}m{word}\x1b[0m"
    return f"{second}.{int(at % 1 * 1000):03d} {printable(record.get('device'))} {word} " + (
        printable(text)
    )


def _message(octets: bytes, length: int) -> tuple[str, str]:
    if len(octets) < length:
        return "LONG", f"{length} octets, it begins with {octets[:32].hex()}"
    try:
        message = cbor2.loads(octets)
    except Exception as e:  # whatever a device sends
        return "?", f"not CBOR ({type(e).__name__}): {octets.hex()}"
    if type(message) is not list or not message:
        return "?", repr(message)
    code, *rest = message
    name = _NAMES.get(code, str(code)) if type(code) is int else "?"
    return name, " ".join(_value(one) for one in rest)


def _value(value: object) -> str:
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_value(k)}: {_value(v)}" for k, v in value.items()) + "}"
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return repr(value)
