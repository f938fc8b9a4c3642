"""crossbar.io killed and started again: every kind of device comes back by itself."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, closing
from typing import Any

import pytest
from devices import LIMIT_S, Device, Lines, bridged, joined

import wamp
from microwamp_rig.crossbar import CrossbarNode
from microwamp_rig.program import Program, microwamp
from microwamp_rig.pty import Pty
from wamp.errors import ApplicationError, TransportLost


async def again(device: Device, client: wamp.Client, joins: int) -> dict[str, Any]:
    """What the device tells of itself once it has joined so often and its procedures are back."""
    async with asyncio.timeout(60):
        while True:
            try:
                about: dict[str, Any] = await device.ask(client, "about")
            except ApplicationError as e:
                assert e.error == "wamp.error.no_such_procedure"
            else:
                if about["joins"] == joins:
                    return about
            await asyncio.sleep(0.1)


@pytest.mark.timeout(240)
async def test_killed_and_started_again(own_crossbar):
    node = own_crossbar
    await asyncio.to_thread(node.start)
    with (
        bridged(node.unix_url, 1) as lines,
        joined(node, lines, "tcp-cpython", "cryptosign") as first,
        joined(node, lines, "tcp-unix", "wampcra") as second,
        joined(node, lines, "serial-unix", "ticket") as third,
    ):
        devices = (first, second, third)
        waiting: list[int] = []
        never = asyncio.Event()

        async def slow() -> None:
            waiting.append(1)
            await never.wait()

        client = wamp.Client(node.url, timeout_ms=int(LIMIT_S * 1000))
        client.register("com.test.slow", slow)
        async with client:
            # In flight from each device when the node dies.
            calls = [
                asyncio.create_task(device.ask(client, "call", "com.test.slow", [], {}))
                for device in devices
            ]
            async with asyncio.timeout(LIMIT_S):
                while len(waiting) < len(devices):
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(node.kill)
            for call in calls:
                with pytest.raises(TransportLost):
                    await call
            for device in devices:
                await asyncio.to_thread(device.program.expect, "caught TransportLost", LIMIT_S)
                await asyncio.to_thread(device.program.expect, "no session: ", LIMIT_S)
            await asyncio.to_thread(node.start)
            for device in devices:
                about = await again(device, client, 2)
                assert about["failures"] >= 1
                assert await device.ask(client, "twice", b"x") == b"xx"
                assert device.program.running
            never.set()
        # And an end in good order, which is told as what it is.
        await asyncio.to_thread(node.stop)
        for device in devices:
            await asyncio.to_thread(device.program.expect, "^session ended: ", LIMIT_S)


def bridge_of(node: CrossbarNode, pty: Pty) -> Program:
    return microwamp("bridge", pty.path, "--router", node.unix_url, "--json")


@pytest.mark.timeout(120)
async def test_bridge_and_device_killed_and_started_again(crossbar):
    """crossbar may hold a procedure for a moment longer than its session: the device insists."""
    with closing(Pty()) as pty, ExitStack() as stack:
        first = stack.enter_context(bridge_of(crossbar, pty))
        line = Lines(first, [pty])
        async with wamp.Client(crossbar.url) as client:
            with joined(crossbar, line, "serial-unix", "cryptosign") as device:
                assert await device.ask(client, "twice", b"x") == b"xx"
                await asyncio.to_thread(first.kill)
                second = stack.enter_context(bridge_of(crossbar, pty))
                await asyncio.to_thread(second.event, "session", state="joined")
                await again(device, client, 2)
                assert await device.ask(client, "twice", b"y") == b"yy"
            # The device is dead; a new one takes its place at once, on the same line.
            for n in range(3):
                with joined(crossbar, line, "serial-unix", "cryptosign") as device:
                    about = await again(device, client, 1)
                    assert about["joins"] == 1
                    assert await device.ask(client, "twice", bytes((n,))) == bytes((n, n))
        assert await asyncio.to_thread(second.stop) == 0
