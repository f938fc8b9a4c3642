"""The line at its worst, in mid-transfer: clocks that drift apart, breaks, erases of flash, noise,
lost octets, stalls, cuts. The session outlives all of it, and nothing is lost, doubled or changed.

The smoke tier has what a UART alone can show; the rest of the matrix puts a line with faults
(`microwamp_rig.line`) between the board and the bridge.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hil_bench import Bench, gathered

from microwamp_rig.line import Rates
from microwamp_rig.rp2040 import FlashTiming, Rp2040Board

pytestmark = [pytest.mark.emulated]
uart = pytest.mark.benches("uart")

OCTETS = bytes(range(256)) * 4


@asynccontextmanager
async def traffic(bench: Bench) -> AsyncIterator[None]:
    """Calls of the device and events from it, all the while and once more afterwards; each right,
    and all in the session of before."""
    before = await bench.state()
    bench.heard.clear()
    over = asyncio.Event()
    counts = [0, 0]

    async def calls() -> None:
        while not over.is_set() or not counts[0]:
            assert await bench.call("echo", OCTETS, timeout_ms=30000) == OCTETS
            counts[0] += 1

    async def events() -> None:
        while not over.is_set() or not counts[1]:
            await bench.call("publish", 3, 300, timeout_ms=30000)
            counts[1] += 1

    working = asyncio.create_task(gathered([calls(), events()]))
    try:
        yield
        over.set()
        await working
    finally:
        working.cancel()
        await asyncio.wait([working])
    assert bench.heard == [0, 1, 2] * counts[1]
    assert await bench.call("echo", OCTETS) == OCTETS
    after = await bench.state()
    assert (after["boot"], after["joins"]) == (before["boot"], before["joins"])


def board(bench: Bench) -> Rp2040Board:
    assert isinstance(bench.board, Rp2040Board)
    return bench.board


@uart
async def test_clocks_that_differ_by_what_a_uart_bears(bench: Bench) -> None:
    """3 % either way: every bit is sampled off its middle, and none is read wrongly."""
    chip = board(bench).uart
    framing = chip.counters.framing
    for percent in (3, -3):
        chip.baud = round(bench.baud * (1 + percent / 100))
        async with traffic(bench):
            await asyncio.sleep(0.05)
    chip.baud = bench.baud
    assert chip.counters.framing == framing


@uart
async def test_clocks_that_drift_out_of_reach_and_come_back(bench: Bench) -> None:
    chip = board(bench).uart
    framing = chip.counters.framing
    async with traffic(bench):
        for percent in (4, 6, 9, 4):
            chip.baud = round(bench.baud * (1 + percent / 100))
            await asyncio.sleep(0.1)
        chip.baud = bench.baud
    assert chip.counters.framing > framing


@uart
async def test_breaks_both_ways(bench: Bench) -> None:
    """As a USB adapter sends one when it is plugged in, and a board when it is reset."""
    chip = board(bench).uart
    breaks = chip.counters.breaks
    async with traffic(bench):
        for _ in range(6):
            chip.send_break(30)
            await asyncio.sleep(0.02)
            await bench.call("break", 1)
    assert chip.counters.breaks - breaks == 6


@uart
@pytest.mark.parametrize("ms", [45, 400])
async def test_an_erase_of_flash_in_mid_transfer(bench: Bench, ms: int) -> None:
    """Interrupts are off meanwhile: what comes in beyond 32 octets is lost. 45 ms is what a
    sector takes as a rule, 400 the longest that its data sheet allows."""
    flash = board(bench).machine.flash
    usual, overrun = flash.timing, board(bench).uart.counters.overrun
    flash.timing = FlashTiming(erase=ms, program=usual.program)
    try:
        async with traffic(bench):
            await bench.call("write", 45, timeout_ms=30000)
    finally:
        flash.timing = usual
    assert board(bench).uart.counters.overrun > overrun


RATES = {
    "1e-5": Rates(bit_error=1e-5),
    "1e-3": Rates(bit_error=1e-3),
    "octets": Rates(drop=1e-3, duplicate=1e-3, insert=1e-3),
}


@pytest.mark.hil
@pytest.mark.parametrize("name", RATES)
async def test_a_noisy_line(make_bench: Callable[..., Bench], name: str) -> None:
    bench = make_bench(rates=Rates())
    await bench.start()
    bench.cable.set_rates(RATES[name])
    async with traffic(bench):
        await asyncio.sleep(1)


@pytest.mark.hil
async def test_a_line_that_is_cut_held_low_stalled_and_out_of_tune(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(rates=Rates())
    await bench.start()
    line = bench.cable
    for begin, end, seconds in (
        (line.cut, line.restore, 6.0),
        (line.begin_break, line.end_break, 6.0),
        (line.begin_break, line.end_break, 0.01),
        (line.stall, line.resume, 3.0),
        (lambda: line.set_drift(0.06), lambda: line.set_drift(0.0), 1.0),
        (lambda: line.set_drift(0.025), lambda: line.set_drift(0.0), 0.5),
    ):
        async with traffic(bench):
            await asyncio.sleep(0.1)
            begin()
            await asyncio.sleep(seconds)
            end()
