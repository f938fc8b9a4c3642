"""MicroPython in the event loop's time: what it does depends on nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from microwamp_rig.lockstep import LockstepBoard
from microwamp_rig.virtual_loop import virtual_time

SLEEPER = """
import lockstep_device as lockstep
import asyncio, os, time
from machine import UART
from wamp._port import Alarm, readable, ticks

uart = UART(0, 9600)

async def wake(every):
    while True:
        await asyncio.sleep_ms(every)
        lockstep.say("%d after %d" % (every, time.ticks_diff(ticks(), begin)))

async def echo():
    while True:
        await readable(uart)
        octets = bytearray(uart.any())
        uart.readinto(octets)
        lockstep.say("sent %s %s" % (uart.write(octets), uart.txdone()))
        Alarm(lambda: lockstep.say("rang, sent: %s" % uart.txdone())).within(30)

begin = ticks()
lockstep.say(str(os.urandom(4)))

async def main():
    tasks = [asyncio.create_task(one) for one in (wake(300), wake(70), echo())]
    while True:
        word = await lockstep.commands.take()
        lockstep.say("told %s after %d" % (word, time.ticks_diff(ticks(), begin)))

asyncio.run(main())
"""


def course(program: Path, board: str) -> tuple[list[str], list[bytes], int]:
    async def main() -> tuple[list[str], list[bytes], int]:
        said: list[str] = []
        sent: list[bytes] = []
        one = LockstepBoard(program, sent.append, said.append, board)
        one.start()
        try:
            await asyncio.sleep(0.1)
            one.feed(b"0123456789")
            await asyncio.sleep(0.2503)
            one.tell("this")
            one.tell("that")
            await asyncio.sleep(0.4)
            return said, sent, one.turns
        finally:
            one.kill()
            one.kill()

    with virtual_time() as runner:
        return runner.run(main())


@pytest.mark.parametrize("board", ["unix", "unix32"])
def test_it_takes_the_same_course_each_time(board: str, tmp_path: Path) -> None:
    program = tmp_path / "sleeper.py"
    program.write_text(SLEEPER)
    said, sent, turns = course(program, board)
    assert sent == [b"0123456789"]
    assert said[1:] == [
        "70 after 70", "sent 10 False", "rang, sent: True", "70 after 140", "70 after 210",
        "70 after 280", "300 after 300", "70 after 350", "told this after 350",
        "told that after 350", "70 after 420", "70 after 490", "70 after 560", "300 after 600",
        "70 after 630", "70 after 700",
    ]  # fmt: skip
    assert course(program, board) == (said, sent, turns)


def test_a_program_that_ends_is_told_with_what_it_printed(tmp_path: Path) -> None:
    program = tmp_path / "ends.py"
    program.write_text(
        "import lockstep_device as lockstep, asyncio\n"
        "async def main():\n"
        "    await lockstep.commands.take()\n"
        "    raise ValueError('what')\n"
        "asyncio.run(main())\n"
    )

    async def main() -> None:
        said: list[str] = []
        board = LockstepBoard(program, lambda octets: None, said.append)
        board.start()
        board.tell("end")
        await asyncio.sleep(1)
        assert "ValueError: what" in str(board.failed) and said == [f"failed {board.failed}"]
        board.feed(b"nobody is there")
        await asyncio.sleep(1)
        board.kill()

    with virtual_time() as runner:
        runner.run(main())
