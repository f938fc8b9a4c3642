"""Resets, watchdog and a killed bridge in every state of the protocol, each with a clean join.

The board stops itself (hil_device.py), so that a real one can do it too. What it cannot do itself,
losing its power, is in test_power_cuts.py.
"""

from __future__ import annotations

import asyncio

import pytest
from hil_bench import Bench, until

import wamp

pytestmark = [pytest.mark.hil]

WATCHDOG = 3  # machine.reset_cause() of an RP2040; machine.reset() is a watchdog's too

#: Before, during and after the join; in a call each way, a publish and a flash write.
AT_BOOT = ("connecting", "hello", "signing", "welcome")
JOINED = ("now", "call", "called", "publish", "write")


#: What differs between the lines is a soft reset: the chip stays, and so does its USB. The reset
#: pin in each state of both: test_power_cuts.py. machine.reset() is a watchdog's on this chip.
SOFT = [(state, "soft") for state in AT_BOOT + JOINED]
HARD = [("signing", "hard"), ("called", "hard"), ("publish", "hard")]
BITTEN = [(state, "watchdog") for state in AT_BOOT + JOINED]


@pytest.mark.benches("uart")
@pytest.mark.parametrize("state, kind", SOFT + HARD + BITTEN)
async def test_reset_in_each_state_of_a_uart(bench: Bench, state: str, kind: str) -> None:
    await _reset(bench, state, kind)


@pytest.mark.benches("console")
@pytest.mark.parametrize(
    "state, kind", [*SOFT, *HARD, ("hello", "watchdog"), ("write", "watchdog")]
)
async def test_reset_in_each_state_of_a_console(bench: Bench, state: str, kind: str) -> None:
    await _reset(bench, state, kind)


async def _reset(bench: Bench, state: str, kind: str) -> None:
    before = await bench.state()
    calling = asyncio.create_task(bench.call("fault", kind, state))
    await asyncio.wait([calling])
    if state == "called":
        # Its session ended under the call: the router says so, at once.
        error = calling.exception()
        assert isinstance(error, wamp.ApplicationError), error
    else:
        calling.result()
    after = await bench.joined(joins=2 if state == "welcome" else 1)
    assert after["boot"] != before["boot"]
    assert after["faults"] - before["faults"] == (2 if state in AT_BOOT else 1)
    assert (after["joins"], after["failures"]) == (1, 0)
    if kind != "soft":
        assert after["cause"] == WATCHDOG
    assert await bench.call("add", 20, 22) == 42
    assert await bench.call("calls", 1) == [1]
    if bench.embedded:
        assert await bench.host.call("wamp.session.count") == 2, "the old session is still there"


@pytest.mark.benches("uart", "console")
async def test_bridge_killed_and_started(bench: Bench) -> None:
    """With a call of the device and one of the host in flight: both fail at once."""
    before = await bench.state()
    bench.wanted = 2  # more than will come: the host does not answer
    calling = asyncio.create_task(bench.call("calls", 1))
    await until(lambda: bench.open_calls == 1, "the board does not call")
    await bench.kill_bridge()
    await asyncio.wait([calling])
    assert isinstance(calling.exception(), wamp.ApplicationError)
    bench.release_calls()
    await asyncio.sleep(0.5)
    bench.start_bridge()
    after = await bench.joined()
    assert after["boot"] == before["boot"], "the board was not to start anew"
    assert after["joins"] == before["joins"] + 1
    assert await bench.call("calls", 1) == [1]


@pytest.mark.benches("uart", "console")
async def test_bridge_stopped_and_started(bench: Bench) -> None:
    before = await bench.state()
    await bench.stop_bridge()
    await asyncio.sleep(3)
    bench.start_bridge()
    after = await bench.joined()
    assert (after["boot"], after["joins"]) == (before["boot"], before["joins"] + 1)
    assert await bench.call("add", 1, 1) == 2


@pytest.mark.benches("console")
async def test_prompt_is_given_back_when_the_program_ends(bench: Bench) -> None:
    """By leaving, rather than by Ctrl-C: with Ctrl-C as it was (kbd_intr(3)), and Ctrl-D starts
    the program again."""
    bench.spent = True
    seen = len(bench.log.console)
    await bench.call("leave")
    await until(lambda: "left" in bench.log.console[seen:], bench.story)
    bench.type(b"while True: pass\r\r")
    await asyncio.sleep(0.2)
    bench.type(b"\x03")
    await until(
        lambda: any("KeyboardInterrupt" in x for x in bench.log.console[seen:]), bench.story
    )
    bench.type(b"print(6 * 7)\r")
    await until(lambda: "42" in bench.log.console[seen:], bench.story)
    bench.type(b"\x04")
    assert (await bench.joined())["joins"] == 1
    bench.spent = False


@pytest.mark.benches("console")
async def test_prompt_gets_no_frame_of_the_bridge(bench: Bench) -> None:
    """Any octet of one is a key there (01 raw REPL, 04 soft reset, 05 paste mode), and an 03 among
    those that come until the bridge knows is no second Ctrl-C."""
    octets = bytes(1100)
    assert await bench.call("echo", octets) == octets  # positions with 04 in them
    seen = len(bench.log.console)
    joined = len(bench.log.all("session", state="joined"))
    bench.spent = True
    bench.type(b"\x03")
    for _ in range(10):
        await bench.host.publish("com.example.down", b"\x03\x01\x02\x04\x05" * 20)
    await until(
        lambda: any("KeyboardInterrupt" in x for x in bench.log.console[seen:]), bench.story
    )
    await asyncio.sleep(12)  # beyond probes and lost_ms
    bench.type(b"print(6 * 7)\r")
    await until(lambda: "42" in bench.log.console[seen:], bench.story)
    printed = bench.log.console[seen:]
    assert ">>> print(6 * 7)" in printed, "\n".join(map(repr, printed))
    assert [line for line in printed if "KeyboardInterrupt" in line] == ["KeyboardInterrupt: "]
    assert len(bench.log.all("session", state="joined")) == joined
