"""A board, the bridge, a router: joins, calls, events, console, resets, the prompt, memory.

The same questions for each line (UART0, USB console), baud rate and router; the first two benches
are the smoke tier.
"""

from __future__ import annotations

import asyncio

from hil_bench import AUTHID, Bench, gathered, until


async def test_boots_and_joins_by_cryptosign(bench: Bench) -> None:
    first = bench.first
    assert (first["joins"], first["failures"]) == (1, 0)
    assert tuple(first["version"]) >= (1, 23)
    details = await bench.host.call("wamp.session.list")
    sessions = [await bench.host.call("wamp.session.get", session) for session in details]
    ours = [session for session in sessions if session["authid"] == AUTHID]
    assert [session["authmethod"] for session in ours] == ["cryptosign"]


async def test_a_call_each_way(bench: Bench) -> None:
    assert await bench.call("add", 20, 22) == 42
    assert await bench.call(
        "echo", {"a": [1, None, 2.5], "b": "ä€𝄞", "c": b"\x03\x00\xf8\xc1"}
    ) == {
        "a": [1, None, 2.5],
        "b": "ä€𝄞",
        "c": b"\x03\x00\xf8\xc1",
    }
    assert await bench.call("calls", 1) == [1]


async def test_an_event_each_way(bench: Bench) -> None:
    bench.heard.clear()
    await bench.call("publish", 3, "telemetry")
    assert bench.heard == [0, 1, 2]
    await bench.host.publish("com.example.down", "orders", acknowledge=True)
    assert (await bench.state())["heard"][-1] == "orders"


async def test_what_is_printed_between_frames_is_seen(bench: Bench) -> None:
    await bench.call("print", "seen by the operator")
    if bench.line == "console":
        await until(lambda: "seen by the operator" in bench.log.console, bench.story)
    else:
        await bench.board.expect("seen by the operator", timeout_s=60)


async def test_memory_after_20_calls_is_what_it_was_before(bench: Bench) -> None:
    await bench.call("add", 0, 0)
    before = await bench.call("memory")
    assert await gathered(bench.call("add", n, n) for n in range(20)) == list(range(0, 40, 2))
    after = await bench.call("memory")
    assert before - after < 512
    assert after > 150_000


async def test_hard_reset_and_a_clean_join(bench: Bench) -> None:
    before = await bench.state()
    await bench.hard_reset()
    after = await bench.joined()
    assert after["boot"] != before["boot"]
    assert after["joins"] == 1
    assert await bench.call("add", 1, 1) == 2
    if bench.embedded:
        assert await bench.host.call("wamp.session.count") == 2, "the old session is still there"


async def test_ctrl_c_gives_the_prompt_back(bench: Bench) -> None:
    """And a program that is started there can be interrupted again."""
    bench.spent = True
    if bench.line == "uart":
        assert await bench.board.exec("print(6 * 7)") == "42\n"
        return
    seen = len(bench.log.console)
    bench.type(b"\x03")
    await until(
        lambda: any("KeyboardInterrupt" in x for x in bench.log.console[seen:]), bench.story
    )
    bench.type(b"print(6 * 7)\r")
    await until(lambda: "42" in bench.log.console[seen:], bench.story)
    bench.type(b"while True: pass\r\r")
    await asyncio.sleep(0.1)
    bench.type(b"\x03")
    await asyncio.sleep(0.1)
    bench.type(b"print(7 * 7)\r")
    await until(lambda: "49" in bench.log.console[seen:], bench.story)
