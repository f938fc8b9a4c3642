"""CPython's half of `_port`: time, sleep, alarms; no board loads it. Part of the I/O edge."""

import asyncio
import time
import types

COROUTINE = types.CoroutineType


class _Done:
    """A coroutine that is over: awaiting it costs nothing, and as often as one likes."""

    def __await__(self):
        return iter(())

    def send(self, value):
        raise StopIteration

    def throw(self, *error):
        raise error[0]

    def close(self):
        pass


DONE = _Done()


def ticks():
    """Milliseconds, modulo 2^30."""
    return int(time.monotonic() * 1000) & 0x3FFFFFFF


def sleep_ms(ms):
    """As MicroPython's asyncio.sleep_ms."""
    return asyncio.sleep(ms / 1000)


async def wait_for(steps, seconds):
    """As asyncio's, whose own in Python 3.11 forgets a cancellation, or an error, that meets the
    result."""
    async with asyncio.timeout(seconds):
        return await steps


class Alarm:
    """Calls a function after a time."""

    def __init__(self, function):
        self._function = function
        self._handle = None
        self._loop = None
        self._at = 0.0

    def within(self, ms):
        """Call in `ms` milliseconds at the latest; an earlier alarm stays."""
        loop = self._loop
        if self._handle is None:
            # A call of the system, so only where it may be another loop.
            loop = self._loop = asyncio.get_running_loop()
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
