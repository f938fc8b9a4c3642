"""What the programs beside this share: a quiet board, times, allocations, and the report.

MicroPython only. Times are those of the chip's microsecond timer; what the measuring itself takes
is measured in the same way and taken off. The collector is off while something is timed.
"""

import gc
import json
import sys
import time

import machine

# The NVIC's registers, and the bit of the USB controller's interrupt: while that is masked, no
# console is served between two bytecodes, which would cost as much as the program itself.
ENABLE = 0xE000E100
_DISABLE = 0xE000E180
USB = 1 << 5

_figures = {}
ticks_us = time.ticks_us
ticks_diff = time.ticks_diff


def run(program, *arguments):
    """Run a program's `main(*arguments)` and print its figures."""
    machine.mem32[_DISABLE] = USB
    error = None
    try:
        __import__(program).main(*arguments)
    except BaseException as e:
        error = e
    gc.enable()
    machine.mem32[ENABLE] = USB
    time.sleep_ms(10)
    if error is not None:
        sys.print_exception(error)
        print("FAILED")
        return
    for name in _figures:
        print("FIGURE", json.dumps([name, _figures[name]]))
    version = ".".join([str(x) for x in sys.implementation[1][:3]])
    print("FIGURE", json.dumps(["micropython", version]))
    print("END")


def figure(name, value):
    """Keep a figure for the report."""
    _figures[name] = value


def fresh():
    """Collect garbage, and use up the holes that it left, with the collector off from then on.

    The time that the allocator takes depends on where it finds room: behind everything, as after
    this, it is at its best, and does not change when something else in the heap does.
    """
    gc.enable()
    gc.collect()
    gc.disable()
    together = 0
    while together < 3:
        first = id(object())
        for _ in range(62):
            _ = (first,)  # a tuple, one block of the heap like the object
        together = together + 1 if id(object()) == first + 63 * 16 else 0


def _idle(n, f, *args):
    for _ in range(n):
        pass


def _loop1(n, f, a):
    for _ in range(n):
        f(a)


def _loop2(n, f, a, b):
    for _ in range(n):
        f(a, b)


def calls(name, f, *args, n=5, batches=3, heap=True, settle=True):
    """Figures `name` (us) and `name.heap` (octets) of f(a) or f(a, b).

    The median of some batches of `n` calls each, after one call to warm up; heap: of one call.
    settle: see `fresh`; without, the caller has done it, and turns the collector on afterwards.
    """
    loop = _loop1 if len(args) == 1 else _loop2
    if settle:
        fresh()
    f(*args)
    figure(name, round((_median(loop, n, batches, f, args) - _own(n, f, args)) / n, 2))
    if heap:
        used = []
        for what in (_idle, loop):
            before = gc.mem_alloc()
            what(1, f, *args)
            used.append(gc.mem_alloc() - before)
        figure(name + ".heap", used[1] - used[0])
    if settle:
        gc.enable()


def _own(n, f, args):
    return _median(_idle, n, 1, f, args)


def _median(loop, n, batches, f, args):
    times = []
    for _ in range(batches):
        t = ticks_us()
        loop(n, f, *args)
        times.append(ticks_diff(ticks_us(), t))
    times.sort()
    return times[batches // 2]


class Series:
    """Times of something that cannot be repeated at once, taken by the caller one by one:
    `t = ticks_us(); what_is_timed(); series.add(t, ticks_us())`."""

    def __init__(self):
        self._times = []
        own = []
        for _ in range(8):
            t = ticks_us()
            own.append(ticks_diff(ticks_us(), t))
        self._own = sum(own) / len(own)

    def add(self, begin, end):
        self._times.append(ticks_diff(end, begin) - self._own)

    def mean(self):
        """Of the times in microseconds; the timer's steps of one average out."""
        return round(sum(self._times) / len(self._times), 2)
