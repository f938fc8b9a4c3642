"""`microwamp monitor`: the devices of a bridge, live on a terminal.

Up and down choose a device; what is typed goes to its console as a line, where its configuration
says console = "both". Ctrl-C or Ctrl-D ends it.
"""

import argparse
import contextlib
import os
import re
import select
import shutil
import signal
import sys
import termios
import time
import tty
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wamp.errors import ConfigurationError

from . import OK
from .bridgecontrol import Connection, argument, path, printable

WIDTH, HEIGHT = 78, 10
_EVENTS = 500
_TYPED = 200
_COLOURS = {"joined": 32, "connected": 33, "open": 36, "absent": 90}
# heading, width, right-aligned
_COLUMNS = (
    ("device", 12, False),  # and what is left, up to _NAME
    ("state", 9, False),
    ("realm", 10, False),
    ("in/s", 6, True),
    ("out/s", 6, True),
    ("trip ms", 7, True),
    ("resent", 6, True),
    ("damaged", 7, True),
    ("waiting", 7, True),
)
_NAME = 40
_KEY = re.compile("\x1b[\\[O][0-9;]*[A-Za-z~]|.", re.DOTALL)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    argument(parser)
    parser.add_argument(
        "--every", type=float, default=1.0, metavar="S", help="seconds between two looks (1)"
    )
    parser.add_argument(
        "--once", action="store_true", help="print the table once; also where no terminal is"
    )


def run(options: argparse.Namespace) -> int:
    """Run until a key or a signal ends it; raises the errors of `wamp.errors`."""
    if not 0.1 <= options.every <= 3600:
        raise ConfigurationError(f"--every {options.every:g}: 0.1 to 3600 seconds")
    if options.once:
        return _once(path(options))
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigurationError("the monitor needs a terminal; --once prints one table")
    size = shutil.get_terminal_size()
    if too_small(*size):
        raise ConfigurationError(too_small(*size))
    connection = Connection(path(options))
    try:
        with _terminal():
            _Monitor(connection, round(options.every * 1000)).run()
    except KeyboardInterrupt:
        return OK
    finally:
        connection.close()
    return OK


def too_small(width: int, height: int) -> str:
    """What is wrong with a terminal of that size; "" if nothing is."""
    if width >= WIDTH and height >= HEIGHT:
        return ""
    return f"the terminal has {width} x {height}, the monitor needs {WIDTH} x {HEIGHT}"


def _once(path: str) -> int:
    connection = Connection(path)
    try:
        connection.ask(do="status")
        answer = next(connection.each())
    finally:
        connection.close()
    width = shutil.get_terminal_size().columns
    print(_row([name for name, _, _ in _COLUMNS], width))
    for one in answer["status"]:
        print(_row(cells(one, None, 1.0), width))
    return OK


