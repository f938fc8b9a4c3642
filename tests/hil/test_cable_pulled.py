"""The cable is pulled while `microwamp deploy` and `provision` work on an emulated Pico.

The board keeps its power, so it is left in the middle of what was being typed; the next command
finds its prompt and goes on. `tests/deploy` does the same on quicker boards, at more places.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from board_commands import run, whole

from microwamp import boards
from microwamp_rig.line import Line
from microwamp_rig.rp2040 import Rp2040Board

pytestmark = [pytest.mark.emulated, pytest.mark.timeout(900)]

STOCK = Path(__file__).parents[2] / "build" / "RPI_PICO-stock" / "firmware.uf2"


class Cable:
    """A board's console at the end of a cable, and the commands that use it."""

    def __init__(self, board: Rp2040Board, line: Line) -> None:
        self._line = line
        self._left: int | None = None
        self._typed = 0
        self._send = board.machine.console.send
        board.machine.console.send = self._listen  # type: ignore[method-assign]

    def _listen(self, octets: bytes) -> None:
        if self._left is not None:
            octets = octets[: self._left]
            self._left -= len(octets)
            if not self._left:
                self._line.unplug()
        self._typed += len(octets)
        self._send(octets)

    async def run(self, *words: str, pull: int | None = None) -> tuple[int, str, str, int]:
        """A command, with the cable pulled after so many octets: its status, what it printed, and
        how many octets it typed."""
        self._line.replug()
        self._left, self._typed = pull, 0
        status, out, err = await run(words[0], self._line.port, *words[1:])
        return status, out, err, self._typed

    async def pulled(self, *words: str, pull: int) -> None:
        status, out, err, typed = await self.run(*words, pull=pull)
        assert typed == pull, "it was over before"
        assert (status, out) == (3, "") and f"port {self._line.port}" in err, err

    async def done(self, *words: str) -> tuple[dict[str, object], int]:
        """What a command says that gets through, and how many octets it typed."""
        status, out, err, typed = await self.run(*words)
        assert status == 0, err
        return json.loads(out), typed


@pytest.mark.hil_smoke
async def test_provision_goes_on_where_the_cable_was_pulled(tmp_path: Path) -> None:
    """In the middle of what makes the key, which was not made."""
    async with (
        Rp2040Board(uart=None, console="pty") as board,
        Line(board.console_port) as line,
    ):
        cable = Cable(board, line)
        await cable.pulled("provision", pull=2400)
        assert "/device.key" not in board.files()
        made, _ = await cable.done("provision")
        there = board.files()
    assert made["public_key"] == whole(tmp_path, there["/device.key"])
    assert not {"/safe_mode", "/device.key.new"} & set(there)


@pytest.mark.hil
async def test_cables_pulled_in_provision(tmp_path: Path) -> None:
    """An old key is replaced; wherever the cable was pulled, the old one or a new one is there."""
    rng = random.Random(2)
    async with (
        Rp2040Board(uart=None, console="pty", files={"main.py": "print('mine')\n"}) as board,
        Line(board.console_port) as line,
    ):
        cable = Cable(board, line)
        made, total = await cable.done("provision")
        last = whole(tmp_path, board.files()["/device.key"])
        assert made["public_key"] == last
        for pull in (rng.randint(50, total // 2), rng.randint(total // 2, total - 100)):
            await cable.pulled("provision", "--force", pull=pull)
            assert whole(tmp_path, board.files()["/device.key"]) == last
            made, _ = await cable.done("provision", "--force")
            there = board.files()
            last, before = whole(tmp_path, there["/device.key"]), last
            assert made["public_key"] == last != before
            assert there["/main.py"] == b"print('mine')\n"
            assert not {"/safe_mode", "/main.py.parked", "/device.key.new"} & set(there)


@pytest.mark.hil
async def test_cables_pulled_in_deploy(tmp_path: Path) -> None:
    """The whole library onto a stock board; each deploy goes on where the last one was cut off."""
    rng = random.Random(3)
    wanted = {**boards.device_files("armv6m"), "/main.py": boards.main_program()}
    size = sum(map(len, wanted.values()))
    async with (
        Rp2040Board(firmware=STOCK, uart=None, console="pty") as board,
        Line(board.console_port) as line,
    ):
        cable = Cable(board, line)
        arrived = 0
        # At its beginning; in the files, three times, each a part further.
        for pull in (rng.randint(20, 1500), *(rng.randint(size // 6, size // 3) for _ in "123")):
            await cable.pulled("deploy", "--realm", "lab", pull=pull)
            there = board.files()
            count = sum(there.get(path) == octets for path, octets in wanted.items())
            assert count >= arrived
            arrived = count
            assert arrived < len(wanted)
        assert arrived > 20 and "/safe_mode" in there
        done, _ = await cable.done("deploy", "--realm", "lab")
        there = board.files()
        await board.expect("wampapp", timeout_s=120)
    assert 0 < int(str(done["kept"])) and arrived <= int(str(done["kept"])) < len(wanted)
    assert {path: there[path] for path in wanted} == wanted
    assert json.loads(there["/wamp.json"])["realm"] == "lab"
    assert {name for name in there if name.startswith("/lib/wamp")} <= set(wanted)
    assert "/safe_mode" not in there
