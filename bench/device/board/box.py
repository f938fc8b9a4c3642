"""cryptobox: the shared key of two, and a payload of 100 octets sealed and opened.

In the RP2040's firmware or beside it; main's argument is the end of the figures' names.
"""

import gc

import measure
from measure import ticks_diff, ticks_us

before = gc.mem_alloc()
from wamp import cryptobox  # noqa: E402
from wamp.cryptobox import run  # noqa: E402


def main(which):
    gc.collect()
    loaded = gc.mem_alloc() - before
    if cryptobox._core is cryptobox._plain:
        raise ValueError("this is not what is to be measured")
    box = cryptobox.Box(bytes(range(32)), b"\x09" + bytes(31))
    _timed("box.prepare" + which, box.prepare)
    sealed = run(box.seal(bytes(100), bytes(24)))
    _timed("box.seal" + which, lambda: box.seal(bytes(100), bytes(24)))
    _timed("box.unseal" + which, lambda: box.unseal(sealed))
    long = run(box.seal(bytes(1000), bytes(24)))
    _timed("box.unseal.1000" + which, lambda: box.unseal(long))
    gc.collect()
    measure.figure("box.memory" + which, loaded)


def _timed(name, make):
    gc.collect()
    steps = make()
    longest = total = 0
    more = True
    while more:
        begin = ticks_us()
        more = next(steps, 1) is None
        took = ticks_diff(ticks_us(), begin)
        total += took
        longest = max(longest, took)
    measure.figure(name, total / 1000)
    measure.figure(name + ".stall", longest / 1000)
