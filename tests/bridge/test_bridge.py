"""The bridge in good weather: sessions of devices through it, in both directions."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import time
from typing import Any

import pytest
from plant import Plant, key, until

import wamp
from wamp import linkcontrol, serialcontrol
from wamp.errors import ApplicationError, TransportLost
from wamp.transport import make


async def test_a_device_logs_in_with_its_key_and_works_both_ways():
    async with Plant() as plant:
        device = plant.device()
        host = plant.host()
        heard: list[Any] = []
        device.register("com.example.led", lambda on, level=1: wamp.Result(on, level, by="device"))
        device.subscribe("com.example.alarm", lambda *args, **kwargs: heard.append((args, kwargs)))
        host.register("com.example.time", lambda zone: {"zone": zone, "utc": 1234567890123})
        host.subscribe("com.example.data", lambda *args, **kwargs: heard.append((args, kwargs)))
        async with device, host:
            assert device.details["authmethod"] == "cryptosign"
            assert device.details["authid"] == "device"
            assert device.transport_details.channel_typeid == "serial-rawsocket-cbor"
            result = await host.call("com.example.led", True, kwargs={"level": 7})
            assert result == wamp.Result(True, 7, by="device")
            assert await device.call("com.example.time", "UTC") == {
                "zone": "UTC",
                "utc": 1234567890123,
            }
            assert await device.publish(
                "com.example.data", 1.5, kwargs={"unit": "C"}, acknowledge=True
            )
            await until(lambda: len(heard) == 1, "the event of the device")
            await host.publish("com.example.alarm", "fire", kwargs={"floor": 3})
            await until(lambda: len(heard) == 2, "the event of the host")
            assert heard == [((1.5,), {"unit": "C"}), (("fire",), {"floor": 3})]
        joined = plant.router_log.all("joined", authmethod="cryptosign")
        assert [one["authid"] for one in joined] == ["device"]
        await plant.log.expect("device", state="disconnected")
        port = plant.cables[0].port
        story = [(event, fields.get("state")) for event, fields in plant.log.events]
        assert story == [
            ("port", "open"),
            ("device", "connected"),
            ("session", "joined"),
            ("session", "leaving"),
            ("device", "disconnected"),
        ]
        assert all(fields["port"] == port for _, fields in plant.log.events)
        assert plant.log.all("session", state="joined")[0]["realm"] == "devices"


def test_the_bridge_has_no_key_and_can_sign_nothing():
    """It does not even load what logs in (SECURITY.md)."""
    code = (
        "import sys, microwamp.bridge, microwamp.cli.bridge\n"
        "names = {'auth', 'authcryptosign', 'keyfile', 'keys', 'logins', 'ed25519', 'sha512'}\n"
        "names |= {'kdf', 'session', 'client'}\n"
        "found = {'wamp.' + name for name in names} & set(sys.modules)\n"
        "found |= {name for name in sys.modules if name.split('.')[0] in ('nacl', 'hmac')}\n"
        "sys.exit(', '.join(sorted(found)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


async def test_large_messages_pass_both_ways():
    async with Plant() as plant:
        device = plant.device()
        host = plant.host()
        device.register("com.example.echo", lambda octets: octets)
        host.register("com.example.double", lambda octets: octets + octets)
        async with device, host:
            octets = os.urandom(65536)
            assert await host.call("com.example.echo", octets, timeout_ms=20000) == octets
            assert await device.call("com.example.double", octets) == octets + octets


async def test_two_devices_on_one_bridge_are_two_sessions():
    async with Plant(2) as plant:
        first, second = plant.device(0), plant.device(1, auth=None)
        first.register("com.example.first", lambda: 1)
        heard: list[int] = []
        second.subscribe("com.example.count", heard.append)
        async with second:
            async with first:
                assert first.session != second.session
                assert await second.call("com.example.first") == 1
                for n in range(20):
                    await first.publish("com.example.count", n, acknowledge=True)
                await until(lambda: heard == list(range(20)), "events between the devices")
            # One leaves; the other does not notice.
            session = second.session
            with pytest.raises(ApplicationError, match="no_such_procedure"):
                await second.call("com.example.first")
            await first.leave()
            async with first:
                assert await second.call("com.example.first") == 1
            assert second.session == session and second.joins == 1
        assert len({fields["port"] for _, fields in plant.log.events}) == 2


async def test_one_session_after_another_on_one_connection():
    async with Plant() as plant:
        device = plant.device()
        device.register("com.example.count", lambda: device.joins)
        async with device, plant.host() as host:
            for auth in (None, (), key()):
                before = device.session
                await device.rejoin(auth=auth)
                assert device.session not in (None, before)
                assert device.details["authmethod"] == ("cryptosign", "anonymous")[auth == ()]
                assert await host.call("com.example.count") == device.joins
            assert device.joins == 4 and device.failures == 0
            states = [fields["state"] for event, fields in plant.log.events if event == "session"]
            assert states == ["joined", *["leaving", "joined"] * 3]
            assert len(plant.log.all("device", state="connected")) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(("router", "bridge", "device"))))
async def test_started_in_any_order(order):
    async with Plant(router=False, bridge=False) as plant:
        device = plant.device()
        for part in order:
            if part == "router":
                await plant.start_router()
            elif part == "bridge":
                plant.start_bridge()
            else:
                device.start()
            await asyncio.sleep(0.4)
        await until(lambda: device.session is not None, "the join")
        assert device.joins == 1
        if order.index("device") < order.index("router") > order.index("bridge"):
            reason = plant.log.all("router", state="unreachable")[0]["reason"]
            assert reason == f"{plant.url}: nothing listens there: is the router running?"


async def test_text_between_frames_is_shown_as_console_lines():
    """A device whose program prints on the wire that carries the frames."""
    async with Plant() as plant:
        cable = plant.cables[0]
        device = plant.device()
        host = plant.host()

        def work(n):
            cable.to_host(b"working on %d\r\n" % n)
            return n

        device.register("com.example.work", work)
        await until(lambda: plant.line.opened, "the bridge opens the port")
        cable.to_host(b"MPY: soft reboot\r\n")
        async with device, host:
            cable.to_host("21 °C".encode()[:4])
            for n in range(20):
                assert await host.call("com.example.work", n) == n
            cable.to_host(b'Traceback (most recent call last):\n  File "main.py", line 1\n')
            assert await host.call("com.example.work", 20) == 20
        assert device.joins == 1
        texts = [fields["text"] for fields in plant.log.all("console")]
        assert texts[0] == "MPY: soft reboot"
        # Half a character was printed before it.
        assert texts[1] == "21 \ufffdworking on 0"
        assert [t for t in texts if t.startswith("working on")] == [
            f"working on {n}" for n in range(1, 21)
        ]
        assert "Traceback (most recent call last):" in texts
        assert '  File "main.py", line 1' in texts


async def test_console_off_shows_nothing():
    async with Plant(console="off") as plant:
        device = plant.device()
        async with device:
            plant.cables[0].to_host(b"secret of the operator\r\n")
            await device.publish("com.example.x", acknowledge=True)
        assert plant.log.all("console") == []


async def test_console_frames_are_shown_too():
    """What a device on a bare UART sends as text outside the stream (docs/link.md, section 5)."""
    async with Plant() as plant:
        device: Any = plant.device()
        async with device:
            linkcontrol.console(device._transport._link, b"low battery\n")
            await device.publish("com.example.x", acknowledge=True)
            await plant.log.expect("console", text="low battery")


async def test_an_invocation_that_is_too_long_fails_at_its_caller_at_once():
    async with Plant() as plant:
        device = plant.device(max_length=4096)
        host = plant.host()
        device.register("com.example.echo", lambda octets: octets)
        async with device, host:
            with pytest.raises(ApplicationError) as raised:
                await host.call("com.example.echo", bytes(65536))
            assert raised.value.error == "wamp.error.payload_size_exceeded"
            assert "the device takes 4096" in str(raised.value)
            assert await host.call("com.example.echo", b"short") == b"short"
            assert device.joins == 1


async def test_a_result_or_event_that_is_too_long_does_not_harm_the_device():
    async with Plant() as plant:
        device = plant.device(max_length=4096)
        host = plant.host()
        heard: list[int] = []
        device.subscribe("com.example.news", lambda n, *_: heard.append(n))
        host.register("com.example.long", lambda: bytes(10000))

        @host.register("com.example.fail")
        def fail():
            raise ApplicationError("com.example.failed", "x" * 10000)

        async with device, host:
            for procedure in ("com.example.long", "com.example.fail"):
                with pytest.raises(ApplicationError, match="payload_size_exceeded"):
                    await device.call(procedure)
            await host.publish("com.example.news", 1, bytes(10000), acknowledge=True)
            await host.publish("com.example.news", 2, acknowledge=True)
            await until(lambda: heard == [2], "the short event alone")
            assert device.joins == 1


async def test_the_device_learns_the_time():
    """OPEN's answer carries UTC, for devices without a clock."""
    async with Plant() as plant:
        told: list[int] = []
        async with plant.device(on_utc=told.append):
            assert abs(told[0] - time.time()) < 60


