"""The longest outage of a serial line that a connection of the link outlives, in virtual time.

    python bench/link/outage.py [--seed 1] [--phases 24] [--json]

An outage begins at a moment drawn from the seed, on a line that is idle or busy both ways; its
length is searched to 20 ms. "always": the shortest of those limits, so no outage up to it ever
costs a connection; "at best": the longest of them. Cut: both wires carry nothing. Unplugged: the
same, and the bridge opens the port again, for which it sends ANNOUNCE.
"""

from __future__ import annotations

import argparse
import json
import random
import sys

from microwamp_rig.virtual_link import VirtualLink

LOADS = {"idle": 0, "busy": 1 << 40}
KINDS = ("cut", "unplugged")
_STEP_MS = 20
_LATER_MS = 3000  # what a connection has to find together again, after the outage


def outlives(load: str, kind: str, begin_ms: float, outage_ms: float, seed: int) -> bool:
    """Whether both ends are in the connection of before, after an outage."""
    line = VirtualLink(seed, 115200)
    line.connect()
    for end in line.ends:
        end.wanted = LOADS[load]
    line.run(lambda: False, begin_ms)
    line.up.cut = line.down.cut = True
    line.run(lambda: False, outage_ms)
    line.up.cut = line.down.cut = False
    if kind == "unplugged":
        line.bridge.link.announce(line.ms())
    got = line.bridge.link.received
    line.run(lambda: False, _LATER_MS)
    return line.connected() and line.connections == 2 and line.bridge.link.received > got


def limit_ms(load: str, kind: str, begin_ms: float, seed: int) -> int:
    """The longest outage that is outlived, to 20 ms."""
    low, high = 0, 12_000 // _STEP_MS
    while high - low > 1:
        middle = (low + high) // 2
        if outlives(load, kind, begin_ms, middle * _STEP_MS, seed):
            low = middle
        else:
            high = middle
    return low * _STEP_MS


def main() -> int:
    """Measure all and print."""
    parser = argparse.ArgumentParser(description="The longest outage that a connection outlives.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phases", type=int, default=24, help="moments at which it begins")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    for load in LOADS:
        for kind in KINDS:
            rng = random.Random(options.seed)
            limits = [
                limit_ms(load, kind, 500 + rng.random() * 7000, options.seed + n)
                for n in range(options.phases)
            ]
            found = {
                "load": load,
                "outage": kind,
                "seed": options.seed,
                "phases": options.phases,
                "always_ms": min(limits),
                "at_best_ms": max(limits),
            }
            if options.json:
                print(json.dumps(found), flush=True)
            else:
                print(
                    f"{load}, {kind:9}: always up to {min(limits) / 1000:.2f} s, at best "
                    f"{max(limits) / 1000:.2f} s (lost_ms 10 s)",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
