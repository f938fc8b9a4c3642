"""Many calls at a time, long messages, a console in use, 03 in frames, a bad line."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hil_bench import Bench, gathered, until

import wamp
from microwamp.router import Limits
from microwamp_rig.line import Rates

pytestmark = [pytest.mark.hil]
both_lines = pytest.mark.benches("uart", "console")
both_routers = pytest.mark.benches("uart", "console", "uart-crossbar")

#: Longest message that the device takes.
DEVICE_LIMIT = 8192


@both_routers
@pytest.mark.parametrize("count", [1, 10, 100])
async def test_concurrent_calls_of_the_device(bench: Bench, count: int) -> None:
    results = await gathered(bench.call("add", n, count) for n in range(count))
    assert results == [n + count for n in range(count)]


@both_routers
@pytest.mark.parametrize("count", [1, 10, 100])
async def test_concurrent_calls_by_the_device(bench: Bench, count: int) -> None:
    """The host answers when all are there."""
    bench.wanted = count
    assert await bench.call("calls", count) == [n + 1 for n in range(count)]


@both_routers
async def test_payload_up_to_the_limit_and_one_over(bench: Bench) -> None:
    with pytest.raises(wamp.ApplicationError) as caught:
        await bench.call("length", bytes(DEVICE_LIMIT))
    assert caught.value.error == "wamp.error.payload_size_exceeded"
    said = re.search(r"of (\d+) octets, the device takes (\d+)", str(caught.value.args[0]))
    assert said is not None and int(said[2]) == DEVICE_LIMIT, caught.value.args
    room = DEVICE_LIMIT - (int(said[1]) - DEVICE_LIMIT)
    assert await bench.call("length", bytes(room)) == room
    with pytest.raises(wamp.ApplicationError) as caught:
        await bench.call("length", bytes(room + 1))
    assert caught.value.error == "wamp.error.payload_size_exceeded"
    assert await bench.call("add", 1, 1) == 2


@both_routers
async def test_long_messages_both_ways(bench: Bench) -> None:
    octets = bytes(range(256)) * 16
    assert await bench.call("echo", octets) == octets
    bench.heard.clear()
    await bench.call("publish", 4, 2500)
    assert bench.heard == [0, 1, 2, 3]


async def test_answer_too_long_for_the_router(make_bench: Callable[..., Bench]) -> None:
    """The caller is told, the publisher too, and the session goes on."""
    bench = make_bench(limits=Limits(message=4096))
    await bench.start()
    with pytest.raises(wamp.ApplicationError) as caught:
        await bench.call("blob", 4096)
    assert caught.value.error == "wamp.error.payload_size_exceeded"
    said = re.search(r"of (\d+) octets, the router accepts 4096", str(caught.value.args[0]))
    assert said is not None, caught.value.args
    room = 4096 - (int(said[1]) - 4096)
    assert await bench.call("blob", room) == bytes(room)
    with pytest.raises(wamp.ApplicationError, match="of 4097 octets"):
        await bench.call("blob", room + 1)
    with pytest.raises(wamp.ApplicationError, match="octets"):
        await bench.call("publish", 1, 4096)
    state = await bench.state()
    assert state["joins"] == 1


@both_lines
async def test_0x03_inside_a_frame_is_data(bench: Bench) -> None:
    before = await bench.state()
    for octets in (b"\x03", b"\x03" * 300, b"\x01\x02\x03\x04\x05" * 60, b"\xf8\xc1\x03" * 80):
        assert await bench.call("echo", octets) == octets
    after = await bench.state()
    assert (after["boot"], after["joins"]) == (before["boot"], before["joins"])


@both_lines
async def test_prints_and_tracebacks_while_traffic_flows(bench: Bench) -> None:
    """Every call is answered, every line is seen whole, and nothing is lost or ends."""
    seen = len(bench.log.console)
    before = await bench.state()
    results = await gathered(
        [bench.call("chatter", 40), *[bench.call("echo", "x" * 40 * n) for n in range(20)]]
    )
    assert results == [40, *["x" * 40 * n for n in range(20)]]
    wanted = [f"line {n} {'-' * (n * 7 % 90)}".rstrip() for n in range(40)]
    if bench.line == "console":
        await until(lambda: wanted[-1] in bench.log.console, bench.story)
        lines = [line.rstrip() for line in bench.log.console[seen:]]
    else:
        await bench.board.expect("^line 39", timeout_s=60)
        lines = [line.rstrip() for line in bench.board.lines]
    assert [line for line in lines if line.startswith("line ")][-40:] == wanted
    assert lines.count("KeyError: missing") >= 8
    after = await bench.state()
    assert (after["boot"], after["joins"]) == (before["boot"], before["joins"])


@pytest.mark.emulated
async def test_line_with_bit_errors(make_bench: Callable[..., Bench]) -> None:
    """1e-4 in both directions: one frame in five of 256 octets is damaged. Nothing is lost,
    doubled or changed, and the session stays."""
    bench = make_bench(rates=Rates(bit_error=1e-4))
    await bench.start()
    octets = bytes(range(256)) * 4
    for _ in range(6):
        assert await bench.call("echo", octets) == octets
    bench.heard.clear()
    await bench.call("publish", 20, 100)
    assert bench.heard == list(range(20))
    state = await bench.state()
    assert state["joins"] == 1
    assert bench.flipped > 10