async def test_stopping_tells_the_device_and_a_new_bridge_has_it_back():
    async with Plant() as plant:
        said: list[str] = []
        device = plant.device(log=said.append)
        async with device:
            await plant.stop_bridge()
            await until(lambda: device.session is None, "the device hears of it")
            assert "session ended" in said[-1] and "the bridge was stopped" in said[-1]
            assert str(device.error).endswith("the bridge was stopped")
            stopped = plant.log.all("device", state="disconnected")
            assert [one["reason"] for one in stopped] == ["the bridge was stopped"]
            plant.start_bridge()
            await until(lambda: device.joins == 2, "the new join")


async def test_a_bridge_stops_though_its_device_does_not_answer():
    async with Plant() as plant:
        async with plant.device():
            plant.line.cut()
            await plant.stop_bridge()
            await plant.log.expect("device", reason="it does not answer")


async def test_the_router_learns_at_once_that_a_device_left():
    async with Plant() as plant:
        device = plant.device(auth=key())
        await device.join()
        session = device.session
        await device.leave()
        left = await plant.router_log.expect("left", session=session)
        assert left["reason"] == "wamp.close.close_realm"


async def test_a_bridge_that_comes_after_the_device_gave_up_once(monkeypatch):
    monkeypatch.setattr(serialcontrol, "OPEN_MS", 300)
    async with Plant(bridge=False) as plant:
        device = plant.device()
        device.start()
        await until(lambda: device.failures > 0, "the first attempt fails")
        assert "is the bridge running on the other end of the line" in str(device.error)
        plant.start_bridge()
        await until(lambda: device.session is not None, "the join")


