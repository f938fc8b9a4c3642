"""Host code in the emulated boards' time, or in one that jumps: `EmulatedLoop`, and a library that
goes by it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
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
def _runner(factory: Callable[[], asyncio.AbstractEventLoop]) -> Iterator[asyncio.Runner]:
    before = _cpython.time  # type: ignore[attr-defined]
    _cpython.time = _Time  # type: ignore[attr-defined]
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            yield runner
    finally:
        _cpython.time = before  # type: ignore[attr-defined]


@contextmanager
def emulated_time() -> Iterator[asyncio.Runner]:
    """A Runner in whose event loop a bridge, a router and clients live in the boards' time: their
    time limits pass as with a real board, however slow the emulation is."""
    from microwamp_rig.rp2040.loop import EmulatedLoop

    with _runner(EmulatedLoop) as runner:
        yield runner


@contextmanager
def virtual_time() -> Iterator[asyncio.Runner]:
    """A Runner whose event loop does not wait: where nothing is to be done, its clock jumps to the
    next timer. For what talks within this process: an answer from elsewhere comes too late."""
    from microwamp_rig.rp2040.loop import EmulatedLoop

    with _runner(lambda: EmulatedLoop(alone=True)) as runner:
        yield runner
