"""Time that passes faster: all clocks agree on it, and it is the real one afterwards."""

from __future__ import annotations

import asyncio
import time

import pytest

from microwamp_rig.scaledtime import scaled_time
from wamp._port import Alarm, ticks

FACTOR = 100


async def pause() -> None:
    """A sleep of 100 s: each clock lies between two looks at the wall's, times the factor."""
    loop = asyncio.get_running_loop()
    rung = asyncio.Event()
    alarm = Alarm(rung.set)
    alarm.within(50_000)
    outer = time.monotonic()
    begin, first = loop.time(), ticks()
    inner = time.monotonic()
    await asyncio.sleep(100)
    inner = time.monotonic() - inner
    seconds, milliseconds = loop.time() - begin, (ticks() - first) & 0x3FFFFFFF
    outer = time.monotonic() - outer
    assert rung.is_set()
    assert seconds >= 100
    assert inner * FACTOR <= seconds <= outer * FACTOR
    assert inner * FACTOR * 1000 - 1 <= milliseconds <= outer * FACTOR * 1000 + 1


def test_a_minute_and_a_half_in_a_second():
    with scaled_time(FACTOR) as runner:
        runner.run(pause())


def test_time_limits_are_scaled():
    async def limited() -> None:
        async with asyncio.timeout(60):
            await asyncio.Event().wait()

    with scaled_time(FACTOR) as runner, pytest.raises(TimeoutError):
        runner.run(limited())