HELLO_4 = b"\x7f\x13\x00\x00"

# what a device sends that is against the rules, words that it and the log are told
VIOLATIONS: list[tuple[bytes, str]] = [
    (b"GET / HTTP/1.1\r\n\r\n", "the device does not speak RawSocket"),
    (HELLO_4 + b"\x09\x00\x00\x01x", "the device sent a frame with first octet 0x09"),
    (HELLO_4 + b"\x00\xff\xff\xff", "the device sent a message of 16777215 octets, "),
    (HELLO_4 + b"\x01\x00\x20\x00", "a PING of 8192 octets; 4096 is the most here"),
]


@pytest.mark.parametrize(("octets", "words"), VIOLATIONS)
async def test_a_device_that_breaks_the_rules_is_told_and_let_go(octets, words):
    async with Plant() as plant:
        await until(lambda: plant.line.opened, "the bridge opens the port")
        bad = make(plant.cables[0].url)
        await bad.open()
        for part in (octets[:4], octets[4:]):
            if part:
                bad.write(part)
                await asyncio.sleep(0.05)
        with pytest.raises(TransportLost) as raised:
            while True:
                await bad.read()
        assert words in str(raised.value)
        bad.close()
        assert words in plant.log.all("protocol")[0]["reason"]
        async with plant.device() as device:
            assert device.joins == 1


async def test_bad_messages_are_for_the_router_to_judge():
    """The splice passes what is no WAMP; the embedded router answers with ABORT."""
    async with Plant() as plant:
        await until(lambda: plant.line.opened, "the bridge opens the port")
        bad = make(plant.cables[0].url)
        await bad.open()
        bad.write(HELLO_4)
        while not await bad.read():
            continue
        bad.write(b"\x00\x00\x00\x01\xff")
        octets = b""
        with pytest.raises(TransportLost, match="the router closed the connection"):
            while True:
                octets += await bad.read()
        assert b"wamp.error.protocol_violation" in octets
        bad.close()
        await plant.router_log.expect("violation")
        aborted = await plant.log.expect("session", state="aborted")
        assert aborted["by"] == "router"
