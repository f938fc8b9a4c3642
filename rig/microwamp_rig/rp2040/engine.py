"""Runs a machine within an event loop, in step with the wall clock (or with an `EmulatedLoop`).

Emulated time never runs ahead of the wall clock: in each turn of the loop the machine gets as much
emulated time as wall time has passed since its last turn, and what it cannot use, because the
emulation of a busy processor is some thirty times slower than the chip, is forgotten rather than
caught up. So a timer of the guest never rings earlier than one of the host, and the guest's sleep
costs nothing. Several machines share one loop; each turn takes 5 ms at most.
"""

from __future__ import annotations

import asyncio
import time

from .loop import EmulatedLoop
from .machine import Machine

_TURN_S = 0.05  # longest sleep: what comes from outside wakes us anyway
_SPIN_S = 0.001  # the event loop does not sleep more exactly than this


class PacedEngine:
    """Runs a machine while the event loop runs. rate: emulated seconds per second; None: as fast
    as it goes, through sleeps too, which suits a guest that talks to nobody with a clock.

    failed: done, with an exception, when the emulation has failed.
    """

    def __init__(self, machine: Machine, rate: float | None = 1.0) -> None:
        self.machine = machine
        self.rate = rate
        self.failed: asyncio.Future[None] | None = None
        self._loop: EmulatedLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._waker: asyncio.Future[None] | None = None
        self._at = 0.0
        self._closing = False

    @property
    def running(self) -> bool:
        return self.failed is not None and not self.failed.done()

    def start(self) -> None:
        """Starts, in the running event loop."""
        loop = asyncio.get_running_loop()
        self.failed = loop.create_future()
        if isinstance(loop, EmulatedLoop):
            self._loop = loop
            loop.attach(self.machine, self._fail)
            return
        self._closing = False
        self._at = time.monotonic()
        self._task = asyncio.create_task(self._run())

    def _fail(self, error: BaseException) -> None:
        if self.failed is not None and not self.failed.done():
            self.failed.set_exception(error)
            self.failed.exception()  # who is interested looks; it need not be reported

    async def close(self) -> None:
        """Ends, between two turns. Again is no error."""
        if self._loop is not None:
            self._loop.detach(self.machine)
            self._loop = None
        if self._task is not None:
            self._closing = True
            self.wake()
            await asyncio.wait([self._task])
            self._task = None
        if self.failed is not None:
            self.failed.cancel()

    def touch(self) -> None:
        """Before something is put in from outside: brings the clock of a sleeping machine up to
        the wall clock, and sees to it that the machine gets its turn soon."""
        if self._task is not None and self.rate is not None:
            self._doze(self._grant())
        self.wake()

    def wake(self) -> None:
        waker, self._waker = self._waker, None
        if waker is not None and not waker.done():
            waker.set_result(None)

    def _grant(self) -> float:
        """Emulated nanoseconds for the wall time since the last grant."""
        assert self.rate is not None
        now = time.monotonic()
        passed, self._at = now - self._at, now
        return float(int(passed * self.rate * 1e9))

    def _doze(self, grant: float) -> float:
        """Lets time pass as long as the machine executes nothing; returns what is left."""
        machine = self.machine
        end = machine.nanos + grant
        while machine.nanos < end and not machine.executing:
            machine.advance(end)
        return end - machine.nanos

    async def _run(self) -> None:
        try:
            await self._turns()
        except Exception as error:
            self._fail(error)

    async def _turns(self) -> None:
        machine = self.machine
        while not self._closing:
            if self.rate is None:
                idle = machine.idle_ns
                if idle == float("inf"):
                    await self._sleep(_TURN_S)
                else:
                    machine.advance(machine.nanos + max(idle, 1e9))
                    await asyncio.sleep(0)
                continue
            left = self._doze(self._grant())
            if machine.executing:
                if left > 0:
                    machine.advance(machine.nanos + left)
                await asyncio.sleep(0)
                continue
            idle_s = machine.idle_ns / 1e9 / self.rate
            if idle_s < _SPIN_S:
                await asyncio.sleep(0)
            else:
                await self._sleep(min(idle_s, _TURN_S))

    async def _sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._waker = loop.create_future()
        timer = loop.call_later(seconds, self.wake)
        try:
            await self._waker
        finally:
            timer.cancel()
            self._waker = None
