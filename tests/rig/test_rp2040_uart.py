"""The emulated RP2040's UART: line timing, FIFO, overrun, other baud rates, breaks; and that the
library's port never makes the interpreter wait."""

import random
import zlib

import pytest
from emulated import Host, boot

from microwamp_rig.rp2040 import Machine
from microwamp_rig.waveform import Resampler

ECHO = """
import machine, select
uart = machine.UART(0, {baud}, tx=machine.Pin(0), rx=machine.Pin(1), rxbuf={rxbuf}, txbuf=1024)
view = memoryview(bytearray(256))
poll = select.poll()
poll.register(uart, select.POLLIN)
print("ready")
while True:
    poll.poll()
    n = uart.any()
    if n:
        n = uart.readinto(view[:min(n, 256)])
        uart.write(view[:n])
"""


def echo(baud: int, rxbuf: int = 1024) -> tuple[Machine, Host]:
    machine, console = boot(ECHO.format(baud=baud, rxbuf=rxbuf))
    host = Host(machine)
    console.wait("ready")
    machine.run(1)
    return machine, host


@pytest.mark.parametrize("baud, count", [(115200, 200), (921600, 4096)])
def test_echo_is_complete_and_takes_the_time_of_the_line(baud, count):
    machine, host = echo(baud)
    octets = random.Random(baud).randbytes(count)
    begin_ms = machine.ms
    machine.uarts[0].send(octets)
    received = host.wait(count, 2 * count * 10_000 / baud + 20)
    assert zlib.crc32(received) == zlib.crc32(octets)
    line_ms = count * 10_000 / baud
    assert line_ms < machine.ms - begin_ms < line_ms + 3
    counters = machine.uarts[0].counters
    assert (counters.received, counters.sent, counters.overrun) == (count, count, 0)


def test_overrun_of_a_program_that_does_not_read():
    """The buffer of 64 octets fills, then the FIFO of 32; the rest is lost and flagged."""
    machine, console = boot("""
import machine, time
uart = machine.UART(0, 921600, tx=machine.Pin(0), rx=machine.Pin(1), rxbuf=64)
print("ready")
time.sleep_ms(20)
got = uart.read()
more = uart.read()
print("any", got, more, machine.mem32[0x40034004])
""")
    console.wait("ready")
    machine.uarts[0].send(bytes(range(200)))
    text = console.wait("any")
    machine.run(2)
    assert machine.uarts[0].counters.overrun == 200 - 64 - 32
    assert machine.uarts[0].counters.high == 32
    kept = bytes(range(96))
    assert repr(kept) in console.text or repr(kept[:64]) in console.text, text


def test_a_wrong_baud_rate_gives_garbage_and_framing_errors():
    machine, host = echo(921600)
    machine.uarts[0].baud = 115200
    machine.uarts[0].send(b"Hello, world")
    machine.run(5)
    assert machine.uarts[0].counters.framing > 0
    assert host.received and b"Hello" not in host.received
    machine.uarts[0].baud = 921600
    host.received.clear()
    machine.run(2)
    host.received.clear()
    machine.uarts[0].send(b"Hello, world")
    machine.run(2)
    assert host.received == b"Hello, world"


@pytest.mark.parametrize("percent, good", [(0, True), (2.5, True), (-3.5, True), (7, False)])
def test_how_far_the_rates_may_differ(percent, good):
    heard: list[tuple[int, bool]] = []
    receiver = Resampler(lambda value, framing: heard.append((value, framing)))
    octets = bytes(range(256))
    start, bit, other = 1000, 8680.0, 8680.0 * (1 + percent / 100)
    for octet in octets:
        receiver.add(start, bit, octet, 8, other)
        start += round(10 * bit)
    receiver.settle(other)
    right = bytes(value for value, framing in heard if not framing) == octets
    assert right == good


def test_breaks_both_ways():
    machine, console = boot("""
import machine, time
uart = machine.UART(0, 115200, tx=machine.Pin(0), rx=machine.Pin(1))
breaks = 0
def seen(u):
    global breaks
    breaks += 1
uart.irq(seen, machine.UART.IRQ_BREAK)
print("ready")
time.sleep_ms(10)
print("breaks", breaks, uart.read())
uart.sendbreak()
""")
    lengths: list[float] = []
    machine.uarts[0].on_break = lengths.append
    console.wait("ready")
    machine.uarts[0].send(b"a")
    machine.uarts[0].send_break(20)
    machine.uarts[0].send(b"b")
    console.wait("breaks 1 b'ab'")
    machine.run(2)
    assert len(lengths) == 1 and 0.1 < lengths[0] < 0.3


PORT = """
import asyncio, time
from wamp._mpports import UartPort

async def main():
    port = UartPort(0, {{"baud": {baud}, "tx": 0, "rx": 1}})
    longest = 0
    frame = bytearray(1038)
    for n in range({count}):
        for i in range(0, len(frame), 2):
            frame[i] = n
            frame[i + 1] = i >> 1 & 255
        begin = time.ticks_us()
        port.write(frame)
        longest = max(longest, time.ticks_diff(time.ticks_us(), begin))
        while port.busy():
            await port.drain()
    print("longest", longest, end="|")
asyncio.run(main())
"""


@pytest.mark.parametrize("baud, count", [(9600, 3), (115200, 5), (921600, 16)])
def test_the_port_takes_frame_after_frame_and_never_waits_for_the_line(baud, count):
    machine, console = boot(PORT.format(baud=baud, count=count))
    host = Host(machine)
    frames = b"".join(
        bytes(octet for i in range(519) for octet in (n, i & 255)) for n in range(count)
    )
    line_ms = len(frames) * 10_000 / baud
    received = host.wait(len(frames), 1.25 * line_ms + 200)
    assert received == frames
    text = console.wait("|")
    # 0.75 ms is what copying a whole frame takes; the line would take 11 ms at 921600 baud.
    assert int(text.split("longest ")[1].split("|")[0]) < 2500
