"""The board's console as a serial port: the only cable that most users have. I/O edge.

Frames and the program's own output share the channel. MicroPython's console has no read of "what
is there": a read of n octets stops the whole interpreter until n have come. So octets are taken
one at a time, each after `poll` has said that it is there (about 12 kB a second on an RP2040).
"""

import select
import sys

import micropython

from ._mpdescriptor import StreamPort

_READ = 256
_WRITE = 64  # a USB packet: what is free when poll says that something is
_CTRL_C = 3


class ConsolePort(StreamPort):
    """sys.stdin and sys.stdout, binary, with Ctrl-C given back when it comes between frames."""

    def __init__(self):
        super().__init__(sys.stdin)
        self._in = sys.stdin.buffer
        self._outlet = sys.stdout.buffer
        self._one = memoryview(bytearray(1))
        self._input = select.poll()
        self._input.register(sys.stdin, select.POLLIN)
        self._output = select.poll()
        self._output.register(sys.stdout, select.POLLOUT)
        self._interrupted = False
        # Frames hold any octet, 03 too. What comes between frames is looked at in `console`.
        micropython.kbd_intr(-1)

    async def read(self):
        # Here, in the task that will also tell the bridge: a prompt must not get its frames, in
        # which any octet is a key (04: soft reset).
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt
        return await super().read()

    def more(self):
        n = 0
        buffer = self._buffer
        one = self._one
        while n < _READ and self._input.poll(0):
            if not self._in.readinto(one):
                break
            buffer[n] = one[0]
            n += 1
        return buffer[:n]

    def _try(self, octets):
        n = 0
        while n < len(octets) and self._output.poll(0):
            part = octets[n : n + _WRITE]
            self._outlet.write(part)
            n += len(part)
        return n

    def console(self, octets):
        """Ctrl-C between frames is the user's: give the prompt back."""
        if _CTRL_C in octets:
            self._interrupted = True
            self.wake()

    def release(self):
        # Not in `close`, nor when the user has typed Ctrl-C: until the bridge knows, and between
        # two connections, its frames may still come, and an 03 in one must not interrupt.
        micropython.kbd_intr(_CTRL_C)
