"""The line and the device in bad weather: what happens to sessions, calls and publications."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from typing import Any

import pytest
from plant import Plant, until

import wamp
from microwamp_rig.line import Rates
from wamp import linkframe


async def test_a_cut_of_two_seconds_costs_no_join():
    async with Plant() as plant:
        device = plant.device()
        host = plant.host()
        device.register("com.example.echo", lambda n: n)
        heard: list[int] = []
        host.subscribe("com.example.count", heard.append)
        async with device, host:
            session = device.session
            numbers = itertools.count()

            async def publish() -> None:
                while True:
                    await device.publish("com.example.count", next(numbers), acknowledge=True)
                    await asyncio.sleep(0.05)

            publishing = asyncio.create_task(publish())
            await until(lambda: len(heard) > 3, "the first events")
            plant.line.cut()
            # In flight over the whole cut.
            calling = asyncio.create_task(host.call("com.example.echo", 42))
            await asyncio.sleep(2)
            count = len(heard)
            assert not calling.done()
            plant.line.restore()
            assert await calling == 42
            await until(lambda: len(heard) > count + 3, "events after the cut")
            publishing.cancel()
            await asyncio.wait([publishing])
            assert heard == list(range(len(heard)))
            assert device.joins == 1 and device.session == session
            assert plant.log.all("device", state="disconnected") == []


async def test_a_plug_that_is_pulled_and_put_back_costs_no_join():
    async with Plant() as plant:
        device = plant.device()
        host = plant.host()
        device.register("com.example.echo", lambda n: n)
        async with device, host:
            session = device.session
            for n in range(3):
                plant.line.unplug()
                await plant.log.expect("port", state="gone")
                plant.log.events.clear()
                calling = asyncio.create_task(host.call("com.example.echo", n))
                await asyncio.sleep(0.3)
                plant.line.replug()
                assert await calling == n
                await plant.log.expect("port", state="open")
            assert device.joins == 1 and device.session == session


async def test_the_same_plug_at_the_end_of_the_device():
    """A device that is a program on a host: its port goes away and comes back."""
    async with Plant(bridge=False) as plant:
        cable = plant.cables[0]
        plant.start_bridge(ports=[f"fd/{cable.pty.fd}"])
        cable.url = f"serial:{cable.port}?baud=921600"
        device = plant.device()
        host = plant.host()
        device.register("com.example.echo", lambda n: n)
        async with device, host:
            for n in range(3):
                plant.line.unplug()
                calling = asyncio.create_task(host.call("com.example.echo", n))
                await asyncio.sleep(0.3)
                plant.line.replug()
                assert await calling == n
            assert device.joins == 1


async def test_an_absent_port_is_said_once_and_waited_for():
    async with Plant(bridge=False) as plant:
        plant.line.unplug()
        plant.start_bridge()
        await asyncio.sleep(1.3)
        assert [fields["reason"] for fields in plant.log.all("port")] == ["it does not exist"]
        plant.line.replug()
        async with plant.device() as device:
            assert device.joins == 1


async def test_a_device_that_falls_silent_is_missed_and_joins_again():
    """Power loss: the router learns of it after lost_ms, and the device finds its way back."""
    async with Plant(lost_ms=1000) as plant:
        device = plant.device()
        async with device:
            session = device.session
            plant.line.cut()
            await plant.router_log.expect("left", session=session)
            lost = plant.log.all("device", state="disconnected")
            assert "nothing was heard" in lost[0]["reason"]
            plant.line.restore()
            await until(lambda: device.joins == 2, "the new join")
            await until(lambda: plant.served().status()["counts"]["joins"] == 2, "it is counted")
            # The pause of the device alone is 125 ms at least.
            assert 100 < plant.served().status()["join_ms"] < 20_000, "and timed"


async def test_a_plug_that_stays_out_ends_the_session_and_the_next_one_begins():
    async with Plant(lost_ms=1000) as plant:
        device = plant.device()
        async with device:
            plant.line.unplug()
            await plant.router_log.expect("left", session=device.session)
            plant.line.replug()
            await until(lambda: device.joins == 2, "the new join")


async def test_every_publication_comes_once_over_a_line_with_bit_errors():
    """One bit in 10,000: every tenth octet hundred is hit."""
    async with Plant(seed=7) as plant:
        device = plant.device(timeout_ms=30000)
        host = plant.host()
        heard: list[int] = []
        host.subscribe("com.example.count", lambda n, text: heard.append(n))
        async with device, host:
            plant.line.set_rates(Rates(bit_error=1e-4))
            for n in range(200):
                await device.publish("com.example.count", n, "x" * 100, acknowledge=True)
            await until(lambda: len(heard) >= 200, "the last event")
            plant.line.set_rates(Rates())
            assert heard == list(range(200))
            assert device.joins == 1
        assert plant.line.to_host.counters.flipped > 10
        assert plant.line.to_board.counters.flipped > 5


async def test_losses_duplicates_and_strange_octets_do_no_harm():
    async with Plant(seed=3) as plant:
        device = plant.device(timeout_ms=30000)
        host = plant.host()
        device.register("com.example.echo", lambda octets: octets)
        async with device, host:
            plant.line.set_rates(Rates(bit_error=2e-5, drop=2e-4, duplicate=2e-4, insert=2e-4))
            for n in range(30):
                octets = os.urandom(n * 100)
                assert await host.call("com.example.echo", octets, timeout_ms=30000) == octets
            plant.line.set_rates(Rates())
            assert device.joins == 1


def litter(rng: random.Random) -> bytes:
    """Something a line may carry that is no frame of the present connection."""
    kind = rng.randrange(7)
    payload = rng.randbytes(rng.randrange(300))
    whole = linkframe.frame(linkframe.T_DATA, payload, rng.getrandbits(32), rng.getrandbits(16))
    opening = linkframe.frame(linkframe.T_OPEN, b"AA" + bytes(7))
    return [
        rng.randbytes(rng.randrange(200)),
        b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nload:0x3fff0030\r\n",
        b"MicroPython v1.28.0 on 2026-01-01; Raspberry Pi Pico with RP2040\r\n>>> ",
        whole[: rng.randrange(len(whole))],  # half a frame
        opening[: rng.randrange(len(opening))],
        whole,  # of another connection
        linkframe.SYNC * rng.randrange(1, 9),
    ][kind]


async def test_garbage_boot_messages_and_half_frames_before_and_between():
    rng = random.Random(11)
    async with Plant() as plant:
        cable = plant.cables[0]
        device = plant.device()
        host = plant.host()
        device.register("com.example.echo", lambda octets: octets)
        await until(lambda: plant.line.opened, "the bridge opens the port")
        board = os.open(plant.cables[0].pty.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            for _ in range(20):
                cable.to_host(litter(rng))
                os.write(board, litter(rng))
            async with device, host:
                for n in range(60):
                    cable.to_host(litter(rng))
                    os.write(board, litter(rng))
                    octets = os.urandom(rng.randrange(600))
                    assert await host.call("com.example.echo", octets) == octets, n
                assert device.joins == 1
        finally:
            os.close(board)
        texts = [fields["text"] for fields in plant.log.all("console")]
        assert any("POWERON_RESET" in text for text in texts)


async def test_a_device_that_resets_in_the_middle_of_a_frame():
    """What was begun is given up for the new connection's first frame."""
    rng = random.Random(5)
    async with Plant() as plant:
        host = plant.host()
        heard: list[int] = []
        host.subscribe("com.example.count", lambda n, octets: heard.append(n))
        async with host:
            for n in range(2):
                device = plant.device()
                await device.join()
                await device.publish("com.example.count", n, bytes(500), acknowledge=True)
                # Power off: nothing is said, and half a frame is on the wire.
                whole = linkframe.frame(linkframe.T_DATA, rng.randbytes(900), 1, 2)
                end_without_a_word(device)
                plant.cables[0].to_host(whole[: rng.randrange(1, len(whole))])
                again = plant.device()
                await again.join()
                await again.leave()
            assert heard == list(range(2))


