"""Where CPython and MicroPython differ: time, sleep, randomness, alarms. Part of the I/O edge."""

import asyncio
import os
import sys

MICROPYTHON = sys.implementation.name == "micropython"

if MICROPYTHON:
    from asyncio import core, sleep_ms
    from time import ticks_ms as _ticks_ms

    def ticks():
        """Milliseconds, modulo 2^30."""
        return _ticks_ms() & 0x3FFFFFFF

    def readable(stream):
        """Await until a stream can be read (or has ended)."""
        yield core._io_queue.queue_read(stream)

    def writable(stream):
        """Await until a stream can be written."""
        yield core._io_queue.queue_write(stream)

    class Alarm:
        """Calls a function after a time; one task, moved in asyncio's queue instead of made anew
        (making a task costs 376 us on an RP2040, moving it a tenth of that)."""

        def __init__(self, function):
            self._function = function
            self._task = None
            self._asleep = False
            self._at = None

        def within(self, ms):
            """Call in `ms` milliseconds at the latest; an earlier alarm stays."""
            at = core.ticks_add(core.ticks(), ms)
            if self._at is not None and core.ticks_diff(self._at, at) <= 0:
                return
            self._at = at
            if self._task is None:
                self._task = core.create_task(self._run())
            elif self._asleep:
                core._task_queue.remove(self._task)
                core._task_queue.push(self._task, at)

        def stop(self):
            """No call any more; also from within the function."""
            self._at = None
            if self._task is not None and self._task is not core.cur_task:
                self._task.cancel()
                self._task = None

        async def _run(self):
            while self._at is not None:
                self._asleep = True
                await sleep_ms(max(core.ticks_diff(self._at, core.ticks()), 0))
                self._asleep = False
                self._at = None
                self._function()
            self._task = None

else:
    import time

    def ticks():
        """Milliseconds, modulo 2^30."""
        return int(time.monotonic() * 1000) & 0x3FFFFFFF

    def sleep_ms(ms):
        """As MicroPython's asyncio.sleep_ms."""
        return asyncio.sleep(ms / 1000)

    class Alarm:
        """Calls a function after a time."""

        def __init__(self, function):
            self._function = function
            self._handle = None
            self._at = 0.0

        def within(self, ms):
            """Call in `ms` milliseconds at the latest; an earlier alarm stays."""
            loop = asyncio.get_running_loop()
            at = loop.time() + ms / 1000
            if self._handle is not None:
                if self._at <= at:
                    return
                self._handle.cancel()
            self._at = at
            self._handle = loop.call_at(at, self._ring)

        def stop(self):
            """No call any more; also from within the function."""
            if self._handle is not None:
                self._handle.cancel()
                self._handle = None

        def _ring(self):
            self._handle = None
            self._function()


def set_clock(utc):
    """Set the board's clock, if it was never set. utc: seconds since 1970.

    A Pico without a clock of its own starts in 2021, an ESP32 in 2000; a clock that somebody set
    (NTP, a battery) is left alone.
    """
    import time

    if time.gmtime()[0] >= 2025:
        return
    try:
        from machine import RTC
    except ImportError:
        return
    epoch = time.gmtime(0)[0]  # 1970, or 2000 on some ports
    year, month, day, hour, minute, second, weekday, _ = time.gmtime(
        utc - (946684800 if epoch == 2000 else 0)
    )[:8]
    RTC().datetime((year, month, day, weekday, hour, minute, second, 0))


def random32():
    """A random number from 1 to 2^32 - 1."""
    while True:
        n = int.from_bytes(os.urandom(4), "big")
        if n:
            return n


def is_coroutine(value):
    """Whether a handler returned something to be awaited."""
    return type(value) is _COROUTINE


async def _example():
    pass


_coroutine = _example()
_COROUTINE = type(_coroutine)
_coroutine.close()
del _coroutine
