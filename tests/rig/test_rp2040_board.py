"""The emulated RP2040 as a board: ports that a host opens, console lines, power and resets."""

import asyncio
import os
import struct
import time

import pytest
import serial

from microwamp_rig.board import BoardError
from microwamp_rig.rp2040 import Firmware, Rp2040Board

# pyserial's client of rfc2217 calls what Python 3.10 deprecated.
pyserial_is_old = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")

ECHO = """
import machine, select
from rig_env import getenv
uart = machine.UART(0, 921600, tx=machine.Pin(0), rx=machine.Pin(1), rxbuf=1024, txbuf=1024)
view = memoryview(bytearray(256))
poll = select.poll()
poll.register(uart, select.POLLIN)
print("ready", getenv("MICROWAMP_URL"), getenv("COLOUR"), getenv("SIZE", "any size"))
while True:
    poll.poll()
    n = uart.any()
    if n:
        n = uart.readinto(view[:min(n, 256)])
        uart.write(view[:n])
"""


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


async def test_pyserial_at_the_uart_and_everything_is_closed_at_the_end():
    before = open_descriptors()
    octets = bytes(range(256)) * 2

    def host(path: str) -> None:
        for text in (b"once", octets):
            with serial.Serial(path, 921600, timeout=60) as port:
                port.write(text)
                assert port.read(len(text)) == text

    async with Rp2040Board(ECHO, env={"COLOUR": "red"}) as board:
        match = await board.expect("^ready (.*)$")
        assert match[1] == "serial:0?tx=0&rx=1&baud=921600 red any size"
        await asyncio.to_thread(host, board.port)
        assert board.uart.counters.received == 4 + len(octets)
    assert not board.running
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert open_descriptors() == before


async def test_emulated_time_follows_the_wall_clock_and_never_runs_ahead():
    begin = time.monotonic()
    async with Rp2040Board("import time\nwhile True: time.sleep_ms(10)") as board:
        await asyncio.sleep(0.2)
        emulated, used, since = board.emulated_ms, time.process_time(), time.monotonic()
        for _ in range(20):
            await asyncio.sleep(0.05)
            assert board.emulated_ms <= 1e3 * (time.monotonic() - begin)
        assert board.emulated_ms - emulated > 500
        # What sleeps costs little: an emulation that ran on would take all of a processor.
        assert time.process_time() - used < 0.6 * (time.monotonic() - since)


async def test_two_boards_in_one_loop():
    def host(first: str, second: str) -> None:
        with serial.Serial(first, timeout=60) as a, serial.Serial(second, timeout=60) as b:
            a.write(b"to a")
            b.write(b"to b")
            assert b.read(4) == b"to b"
            assert a.read(4) == b"to a"

    async with Rp2040Board(ECHO, seed=1) as one, Rp2040Board(ECHO, seed=2) as two:
        await asyncio.gather(one.expect("ready"), two.expect("ready"))
        await asyncio.to_thread(host, one.port, two.port)


async def test_buttons_power_and_what_they_leave():
    seen: list[str] = []
    program = (
        """
import machine, os
print("boot", machine.reset_cause(), sorted(os.listdir()))
open("kept", "w").close()
print("half", end="")
"""
        + ECHO
    )
    async with Rp2040Board(program, files={"a": b"x"}, on_line=seen.append) as board:
        await board.expect(r"boot 1 \['a', 'lib', 'main.py'\]")
        await board.expect("ready")
        await board.reset()
        await board.expect(r"boot 1 .*'kept'")
        await board.expect("ready")
        await board.soft_reset()
        await board.expect("soft reboot")
        await board.expect("ready")
        await board.kill()
        assert not board.running
        with pytest.raises(BoardError, match="ended without a line like 'never'(?s:.*)ready"):
            await board.expect("never")
        with pytest.raises(BoardError, match="the board is off"):
            await board.reset()
        assert board.files()["/a"] == b"x"
        with serial.Serial(board.port) as host:
            host.write(b"nobody is there")
        await board.start()
        await board.expect("ready")
        with pytest.raises(BoardError, match="runs already"):
            await board.start()
        assert [reset.cause for reset in board.resets] == ["power", "run", "power"]
        assert board.starts == 3
        assert board.uart.counters.received == 0
        with pytest.raises(BoardError, match=r"no line like 'never' in 0.1 s"):
            await board.expect("never", timeout_s=0.1)
    assert seen == list(board.lines)


async def test_watchdog_is_observed():
    program = """
import machine
if machine.reset_cause() == 1:
    machine.WDT(timeout=50)
    while True:
        machine.idle()
print("bitten")
"""
    async with Rp2040Board(program, uart=None) as board:
        reset = await board.expect_reset("watchdog")
        assert reset.cause == "watchdog"
        await board.expect("bitten")
        with pytest.raises(LookupError, match='uart="pty"'):
            _ = board.port
        with pytest.raises(BoardError, match="no reset in 0.2 s"):
            await board.expect_reset(timeout_s=0.2)


