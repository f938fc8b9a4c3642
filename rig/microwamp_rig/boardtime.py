"""Host code in the time of the emulated boards: `EmulatedLoop`, and a library that goes by it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from wamp import _cpython


class _Time:
    """The module `time`, as far as the library uses it on a host."""

    @staticmethod
    def monotonic() -> float:
        """The running event loop's clock; without one the system's."""
        loop = asyncio._get_running_loop()
        return time.monotonic() if loop is None else loop.time()


@contextmanager
def library_time() -> Iterator[None]:
    """The library's clock is that of the event loop it runs in."""
    before = _cpython.time  # type: ignore[attr-defined]
    _cpython.time = _Time  # type: ignore[attr-defined]
    try:
        yield
    finally:
        _cpython.time = before  # type: ignore[attr-defined]


@contextmanager
def emulated_time() -> Iterator[asyncio.Runner]:
    """A Runner in whose event loop a bridge, a router and clients live in the boards' time: their
    time limits pass as with a real board, however slow the emulation is."""
    from microwamp_rig.rp2040.loop import EmulatedLoop

    with library_time(), asyncio.Runner(loop_factory=EmulatedLoop) as runner:
        yield runner
