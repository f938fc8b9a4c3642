"""Text that a device prints between frames, as lines fit for a terminal and a log."""

import re
from collections.abc import Callable

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
