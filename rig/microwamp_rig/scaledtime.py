"""An event loop in which time passes faster than on the wall: every timer, scaled by one factor.

    with scaled_time(100) as runner:
        runner.run(main())

What runs in it waits a hundredth of what it says: link, bridge, router, clients and
`asyncio.timeout` alike, so that their time limits keep their proportions. Processors do not run
faster: a millisecond of work counts as a tenth of a second.

It waits with select(2), whose time-outs are finer than the milliseconds of epoll: descriptors are
below 1,024.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from microwamp_rig.boardtime import library_time


class _Selector(selectors.SelectSelector):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self._factor = factor

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / self._factor)


class ScaledLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        super().__init__(_Selector(factor))

    def time(self) -> float:
        return monotonic() * self._factor


@contextmanager
def scaled_time(factor: float) -> Iterator[asyncio.Runner]:
    """A Runner of a ScaledLoop; the library's clock goes by it too."""
    with library_time(), asyncio.Runner(loop_factory=lambda: ScaledLoop(factor)) as runner:
        yield runner
