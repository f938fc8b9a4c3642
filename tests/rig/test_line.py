"""The line with faults: what it does to octets, exactly and countably."""

import asyncio
import os
import time

import pytest

from microwamp_rig.line import Line, Rates
from microwamp_rig.pty import Pty, make_raw


class End:
    """One end of a cable: sends, and collects what comes, within the event loop."""

    def __init__(self, fd: int, owned: bool = True) -> None:
        self.fd = fd
        self._owned = owned
        self.received = bytearray()
        self.hung_up = False
        os.set_blocking(fd, False)
        asyncio.get_running_loop().add_reader(fd, self._read)

    @classmethod
    def open(cls, path: str) -> "End":
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        make_raw(fd)
        return cls(fd)

    def _read(self) -> None:
        try:
            octets = os.read(self.fd, 65536)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self.hung_up = True
            asyncio.get_running_loop().remove_reader(self.fd)
        self.received += octets

    async def send(self, octets: bytes) -> None:
        view = memoryview(octets)
        async with asyncio.timeout(60):
            while view:
                try:
                    view = view[os.write(self.fd, view) :]
                except BlockingIOError:
                    pass
                await asyncio.sleep(0)

    async def has(self, count: int) -> bytes:
        """Waits for `count` octets in all; fails after 5 s."""
        await until(lambda: len(self.received) >= count, f"{count} octets")
        return bytes(self.received)

    def close(self) -> None:
        if self.fd >= 0:
            asyncio.get_running_loop().remove_reader(self.fd)
            if self._owned:
                os.close(self.fd)
            self.fd = -1


