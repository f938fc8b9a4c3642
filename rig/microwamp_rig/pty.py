"""A pair of connected serial ports: one end as a descriptor for a device, one as a path."""

from __future__ import annotations

import os
import termios


def make_raw(fd: int) -> None:
    """What cfmakeraw(3) does, at once: no echo, no translation, no signals, 8 bits."""
    attributes = termios.tcgetattr(fd)
    attributes[0] &= ~(
        termios.IGNBRK
        | termios.BRKINT
        | termios.PARMRK
        | termios.ISTRIP
        | termios.INLCR
        | termios.IGNCR
        | termios.ICRNL
        | termios.IXON
    )
    attributes[1] &= ~termios.OPOST
    attributes[2] &= ~(termios.CSIZE | termios.PARENB)
    attributes[2] |= termios.CS8
    attributes[3] &= ~(
        termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN
    )
    attributes[6][termios.VMIN] = 1
    attributes[6][termios.VTIME] = 0
    termios.tcsetattr(fd, termios.TCSANOW, attributes)


class Pty:
    """A raw pseudo terminal.

    fd: the device's end, non-blocking: a blocking write to a full pty stops a whole MicroPython.
    path: the port that the other side opens, such as /dev/pts/3.

    With `hold` the rig keeps the port open too, so the device's end never sees a hang-up: as on a
    UART, where nobody at the other end is no error. Octets for which nobody is there wait in the
    kernel (4 KiB and a little), then the device's writes are refused. Without `hold` the device's
    end reads EIO while nobody has the port open.
    """

    def __init__(self, hold: bool = True) -> None:
        self.fd, port = os.openpty()
        self.path = os.ttyname(port)
        self._held: int | None = port
        make_raw(port)
        os.set_blocking(self.fd, False)
        if not hold:
            self._held = None
            os.close(port)

    def discard(self) -> int:
        """Drops what waits to be read at the device's end; returns how many octets."""
        count = 0
        while True:
            try:
                octets = os.read(self.fd, 65536)
            except OSError:  # nothing there, or nobody has the port open
                return count
            if not octets:
                return count
            count += len(octets)

    def close(self) -> None:
        """Closes the pair: who has the port open sees it hang up. Again is no error."""
        if self._held is not None:
            os.close(self._held)
            self._held = None
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
