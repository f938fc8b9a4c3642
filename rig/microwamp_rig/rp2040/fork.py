"""Copies of a machine that has come so far: `fork(2)` in 3 ms instead of seconds of emulation.

    machine.run_until(joined, 5000)
    for cut in range(100):
        result = forked(lambda: fault_case(machine, cut)).result()

Each copy is a process; several at once use several processors. Only a machine that is run
directly can be forked, not one that an event loop drives: the loop's descriptors would be shared.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class ForkError(RuntimeError):
    """The copy failed: the text is its traceback, or how it ended."""


class Forked(Generic[T]):
    """A copy at work. `result` waits for it; leaving the `with` block ends it in any case."""

    def __init__(self, pid: int, pipe: int) -> None:
        self._pid = pid
        self._pipe = pipe

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def result(self, timeout_s: float = 120.0) -> T:
        """What the function returned in the copy. Raises ForkError if it failed, TimeoutError
        (and ends the copy) if it takes too long."""
        deadline = time.monotonic() + timeout_s
        octets = b""
        try:
            while True:
                wait = deadline - time.monotonic()
                if wait <= 0 or not select.select([self._pipe], [], [], wait)[0]:
                    raise TimeoutError(f"the forked machine is not done after {timeout_s} s")
                piece = os.read(self._pipe, 1 << 16)
                if not piece:
                    break
                octets += piece
        finally:
            status = self.close()
        if not octets:
            raise ForkError(f"the forked machine ended without a result (status {status})")
        done: bool
        value: T
        text: str
        done, value, text = pickle.loads(octets)
        if not done:
            raise ForkError(text)
        return value

    def close(self) -> int:
        """Ends the copy; returns its status as os.waitpid does, 0 the second time."""
        if self._pid == 0:
            return 0
        os.close(self._pipe)
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid == 0:
            os.kill(self._pid, signal.SIGKILL)
            _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return status


def forked(function: Callable[[], T]) -> Forked[T]:
    """Runs the function in a copy of this process. Its result must be picklable."""
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("a machine that an event loop runs cannot be forked")
    ours, theirs = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return Forked(pid, ours)
    # In the copy: nothing of ours may run at its end, no pytest, no atexit.
    status = 1
    try:
        os.close(ours)
        try:
            octets = pickle.dumps((True, function(), ""))
        except BaseException:
            octets = pickle.dumps((False, None, traceback.format_exc()))
        while octets:
            octets = octets[os.write(theirs, octets) :]
        status = 0
    finally:
        os._exit(status)
