"""Unplugging, resets and kills, a few hundred of them in a hundredth of the time: nothing is left.
One of the three bridges is a process, and is killed as one.

The long run is a stage of `make bench-bridge`.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from microwamp_rig.scaledtime import scaled_time

BENCH = Path(__file__).parents[2] / "bench" / "bridge"


def test_nothing_is_left_of_two_hundred_cycles(monkeypatch: pytest.MonkeyPatch):
    """Descriptors and tasks are those of before, and every device got through in the end."""
    monkeypatch.syspath_prepend(str(BENCH))
    cycles = importlib.import_module("cycles")
    try:
        with scaled_time(cycles.FACTOR) as runner:
            found = runner.run(cycles.measure(200, seed=1, cells=3, parts=2, processes=1))
    finally:
        del sys.modules["cycles"], sys.modules["killed"]
    assert found["cycles"] > 150 and set(found["events"]) == {*cycles.EVENTS, cycles.SIGKILL}
    assert found["killed_joined"] > 0
    assert found["grown"]["descriptors"] <= 0, found
    assert found["grown"]["tasks"] <= 0, found
    # A cycle that leaves one object of ours leaves its attributes and buffers too.
    assert found["grown"]["objects"] < 1000, found