async def test_code_at_the_prompt_and_its_traceback():
    async with Rp2040Board() as board:
        assert await board.exec("print(6 * 7)") == "42\n"
        with pytest.raises(BoardError, match="failed on the board:(?s:.*)ZeroDivisionError"):
            await board.exec("1 / 0")
        with pytest.raises(BoardError, match="does not end in 0.3 s"):
            await board.exec("import time\ntime.sleep(10)", timeout_s=0.3)
        assert await board.stop() == 0
        assert not board.running


async def test_who_does_not_listen_to_ctrl_c_is_killed():
    program = "import micropython, time\nmicropython.kbd_intr(-1)\nprint('up')\ntime.sleep(60)"
    async with Rp2040Board(program) as board:
        await board.expect("up")
        assert await board.stop(timeout_s=0.2) == -9


async def test_console_port_carries_every_octet_both_ways():
    # pyserial drops what came in before it opened the port: so the board goes on saying "up".
    program = """
import micropython, select, sys
micropython.kbd_intr(-1)
waiting = select.poll()
waiting.register(sys.stdin, select.POLLIN)
while not waiting.poll(50):
    print("up")
octets = sys.stdin.buffer.read(256)
sys.stdout.buffer.write(octets)
"""
    every = bytes(range(256))

    def host(path: str) -> None:
        with serial.Serial(path, timeout=60) as port:
            assert port.read_until(b"up\r\n").endswith(b"up\r\n")
            port.write(every)
            assert port.read_until(every).endswith(every)

    async with Rp2040Board(program, console="pty", uart=None) as board:
        await asyncio.to_thread(host, board.console_port)


async def test_firmware_that_hangs_at_boot_is_given_up_in_bounded_time(tmp_path):
    image = bytearray(Firmware.load().image)
    entry = struct.unpack_from("<I", image, 0x104)[0] & 0xFFFFFE
    struct.pack_into("<H", image, entry, 0xE7FE)  # a jump to itself
    firmware = Firmware(tmp_path / "hangs.uf2", bytes(image), "", "pico", 0xA0000, 352 * 4096)
    begin = time.process_time()
    with pytest.raises(BoardError, match=r"hangs.uf2 did not bring up its USB console within"):
        async with Rp2040Board(firmware=firmware):
            pass
    assert time.process_time() - begin < 20


async def test_emulator_that_fails_is_no_silence():
    async with Rp2040Board(ECHO) as board:
        await board.expect("ready")

        def fail() -> None:
            raise ZeroDivisionError("in the emulator")

        board.machine.after(1, fail)
        with pytest.raises(BoardError, match="ended without a line"):
            await board.expect("never")
        with pytest.raises(BoardError, match="in the emulator"):
            await board.reset()


@pyserial_is_old
async def test_rfc2217_port_carries_baud_rate_lines_and_break():
    program = """
import machine
uart = machine.UART(0, 115200, tx=machine.Pin(0), rx=machine.Pin(1))
breaks = 0
def seen(u):
    global breaks
    breaks += 1
uart.irq(seen, machine.UART.IRQ_BREAK)
print("up")
while True:
    # Not read() alone: MicroPython 1.25 makes an octet 255 of a break that meets it waiting.
    octets = uart.read(uart.any())
    if octets:
        uart.write(octets)
        print("got", octets, breaks)
"""

    def host(url: str) -> None:
        with serial.serial_for_url(url, baudrate=115200, timeout=60) as port:
            octets = bytes((0, 1, 0xFF, 0xFF, 2))
            port.write(octets)
            assert port.read(5) == octets
            port.dtr = False
            port.rts = False
            port.send_break(0.01)
            port.write(b"x")
            assert port.read(1) == b"x"
            port.baudrate = 9600
            port.write(b"\x55")

    async with Rp2040Board(program, uart="rfc2217") as board:
        await board.expect("up")
        assert board.port.startswith("rfc2217://127.0.0.1:")
        await asyncio.to_thread(host, board.port)
        await board.expect("got b'x' 1")
        changes = [(change.what, change.value) for change in board.line_changes]
        assert changes[0] == ("baud", 115200)
        rest = changes[changes.index(("dtr", 0)) :]
        wanted = [("dtr", 0), ("rts", 0), ("break", 1), ("break", 0), ("baud", 9600)]
        assert [change for change in rest if change in wanted] == wanted
        async with asyncio.timeout(60):
            while not board.uart.counters.framing:
                await asyncio.sleep(0.01)


@pyserial_is_old
async def test_rfc2217_console():
    def host(url: str) -> None:
        with serial.serial_for_url(url, timeout=60) as port:
            port.write(b"print(6 * 7)\r\n")
            assert b"\r\n42\r\n" in port.read_until(b"\r\n42\r\n")
            port.dtr = False

    async with Rp2040Board(uart=None, console="rfc2217") as board:
        await board.expect("MicroPython")
        await asyncio.to_thread(host, board.console_port)
        async with asyncio.timeout(60):
            while board.machine.console.dtr:
                await asyncio.sleep(0.01)
        assert ("dtr", 0) in [(change.what, change.value) for change in board.line_changes]
