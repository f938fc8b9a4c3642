"""The power fails while a key is made: on the flash of an emulated Pico, by `microwamp provision`.

The cable goes with it. `tests/deploy` pulls cables alone, at steps by chance, on a quicker board.
"""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest
from board_commands import run, whole

from microwamp_rig.rp2040 import Rp2040Board

pytestmark = [pytest.mark.hil, pytest.mark.emulated, pytest.mark.timeout(600)]

# Milliseconds of the chip from the command's first octets: the key is there after 60,
# the board's reset comes after 110.
CUTS_MS = (15, 40, 55, 70, 100, 130)


async def provision(board: Rp2040Board, *words: str) -> tuple[int, str, str]:
    return await run("provision", board.console_port, *words)


async def cut(board: Rp2040Board, ms: float) -> tuple[int, str, str]:
    """`provision`, and so long after its last command the power fails, and the port goes."""
    off = asyncio.Event()
    typed = bytearray()
    send = board.machine.console.send

    def fail() -> None:
        board.machine.power_cut()
        off.set()

    def listen(octets: bytes) -> None:
        before = b"_make('" in typed
        typed.extend(octets)
        if not before and b"_make('" in typed:
            board.machine.after(ms, fail)
        send(octets)

    board.machine.console.send = listen  # type: ignore[method-assign]
    async with board:
        running = asyncio.create_task(provision(board))
        await off.wait()
    return await running


async def test_power_cut_while_a_key_is_made(tmp_path: Path) -> None:
    rng = random.Random(8)
    seen = set()
    for seed, ms in enumerate(CUTS_MS):
        board = Rp2040Board(uart=None, console="pty", seed=seed)
        first, told, err = await cut(board, ms + rng.uniform(-10, 10))
        assert first in (0, 3), err
        async with Rp2040Board(uart=None, console="pty", seed=seed + 100) as again:
            again.power_cut()
            again.machine.mcu.flash[:] = board.machine.mcu.flash
            await again.power_on()
            key = again.files().get("/device.key")
            status, out, err = await provision(again)
            there = again.files()
        seen.add((first, key is None))
        if first == 0:
            assert key is not None and json.loads(told)["public_key"] == whole(tmp_path, key)
        if key is None:
            assert status == 0, err
            assert json.loads(out)["public_key"] == whole(tmp_path, there["/device.key"])
        else:
            # It was made, and the host did not hear of it: named, not made anew.
            assert status == 2 and f"its public key is {whole(tmp_path, key)};" in err
            assert there["/device.key"] == key
        assert not {"/safe_mode", "/device.key.new"} & set(there)
    assert seen >= {(3, True), (3, False)}, "the cuts are all before or all after the key"