@contextlib.contextmanager
def _terminal() -> Iterator[None]:
    """Keys as they are pressed, on the other screen; all as before at the end."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        tty.setcbreak(fd)
        sys.stdout.write("\x1b[?1049h\x1b[?25l")
        yield
    finally:
        sys.stdout.write("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


class _Monitor:
    def __init__(self, connection: Connection, every_ms: int) -> None:
        self._connection = connection
        self._every_ms = every_ms
        self.view = View()

    def run(self) -> None:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.signal(signal.SIGWINCH, lambda number, frame: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._connection.ask(do="watch", every_ms=self._every_ms)
        keys = sys.stdin.fileno()
        try:
            while True:
                self._draw()
                ready, _, _ = select.select([self._connection, keys, reader], [], [])
                if reader in ready:
                    os.read(reader, 100)
                if self._connection in ready:
                    for answer in self._connection.answers():
                        self.view.take(answer)
                if keys in ready:
                    octets = os.read(keys, 1000)
                    if not octets or b"\x04" in octets or b"\x03" in octets:
                        return
                    line = self.view.key(octets.decode("utf-8", "replace"))
                    if line is not None:
                        name = self.view.chosen()
                        self._connection.ask(do="type", device=name, text=line + "\r\n")
        finally:
            signal.set_wakeup_fd(-1)
            os.close(reader)
            os.close(writer)

    def _draw(self) -> None:
        width, height = shutil.get_terminal_size()
        lines = self.view.lines(width, height)
        text = "\x1b[H" + "\r\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J"
        sys.stdout.write(text)
        sys.stdout.flush()


class View:
    """What is on the screen, without a screen."""

    def __init__(self) -> None:
        self.status: list[dict[str, Any]] = []
        self.bridge: dict[str, Any] = {}
        self._before: dict[str, dict[str, Any]] = {}
        self._then: dict[str, Any] = {}
        self._events: deque[str] = deque(maxlen=_EVENTS)
        self._at = 0  # the device that is chosen
        self.typed = ""

    def take(self, answer: Mapping[str, Any]) -> None:
        """An answer of the bridge."""
        if "status" in answer:
            self._before = {one["name"]: one for one in self.status}
            self._then = self.bridge
            self.status = list(answer["status"])
            self.bridge = dict(answer["bridge"])
            self._at = min(self._at, max(len(self.status) - 1, 0))
        elif "event" in answer:
            fields = {k: v for k, v in answer.items() if k not in ("time", "event", "port")}
            words = " ".join(
                str(v) if k in ("state", "reason", "text") else f"{k}={v}"
                for k, v in fields.items()
                if v not in (None, "")
            )
            at = time.strftime("%H:%M:%S", time.localtime(float(answer.get("time", 0))))
            line = f"{at} {answer.get('port', '')} {answer['event']}: {words}"
            self._events.append(printable(line))
        elif "error" in answer:
            self._events.append(printable(f"error: {answer['error']}"))

    def chosen(self) -> str:
        """The name of the device that is chosen, "" if there is none."""
        return str(self.status[self._at]["name"]) if self.status else ""

    def key(self, keys: str) -> str | None:
        """Take keys, as many as came at once; gives the line when one is complete."""
        for key in _KEY.findall(keys):
            if key in ("\x1b[A", "\x1bOA"):
                self._at = max(self._at - 1, 0)
            elif key in ("\x1b[B", "\x1bOB"):
                self._at = min(self._at + 1, max(len(self.status) - 1, 0))
            elif key in "\r\n":
                line, self.typed = self.typed, ""
                return line
            elif key in "\x7f\b":
                self.typed = self.typed[:-1]
            elif key.isprintable() and len(self.typed) < _TYPED:
                self.typed += key
        return None

    def _detail(self) -> str:
        """More about the device that is chosen."""
        if not self.status:
            return ""
        one = self.status[self._at]
        tty = one["tty"] if one["tty"] not in ("", one["port"]) else ""
        waiting = ", ".join(f"{name} {n}" for name, n in one["buffers"].items() if n)
        counts = one["counts"]
        words = (
            f"session {one['session']}" if one["session"] else "",
            f"joins {counts['joins']}, the last after {one['join_ms'] / 1000:.1f} s"
            if counts["joins"]
            else "",
            f"waiting: {waiting}" if waiting else "",
            f"held back: {', '.join(one['held'])}" if one["held"] else "",
            printable(tty),
            printable(one["software"]),
        )
        return "  ".join(word for word in words if word)

    def lines(self, width: int, height: int) -> list[str]:
        """The screen; never wider or higher than that."""
        small = too_small(width, height)
        if small:
            return [small[:width]] if height else []
        now = float(self.bridge.get("now", 0.0))
        passed = max(now - float(self._then.get("now", now)), 0.001)
        busy = float(self.bridge.get("cpu_s", 0)) - float(self._then.get("cpu_s", 0))
        load = f"{min(busy / passed, 99.0) * 100:.0f} %" if self._then else "-"
        joined = sum(1 for one in self.status if one["state"] == "joined")
        up = int(now - float(self.bridge.get("began", now)))
        title = (
            f"bridge {self.bridge.get('pid', '')}  up {up // 3600}:{up // 60 % 60:02}:{up % 60:02}"
            f"  CPU {load}  {len(self.status)} devices, {joined} joined"
        )
        found = [title[:width], _row([name for name, _, _ in _COLUMNS], width)[:width]]
        room = max(height - 7, 2)  # for the devices, with five lines of events at least
        first = min(max(self._at - room + 1, 0), max(len(self.status) - room, 0))
        for i, one in enumerate(self.status[first : first + room], first):
            text = _row(cells(one, self._before.get(one["name"]), passed), width)[:width]
            sgr = (
                f"7;{_COLOURS.get(one['state'], 0)}"
                if i == self._at
                else str(_COLOURS.get(one["state"], 0))
            )
            found.append(f"\x1b[{sgr}m{text}\x1b[0m")
        found.append(f"-- {self._detail()} ".ljust(width, "-")[:width])
        left = height - len(found) - 1
        recent = list(self._events)[-left:] if left > 0 else []
        found += [line[:width] for line in recent]
        found += [""] * (height - 1 - len(found))
        found.append(printable(f"{self.chosen()}> {self.typed}")[-width + 1 :])
        return found


def cells(
    one: Mapping[str, Any], before: Mapping[str, Any] | None, passed: float
) -> Sequence[str]:
    """The row of a device. before: its status `passed` seconds ago, for the rates."""
    counts, link = one["counts"], one["link"]

    def rate(name: str) -> str:
        if before is None:
            return "-"
        return f"{max(counts[name] - before['counts'][name], 0) / passed:.1f}"

    return (
        printable(one["name"]),
        str(one["state"]) + ("*" if one["held"] else ""),
        printable(one["realm"] or ""),
        rate("messages_in"),
        rate("messages_out"),
        f"{one['round_trip_ms']:.{int(one['round_trip_ms'] < 10)}f}",
        _short(link["resent"]),
        _short(link["damaged"]),
        _short(sum(one["buffers"].values())),
    )


def _short(n: int) -> str:
    return str(n) if n < 10**6 else f"{n / 10**6:.1f}M"


def _row(words: Sequence[str], width: int) -> str:
    """A row, `width` wide; the names take what the other columns leave."""
    columns = list(_COLUMNS)
    rest = width - sum(column[1] + 1 for column in columns[1:])
    columns[0] = ("device", min(max(rest, columns[0][1]), _NAME), False)
    parts = []
    for word, (_, width, right) in zip(words, columns, strict=True):
        if len(word) > width:
            # The end of a port's name tells more than its beginning.
            word = "~" + word[1 - width :]
        parts.append(word.rjust(width) if right else word.ljust(width))
    return " ".join(parts).rstrip()
