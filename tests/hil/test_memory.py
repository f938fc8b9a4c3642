"""Memory over many joins and many calls: no upward slope of what is in use."""

from __future__ import annotations

import asyncio

import pytest
from hil_bench import Bench, gathered

pytestmark = [pytest.mark.hil]

JOINS = 20
CALLS = 500
AT_A_TIME = 10


def slope(values: list[int]) -> float:
    """Of the line through the values (least squares), per step."""
    n = len(values)
    middle = (n - 1) / 2
    mean = sum(values) / n
    above = sum((x - middle) * (y - mean) for x, y in enumerate(values))
    return above / sum((x - middle) ** 2 for x in range(n))


@pytest.mark.benches("uart")
async def test_memory_over_20_joins(bench: Bench) -> None:
    """The bridge is killed each time; the board goes on without a reset."""
    boot = (await bench.state())["boot"]
    free = []
    for n in range(JOINS):
        await bench.kill_bridge()
        bench.start_bridge()
        assert (await bench.joined())["boot"] == boot
        free.append(await bench.call("memory"))
        if n % 3 == 2:
            await asyncio.sleep(9)  # after short sessions the client waits, up to 45 s
    print("free:", *free)
    # Some kilobytes go with the first join: stale references in coroutines keep the last transport
    # alive. After that less than a block of the heap for each; a leaked session would be 10 kB.
    assert slope(free[5:]) > -16, free
    assert min(free) > free[0] - 4096, free


@pytest.mark.benches("uart")
async def test_memory_over_500_calls(bench: Bench) -> None:
    """Half of them the board's own."""
    free = []
    for _ in range(CALLS // AT_A_TIME // 2):
        results = await gathered(bench.call("add", n, n) for n in range(AT_A_TIME))
        assert results == [2 * n for n in range(AT_A_TIME)]
        bench.wanted = AT_A_TIME
        assert await bench.call("calls", AT_A_TIME) == [n + 1 for n in range(AT_A_TIME)]
        free.append(await bench.call("memory"))
    print("free:", *free)
    assert slope(free[2:]) > -16, free
    assert min(free[2:]) > free[2] - 1024, free
