"""An event loop whose clock is the emulated time of the boards in it.

The emulation of a busy board is thirty times slower than the chip, so with the wall clock every
time limit of the host's side (a retransmission, a login that may take so long) would have to be
wider by that. Here they pass as on real hardware: what runs in this loop, a bridge, a router, a
test with its `asyncio.timeout`, lives in the boards' time.

    with asyncio.Runner(loop_factory=EmulatedLoop) as runner:
        runner.run(main())

While all boards sleep, time goes with the wall clock, so that other processes and threads can take
part; with `alone=True`, where nobody else does, it jumps.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from .machine import Machine

_SLICE_NS = 100_000.0  # emulated time between two looks at the host's descriptors
_TURN_NS = 10_000.0  # what a turn of the host takes
_NAP_S = 0.05


class EmulatedLoop(asyncio.SelectorEventLoop):
    """See above. A board that is started within it joins by itself."""

    def __init__(self, alone: bool = False) -> None:
        self._now_ns = 0.0
        self._alone = alone
        self._asked = False  # for a turn: a board caused something to be done
        self._machines: dict[Machine, tuple[float, Callable[[BaseException], None]]] = {}
        super().__init__(_Selector(self._pass_time))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now_ns / 1e9

    def call_soon(self, *args: Any, **options: Any) -> asyncio.Handle:  # type: ignore[override]
        self._asked = True
        return super().call_soon(*args, **options)

    def call_at(self, *args: Any, **options: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        self._asked = True
        return super().call_at(*args, **options)

    def attach(self, machine: Machine, failed: Callable[[BaseException], None]) -> None:
        """From now on the machine runs with the loop. failed(error): it does not any more."""
        self._machines[machine] = self._now_ns - machine.nanos, failed

    def detach(self, machine: Machine) -> None:
        self._machines.pop(machine, None)

    def _pass_time(self, seconds: float | None, poll: Callable[[float], bool]) -> None:
        """Lets time pass until `poll` is true, a board gave the loop something to do, or for so
        long."""
        end = float("inf") if seconds is None else self._now_ns + seconds * 1e9
        if poll(0):
            # Time passes also where a descriptor is always ready, such as one that hung up.
            self._advance(min(end, self._now_ns + _TURN_NS))
        self._asked = False
        while self._now_ns < end and not self._asked and not poll(0):
            if any(machine.executing for machine in self._machines):
                self._advance(min(end, self._now_ns + _SLICE_NS))
                continue
            quiet = min((machine.idle_ns for machine in self._machines), default=float("inf"))
            target = min(end, self._now_ns + quiet)
            if not self._alone or target == float("inf"):
                begin = monotonic()
                poll(min((target - self._now_ns) / 1e9, _NAP_S))
                target = min(target, self._now_ns + round((monotonic() - begin) * 1e9))
            self._advance(target)

    def _advance(self, target: float) -> None:
        """Brings all machines to that time."""
        for machine, (offset, failed) in list(self._machines.items()):
            end = target - offset
            try:
                while machine.nanos < end:
                    machine.advance(end)
            except Exception as error:
                self.detach(machine)
                failed(error)
        self._now_ns = max(self._now_ns, target)


class _Selector(selectors.BaseSelector):
    """The system's selector; its waiting is `pass_time`'s."""

    def __init__(self, pass_time: Callable[[float | None, Callable[[float], bool]], None]) -> None:
        self._pass_time = pass_time
        self._inner = selectors.DefaultSelector()
        self._found: list[tuple[selectors.SelectorKey, int]] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._found = []
        if timeout is not None and timeout <= 0:
            self._poll(0)
        else:
            self._pass_time(timeout, self._poll)
        return self._found

    def _poll(self, seconds: float) -> bool:
        if not self._found:
            self._found = self._inner.select(seconds)
        return bool(self._found)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.get_key(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()
