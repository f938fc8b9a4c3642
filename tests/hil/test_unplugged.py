"""The host's end of the line hangs up and comes back: a bumped cable, USB after a reset."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hil_bench import Bench

from microwamp_rig.line import Rates

pytestmark = [pytest.mark.hil, pytest.mark.emulated]


@pytest.mark.parametrize("line", ["uart", "console"])
async def test_session_outlives_a_cable_and_usb_outlives_a_reset(
    make_bench: Callable[..., Bench], line: str
) -> None:
    bench = make_bench(line=line, rates=Rates())
    await bench.start()
    before = await bench.state()
    # Away for less than lost_ms, with a call each way under way.
    calling = asyncio.create_task(bench.call("calls", 1))
    bench.unplug()
    asked = asyncio.create_task(bench.call("add", 20, 22))
    await asyncio.sleep(2)
    bench.replug()
    assert await calling == [1]
    assert await asked == 42
    after = await bench.state()
    assert (after["boot"], after["joins"]) == (before["boot"], before["joins"])

    # A reset takes the port away; when it is back, the board has begun anew.
    bench.unplug()
    await bench.board.hard_reset()
    await asyncio.sleep(0.5)
    bench.replug()
    after = await bench.joined()
    assert after["boot"] != before["boot"]
    assert after["joins"] == 1
    assert await bench.call("add", 1, 1) == 2
    assert await bench.call("calls", 1) == [1]
    assert await bench.host.call("wamp.session.count") == 2, "the old session is still there"
