"""An event loop whose clock jumps, and processors in it that can stand still.

With `virtual_time` nobody waits: where nothing is to be done, the clock jumps to the next timer.
All programs in the loop are infinitely fast, and one event loop runs them all. What is run in the
context of a `Processor` (`contextvars`; tasks and timers inherit it) is a program of its own: it
stops while the processor does, as a board stops while it erases flash, and then goes on where it
was, late for all its timers.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from microwamp_rig.boardtime import library_time
from microwamp_rig.rp2040.loop import EmulatedLoop

_processor: contextvars.ContextVar[Processor | None] = contextvars.ContextVar(
    "processor", default=None
)


@contextmanager
def virtual_time() -> Iterator[asyncio.Runner]:
    """A Runner of a VirtualLoop. For what talks within this process: an answer from elsewhere
    comes too late."""
    with library_time(), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        yield runner


class _Step:
    """A callback of a processor's program; handle: what its owner may cancel."""

    handle: asyncio.Handle

    def __init__(
        self, processor: Processor, callback: Callable[..., Any], context: contextvars.Context
    ) -> None:
        self._processor = processor
        self._callback = callback
        self.context = context

    def __call__(self, *args: Any) -> None:
        if self.handle.cancelled():
            return  # while it waited
        if self._processor.stopped:
            self._processor.keep(self, args)
        else:
            self._callback(*args)


class VirtualLoop(EmulatedLoop):
    """See the module."""

    def __init__(self) -> None:
        super().__init__(alone=True)

    def call_soon(  # type: ignore[override]
        self,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        context = contextvars.copy_context() if context is None else context
        processor = context.get(_processor)
        if processor is None or isinstance(callback, _Step):
            return super().call_soon(callback, *args, context=context)
        step = _Step(processor, callback, context)
        step.handle = super().call_soon(step, *args, context=context)
        return step.handle

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        context = contextvars.copy_context() if context is None else context
        processor = context.get(_processor)
        if processor is None:
            return super().call_at(when, callback, *args, context=context)
        step = _Step(processor, callback, context)
        handle = step.handle = super().call_at(when, step, *args, context=context)
        return handle


class Processor:
    """What runs one of the programs in a VirtualLoop."""

    def __init__(self) -> None:
        self._until = 0.0
        self._kept: deque[tuple[_Step, tuple[Any, ...]]] = deque()
        self._context = contextvars.copy_context()
        self._context.run(_processor.set, self)

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call it as the processor's program; what it starts belongs to that too."""
        return self._context.run(function, *args)

    def task(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of the processor's program."""
        return asyncio.get_running_loop().create_task(work, context=self._context)

    @property
    def stopped(self) -> bool:
        """Whether it stands still."""
        # A timer may ring a nanosecond early.
        return asyncio.get_running_loop().time() + 1e-6 < self._until

    def stop(self, seconds: float) -> None:
        """It does nothing for so long; longer, if it stands still already and for longer."""
        loop = asyncio.get_running_loop()
        self._until = max(self._until, loop.time() + seconds)
        loop.call_at(self._until, self._go_on, context=contextvars.Context())

    def go(self) -> None:
        """It goes on at once."""
        self._until = 0.0
        self._go_on()

    def keep(self, step: _Step, args: tuple[Any, ...]) -> None:
        """For when it goes on."""
        self._kept.append((step, args))

    def _go_on(self) -> None:
        if self.stopped:
            return
        loop = asyncio.get_running_loop()
        kept, self._kept = self._kept, deque()
        for step, args in kept:
            loop.call_soon(step, *args, context=step.context)
