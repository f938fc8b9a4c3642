"""Where CPython and MicroPython differ: time, sleep, randomness, alarms. Part of the I/O edge.

CPython's half is in `_cpython`, which no board loads. Times are milliseconds modulo 2^30.
"""

import sys
from os import urandom

MICROPYTHON = sys.implementation.name == "micropython"

if MICROPYTHON:
    from asyncio import core, sleep_ms, wait_for
    from time import ticks_ms

    ticks = ticks_ms  # on 32 bits they are modulo 2^30
    if getattr(sys, "maxsize", 0) >> 31:

        def ticks():
            """Milliseconds, modulo 2^30."""
            return ticks_ms() & 0x3FFFFFFF

    def readable(stream):
        """Await until a stream can be read (or has ended)."""
        yield core._io_queue.queue_read(stream)

    def writable(stream):
        """Await until a stream can be written."""
        yield core._io_queue.queue_write(stream)

    # A coroutine that is over: awaiting it costs nothing, and as often as one likes.
    DONE = readable(None)
    DONE.close()
    COROUTINE = type(DONE)  # of what a coroutine function returns

    class Alarm:
        """Calls a function after a time; one task, moved in asyncio's queue instead of made anew
        (making a task costs 376 us on an RP2040, moving it a tenth of that)."""

        def __init__(self, function):
            self._function = function
            self._task = None
            self._at = None

        def within(self, ms):
            """Call in `ms` milliseconds at the latest; an earlier alarm stays."""
            at = core.ticks_add(core.ticks(), ms)
            if self._at is not None and core.ticks_diff(self._at, at) <= 0:
                return
            task = self._task
            if task is None:
                self._task = core.create_task(self._run())
            elif task is not core.cur_task:
                core._task_queue.remove(task)
                core._task_queue.push(task, at)
            self._at = at  # last: there may be no memory for the task

        def stop(self):
            """No call any more; also from within the function."""
            self._at = None
            if self._task is not None and self._task is not core.cur_task:
                self._task.cancel()
                self._task = None

        async def _run(self):
            while self._at is not None:
                await sleep_ms(max(core.ticks_diff(self._at, core.ticks()), 0))
                self._at = None
                try:
                    self._function()
                except MemoryError:
                    self.within(100)  # there may be some by then
            self._task = None

else:
    from ._cpython import COROUTINE as COROUTINE
    from ._cpython import DONE as DONE
    from ._cpython import Alarm as Alarm
    from ._cpython import sleep_ms as sleep_ms
    from ._cpython import ticks as ticks
    from ._cpython import wait_for as wait_for


def random32():
    """A random number from 1 to 2^32 - 1."""
    return int.from_bytes(urandom(4), "big") or 1
