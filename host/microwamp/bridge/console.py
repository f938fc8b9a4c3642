"""Text that a device prints between frames, as lines fit for a terminal and a log."""

import re
from collections.abc import Callable

from .bucket import Bucket

# A line longer than this is handed on in parts: a device that never ends one costs no memory.
LINE_MAX = 1000
# Colours and the like: a prompt or a log of a board is full of them.
_SGR = re.compile("\x1b\\[[0-9;:?]*[A-Za-z]")


class Lines:
    """Collects octets into lines; what is not text is dropped and counted."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""
        self.noise = 0  # octets

    def feed(self, octets: bytes) -> None:
        """Take octets as they come."""
        self._rest += octets
        *lines, self._rest = self._rest.replace(b"\r", b"\n").split(b"\n")
        while len(self._rest) > LINE_MAX:
            cut = LINE_MAX
            while cut > LINE_MAX - 3 and self._rest[cut] & 0xC0 == 0x80:
                cut -= 1  # not within a character of UTF-8
            lines.append(self._rest[:cut])
            self._rest = self._rest[cut:]
        for line in lines:
            text = _SGR.sub("", line.decode("utf-8", "replace"))
            odd = sum(1 for c in text if c == "\ufffd" or not (c.isprintable() or c == "\t"))
            if odd * 5 > len(text):
                self.noise += len(line)
            elif text.strip():
                # Escape sequences of a device must not reach the operator's terminal.
                self._on_line("".join(c if c.isprintable() else " " for c in text))


class Console:
    """What a device prints, line by line to `say`, as many as its limit allows; in its counters
    `console_lines` and `console_dropped`."""

    def __init__(self, say: Callable[[str], None], counts: dict[str, int]) -> None:
        self._say = say
        self._counts = counts
        self._lines = Lines(self._line)
        self._limit: Bucket
        self._now = 0.0

    @property
    def noise(self) -> int:
        """Octets that were no text."""
        return self._lines.noise

    def feed(self, octets: bytes, limit: Bucket, now: float) -> None:
        """Take octets as they come. Once too much has come, they are not even looked at."""
        self._limit, self._now = limit, now
        if limit.take(0, now):
            self._counts["console_dropped"] += octets.count(b"\n")
        else:
            self._lines.feed(octets)

    def _line(self, line: str) -> None:
        if self._limit.take(1, self._now):
            self._counts["console_dropped"] += 1
        else:
            self._counts["console_lines"] += 1
            self._say(line)