async def until(condition, what: str, limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"no {what} after {limit_s} s"
        await asyncio.sleep(0.005)


class Bench:
    """A board's pty, the line, and a host that has its port open."""

    def __init__(self, **options) -> None:
        self.pty = Pty()
        self.line = Line(self.pty.path, **options)

    async def __aenter__(self) -> "Bench":
        self.line.start()
        self.board = End(self.pty.fd, owned=False)
        self.host = End.open(self.line.port)
        await until(lambda: self.line.opened, "host")
        return self

    async def __aexit__(self, *error: object) -> None:
        self.host.close()
        self.board.close()
        self.line.close()
        self.pty.close()


OCTETS = bytes(range(256)) * 16


async def test_without_faults_every_octet_arrives_both_ways():
    async with Bench() as bench:
        await bench.board.send(OCTETS)
        await bench.host.send(OCTETS[::-1])
        assert await bench.host.has(len(OCTETS)) == OCTETS
        assert await bench.board.has(len(OCTETS)) == OCTETS[::-1]
        counters = bench.line.to_host.counters
        assert (counters.read, counters.written, counters.lost) == (4096, 4096, 0)


async def test_cut_loses_and_restore_goes_on():
    async with Bench() as bench:
        await bench.board.send(b"before")
        await bench.host.has(6)
        bench.line.cut()
        await bench.board.send(b"lost")
        await bench.host.send(b"gone")
        await until(lambda: bench.line.to_host.counters.lost == 4, "loss")
        await until(lambda: bench.line.to_board.counters.lost == 4, "loss")
        bench.line.restore()
        await bench.board.send(b" after")
        assert await bench.host.has(12) == b"before after"
        assert bench.board.received == b""


async def test_cut_loses_what_was_under_way():
    async with Bench() as bench:
        bench.line.stall()
        await bench.board.send(b"on the wire")
        await until(lambda: bench.line.to_host.waiting == 11, "octets under way")
        bench.line.cut()
        bench.line.restore()
        bench.line.resume()
        await bench.board.send(b"new")
        assert await bench.host.has(3) == b"new"
        assert bench.line.to_host.counters.lost == 11


async def test_stall_delays_everything_and_loses_nothing():
    """More than the line's own buffer: the sender has to wait, as on a slow cable."""
    async with Bench(buffer=1024) as bench:
        bench.line.stall()
        sending = asyncio.create_task(bench.board.send(OCTETS * 8))
        await until(lambda: bench.line.to_host.waiting >= 1024, "full buffer")
        await asyncio.sleep(0.1)
        assert bench.line.to_host.waiting <= 1024 + 4096
        assert bench.host.received == b""
        assert not sending.done()
        bench.line.resume()
        await sending
        assert await bench.host.has(8 * len(OCTETS)) == OCTETS * 8


async def test_one_direction_alone():
    async with Bench() as bench:
        bench.line.to_board.cut()
        await bench.host.send(b"lost")
        await bench.board.send(b"heard")
        assert await bench.host.has(5) == b"heard"
        assert bench.board.received == b""


@pytest.mark.parametrize(
    ("kind", "counter"),
    [
        ("bit_error", "flipped"),
        ("drop", "dropped"),
        ("duplicate", "duplicated"),
        ("insert", "inserted"),
    ],
)
async def test_faults_come_at_their_rate_and_are_counted(kind, counter):
    rate = 1e-3 if kind == "bit_error" else 1e-2
    trials = len(OCTETS) * 4 * (8 if kind == "bit_error" else 1)
    async with Bench(seed=7) as bench:
        bench.line.set_rates(Rates(**{kind: rate}))
        await bench.board.send(OCTETS * 4)
        await until(lambda: bench.line.to_host.counters.read == 4 * len(OCTETS), "octets")
        counters = bench.line.to_host.counters
        count = getattr(counters, counter)
        # Binomial: five standard deviations; the seed is fixed, so this is no dice.
        assert abs(count - trials * rate) < 5 * (trials * rate) ** 0.5
        length = 4 * len(OCTETS) + {"drop": -count, "bit_error": 0}.get(kind, count)
        received = await bench.host.has(length)
        assert len(received) == length
        if kind == "bit_error":
            pairs = zip(received, OCTETS * 4, strict=True)
            assert sum((a ^ b).bit_count() for a, b in pairs) == count


async def test_the_same_seed_makes_the_same_faults_however_octets_are_cut_up():
    rates = Rates(bit_error=2e-3, drop=5e-3, duplicate=5e-3, insert=5e-3)
    results = []
    for seed, chunk in ((1, 4096), (1, 7), (1, 1), (2, 4096)):
        async with Bench(seed=seed) as bench:
            bench.line.set_rates(rates)
            for start in range(0, 2048, chunk):
                await bench.board.send(OCTETS[start : min(start + chunk, 2048)])
            await until(lambda b=bench: b.line.to_host.counters.read == 2048, "octets")
            counters = bench.line.to_host.counters
            length = 2048 - counters.dropped + counters.duplicated + counters.inserted
            results.append(await bench.host.has(length))
    assert results[0] == results[1] == results[2]
    assert results[0] != results[3]


async def test_directions_have_their_own_faults():
    async with Bench() as bench:
        bench.line.set_rates(Rates(bit_error=1e-2))
        await bench.board.send(OCTETS)
        await bench.host.send(OCTETS)
        assert await bench.host.has(len(OCTETS)) != await bench.board.has(len(OCTETS))


@pytest.mark.parametrize("rate", [-0.1, 1.5])
async def test_a_rate_that_is_no_probability_is_refused(rate):
    async with Bench() as bench:
        with pytest.raises(ValueError, match="between 0 and 1"):
            bench.line.set_rates(Rates(drop=rate))


async def test_certain_faults():
    async with Bench() as bench:
        bench.line.to_host.rates = Rates(duplicate=1.0)
        await bench.board.send(b"abc")
        assert await bench.host.has(6) == b"aabbcc"
        bench.line.to_host.rates = Rates(drop=1.0)
        await bench.board.send(b"abc")
        await until(lambda: bench.line.to_host.counters.dropped == 3, "loss")
        assert len(bench.host.received) == 6


async def test_a_break_loses_what_is_sent_meanwhile_and_reads_as_one_zero():
    async with Bench() as bench:
        await bench.board.send(b"before")
        assert await bench.host.has(6) == b"before"
        bench.line.begin_break()
        bench.line.begin_break()
        await bench.board.send(b"lost")
        await until(lambda: bench.line.to_host.counters.lost == 4, "loss")
        bench.line.end_break()
        await bench.board.send(b"after")
        assert await bench.host.has(12) == b"before\0after"
        assert await bench.board.has(1) == b"\0"
        assert bench.line.to_host.counters.breaks == bench.line.to_board.counters.breaks == 1


@pytest.mark.parametrize(
    ("percent", "good"), [(2, True), (-3, True), (5, True), (-5, False), (7, False), (-12, False)]
)
async def test_drift(percent, good):
    """As with the UART that samples bit by bit: some 4 % are too much for one end or the other."""
    async with Bench(seed=1) as bench:
        bench.line.to_host.drift = percent / 100
        await bench.board.send(OCTETS)
        await until(lambda: bench.line.to_host.counters.read == len(OCTETS), "octets")
        bench.line.to_host.drift = 0.0
        await bench.board.send(b"the end")
        await until(lambda: bytes(bench.host.received).endswith(b"the end"), "the end")
        assert (bench.host.received == OCTETS + b"the end") == good
        assert (bench.line.to_host.counters.framing == 0) == good


async def test_drift_of_both_directions_and_one_that_is_none():
    async with Bench() as bench:
        bench.line.set_drift(0.25)
        assert bench.line.to_board.drift == 0.25
        assert abs(bench.line.to_host.drift + 0.2) < 1e-9
        with pytest.raises(ValueError, match="between"):
            bench.line.to_host.drift = 3.0


async def test_pace():
    """115200 baud are 11520 octets a second: 2304 take 0.2 s, no less."""
    async with Bench(baud=115200) as bench:
        begin = time.monotonic()
        await bench.board.send(OCTETS[:2304])
        assert await bench.host.has(2304) == OCTETS[:2304]
        assert time.monotonic() - begin > 0.18


async def test_nobody_at_the_host_end_loses_octets_and_stops_nobody():
    async with Bench() as bench:
        bench.host.close()
        await until(lambda: not bench.line.opened, "close of the host")
        await bench.board.send(OCTETS * 4)
        await until(lambda: bench.line.to_host.counters.lost == 4 * len(OCTETS), "loss")
        bench.host = End.open(bench.line.port)
        await bench.board.send(b"hello")
        await bench.host.send(b"again")
        assert await bench.host.has(5) == b"hello"
        assert await bench.board.has(5) == b"again"


async def test_unplug_hangs_up_the_host_and_replug_offers_the_same_path():
    async with Bench() as bench:
        path = bench.line.port
        bench.line.unplug()
        bench.line.unplug()
        await until(lambda: bench.host.hung_up, "hang-up")
        assert not os.path.lexists(path)
        await bench.board.send(b"to nobody")
        await until(lambda: bench.line.to_host.counters.lost == 9, "loss")
        bench.host.close()
        bench.line.replug()
        assert bench.line.port == path
        bench.host = End.open(path)
        await bench.host.send(b"back")
        await bench.board.send(b"here")
        assert await bench.board.has(4) == b"back"
        assert await bench.host.has(4) == b"here"


async def share_of_a_processor(seconds: float) -> float:
    """What this process uses while it waits; 1 if it turns in a circle."""
    cpu, wall = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    return (time.process_time() - cpu) / (time.monotonic() - wall)


async def test_a_board_that_goes_away_for_good_costs_nothing():
    async with Bench() as bench:
        bench.board.close()
        bench.pty.close()
        await bench.host.send(b"anybody?")
        await until(lambda: bench.line.to_board.counters.lost == 8, "loss")
        assert await share_of_a_processor(0.3) < 0.5


def test_an_absent_board_port_is_an_os_error():
    async def go() -> None:
        line = Line("/dev/does-not-exist")
        try:
            with pytest.raises(FileNotFoundError):
                line.start()
        finally:
            line.close()

    asyncio.run(go())


async def test_an_idle_line_sleeps():
    async with Bench() as bench:
        bench.host.close()
        await until(lambda: not bench.line.opened, "close of the host")
        assert await share_of_a_processor(0.5) < 0.5
        bench.host = End.open(bench.line.port)
