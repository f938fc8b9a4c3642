"""`RealBoard`, the class for boards on this machine's ports, at the ports of an emulated one, and
at ports where something else is."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from microwamp_rig.board import BoardError
from microwamp_rig.pty import Pty
from microwamp_rig.real import RealBoard
from microwamp_rig.rp2040 import Rp2040Board

HERE = Path(__file__).parent
smoke = pytest.mark.hil_smoke
matrix = pytest.mark.hil

PROGRAM = """
from rig_env import getenv
import machine, time
print("up", getenv("COLOUR"), getenv("MICROWAMP_URL"), open("/notes/a").read())
while True:
    time.sleep_ms(50)
"""


@matrix
@pytest.mark.timeout(280)
async def test_files_program_and_resets_by_way_of_the_console(
    rp2040: Callable[..., Rp2040Board],
) -> None:
    async with rp2040(uart="pty", console="pty") as chip:
        board = RealBoard(
            PROGRAM,
            console=chip.console_port,
            uart=chip.port,
            files={"notes/a": "of the test"},
            env={"COLOUR": "red"},
            timeout_s=60,
        )
        async with board:
            await board.expect(r"up red serial:0\?tx=0&rx=1&baud=921600 of the test")
            assert board.port == chip.port
            assert board.running
            await board.soft_reset()
            await board.expect("up red")
            await board.hard_reset()
            await board.expect("up red")
            assert [reset.cause for reset in chip.resets] == ["power", "software"]
            assert await board.exec("print(6 * 7)") == "42\n"
            with pytest.raises(BoardError, match="failed on the board:(?s:.*)ZeroDivisionError"):
                await board.exec("1 / 0")
            with pytest.raises(BoardError, match="power of a real board cannot be cut"):
                await board.kill()
        assert "/main.py" not in chip.files()
        assert not board.running


class Fake:
    """What is at the other end of a port instead of a board. answer(octets): what it sends."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._pty = Pty()
        self.path = self._pty.path

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._pty.fd, self._readable)

    def send(self, octets: bytes) -> None:
        os.write(self._pty.fd, octets)

    def _readable(self) -> None:
        self.send(self._answer(os.read(self._pty.fd, 4096)))

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pty.fd)
        self._pty.close()


@asynccontextmanager
async def at(answer: Callable[[bytes], bytes]) -> Any:
    fake = Fake(answer)
    fake.start()
    try:
        yield fake
    finally:
        fake.close()


def prompt_of(banner: bytes) -> Callable[[bytes], bytes]:
    """A prompt, raw and plain, whose board prints `banner` for any program."""

    def answer(octets: bytes) -> bytes:
        if b"\x03" in octets:
            return b"\r\nKeyboardInterrupt: \r\n>>> "
        if b"\x01" in octets:
            return b"raw REPL; CTRL-B to exit\r\n>"
        if b"\x04" in octets:
            return b"OK" + banner + b"\r\n\x04\x04>"
        return b""

    return answer


BAD = {
    "silent": (lambda octets: b"", "nothing answers within 0.9 s: not a MicroPython board"),
    "an echo": (lambda octets: octets, "does not stop for Ctrl-C.* not a MicroPython board"),
    "busy": (
        lambda octets: b"temperature 21.5\r\n",
        "it sends 'temperature 21.5' within 0.9 s.*program does not let itself be interrupted",
    ),
    "MicroPython 1.22": (
        prompt_of(b"micropython 1 22 0"),
        "it runs micropython 1.22, and microwamp needs MicroPython 1.23 or newer: flash",
    ),
    "CircuitPython": (prompt_of(b"circuitpython 9 2 0"), "it runs circuitpython 9.2, and"),
    "another prompt": (prompt_of(b"Welcome to 1 22"), "its prompt is not MicroPython's"),
}


@smoke
@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_board_is_said_in_one_sentence(name: str) -> None:
    answer, words = BAD[name]
    async with at(answer) as fake:
        board = RealBoard(PROGRAM, console=fake.path, timeout_s=0.9)
        with pytest.raises(BoardError, match=words) as caught:
            async with board:
                pass
    text = str(caught.value)
    assert text.startswith(fake.path) and "\n" not in text


async def run_of_the_suite(*options: str) -> tuple[int | None, str]:
    """Status and output of pytest in this folder, with these options."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "hil_smoke", "-p", "no:cacheprovider"]
    process = await asyncio.create_subprocess_exec(
        *command, str(HERE), *options, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@smoke
@pytest.mark.timeout(60)
async def test_suite_at_a_port_without_a_board_ends_with_one_sentence() -> None:
    """Before the first test."""
    async with at(prompt_of(b"micropython 1 22 0")) as fake:
        for options, words in [
            (("--console", "/dev/ttyNONE"), "/dev/ttyNONE: there is no such port: is the board"),
            (("--console", fake.path), f"{fake.path}: it runs micropython 1.22, and microwamp"),
            (("--uart", fake.path), "--uart (UART=) without --console (CONSOLE=)"),
        ]:
            status, output = await run_of_the_suite(*options)
            assert status == pytest.ExitCode.USAGE_ERROR, output
            assert words in output and "Traceback" not in output, output


@smoke
def test_make_hil_passes_the_ports_on() -> None:
    command = ["make", "-n", "hil", "CONSOLE=/dev/ttyACM7", "UART=/dev/ttyUSB8"]
    done = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, timeout=60)
    words = done.stdout.split()
    assert words[words.index("--console") + 1] == "'/dev/ttyACM7'", done
    assert words[words.index("--uart") + 1] == "'/dev/ttyUSB8'", done


@smoke
async def test_port_that_is_not_there_or_taken(tmp_path: Any) -> None:
    file = tmp_path / "file"
    file.touch()
    for path, words in [
        (tmp_path / "ttyACM0", "there is no such port: is the board plugged in"),
        (file, "it is not a serial port"),
        ("/", "it cannot be opened: Is a directory"),
    ]:
        with pytest.raises(BoardError, match=words):
            await RealBoard(console=str(path)).start()
    async with at(prompt_of(b"")) as fake:
        one = RealBoard(console=fake.path)
        one._open_port()
        with pytest.raises(BoardError, match="it is in use by another program"):
            await RealBoard(console=fake.path).start()
        with pytest.raises(LookupError, match="without a port for its UART"):
            _ = one.port
        await one.close()


@smoke
async def test_board_that_goes_away(tmp_path: Any) -> None:
    async with at(prompt_of(b"")) as fake:
        board = RealBoard(console=fake.path, timeout_s=0.9)
        board._open_port()
        fake._pty.close()
        await asyncio.sleep(0.05)
        with pytest.raises(BoardError, match="no such port|went away|cannot be opened"):
            await board.start()
        await board.close()
        fake._pty = Pty()
