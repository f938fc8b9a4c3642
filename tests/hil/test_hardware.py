"""What only a real board can show: its modem lines, USB that goes away and comes back, real time.

Collected only with --console.
"""

from __future__ import annotations

import asyncio
import statistics
import time

import pytest
from hil_bench import Bench

from microwamp_rig.real import RealBoard

pytestmark = [pytest.mark.hil, pytest.mark.hardware]

COUNTER = """
import time
n = 0
while True:
    n += 1
    print("tick", n)
    time.sleep_ms(100)
"""


@pytest.mark.timeout(120)
async def test_opening_the_port_resets_nothing(pytestconfig: pytest.Config) -> None:
    """Closing and opening it drops and raises DTR and RTS."""
    async with RealBoard(COUNTER, console=pytestconfig.getoption("--console")) as board:
        before = int((await board.expect(r"^tick (\d+)"))[1])
        board._close_port()
        await asyncio.sleep(1)
        board._open_port()
        await board.expect("^tick")  # may be what is left of a line
        after = int((await board.expect(r"^tick (\d+)"))[1])
        assert after > before + 3


@pytest.mark.timeout(120)
async def test_usb_comes_back_after_a_reset(pytestconfig: pytest.Config) -> None:
    async with RealBoard(COUNTER, console=pytestconfig.getoption("--console")) as board:
        await board.expect(r"^tick")
        for _ in range(3):
            begin = time.monotonic()
            await board.hard_reset()
            count = int((await board.expect(r"^tick (\d+)"))[1])
            assert count < 50, "it was not reset"
            assert time.monotonic() - begin < 15


@pytest.mark.benches("uart", "console")
async def test_round_trip_and_join_in_real_time(bench: Bench) -> None:
    took = []
    for n in range(50):
        begin = time.perf_counter()
        assert await bench.call("add", n, 1) == n + 1
        took.append(1000 * (time.perf_counter() - begin))
    begin = time.perf_counter()
    await bench.hard_reset()
    await bench.joined()
    joined = time.perf_counter() - begin
    print(f"round trip {statistics.median(took):.1f} ms, reset to joined {joined:.2f} s")
    assert statistics.median(took) < 50
    assert joined < 10