def end_without_a_word(client: Any) -> None:
    """A client that loses its power."""
    transport = client._transport
    transport._alarm.stop()
    transport._port.close()
    client._task.cancel()
    client._task = None


async def test_a_device_that_resets_is_told_apart_from_its_former_self():
    async with Plant() as plant:
        device = plant.device()
        await device.join()
        session = device.session
        end_without_a_word(device)
        async with plant.device() as again:
            assert again.session != session
            left = await plant.router_log.expect("left", session=session)
            assert left["reason"] == "connection lost"
            ended = plant.log.all("device", state="disconnected")
            assert [one["reason"] for one in ended] == ["the device started anew"]


async def test_a_line_that_stalls_loses_nothing():
    async with Plant() as plant:
        device = plant.device()
        host = plant.host()
        device.register("com.example.echo", lambda n: n)
        async with device, host:
            plant.line.stall()
            calls = [asyncio.create_task(host.call("com.example.echo", n)) for n in range(10)]
            await asyncio.sleep(0.5)
            plant.line.resume()
            assert await asyncio.gather(*calls) == list(range(10))
            assert device.joins == 1


async def test_a_slow_line_holds_the_router_back_and_loses_nothing():
    """115,200 baud: 100 kB take 9 s, and wait in the router, not here."""
    async with Plant(baud=460800) as plant:
        device = plant.device()
        host = plant.host()
        heard: list[int] = []
        device.subscribe("com.example.news", lambda n, octets: heard.append(n))
        async with device, host:
            for n in range(100):
                await host.publish("com.example.news", n, bytes(1000))
            most = 0
            while len(heard) < 100:
                await asyncio.sleep(0.01)
                most = max(most, plant.served().status()["buffers"]["device"])
            assert heard == list(range(100))
            assert most < 20000, f"{most} octets waited in the bridge"
            assert device.joins == 1


async def test_calls_in_flight_fail_when_the_bridge_stops():
    async with Plant() as plant:
        device = plant.device()
        host = plant.host()
        forever = asyncio.Event()
        host.register("com.example.slow", forever.wait)
        async with device, host:
            calling = asyncio.create_task(device.call("com.example.slow", timeout_ms=60000))
            await asyncio.sleep(0.1)
            await plant.stop_bridge()
            with pytest.raises(wamp.TransportLost, match="the bridge was stopped"):
                await calling
            forever.set()
            plant.start_bridge()
            await until(lambda: device.joins == 2, "the new join")
            assert await device.call("com.example.slow") is True
