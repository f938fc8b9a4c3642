"""A device's cryptobox and the host's KeyRing through crossbar: call, result, event."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import wamp
import wamp.cryptobox
from microwamp.cryptobox import EncodedPayload, Key, KeyRing
from wamp.cryptobox import Box, run

DEVICE, HOST = bytes(range(32)), bytes(range(32, 64))
ADD, TOPIC = "com.test.box.add", "com.test.box.topic"


async def test_a_router_in_the_middle_reads_nothing(crossbar):
    public = [run(wamp.cryptobox.public_key(key)) for key in (DEVICE, HOST)]
    box = Box(DEVICE, public[1])
    ring = KeyRing(Key(originator_priv=HOST.hex(), responder_pub=public[0].hex()))
    ring.set_key(TOPIC, Key(originator_pub=public[0].hex(), responder_priv=HOST.hex()))
    device, host = wamp.Client(crossbar.url), wamp.Client(crossbar.url)
    seen: asyncio.Queue[Any] = asyncio.Queue()
    carried = []

    def add(octets: bytes, details: dict[str, Any]) -> wamp.Result:
        carried.append((octets, details["enc_algo"]))
        args, _ = run(box.decode(ADD, octets))
        assert args is not None
        answer = run(box.encode(ADD, [sum(args)], None, os.urandom(24)))
        result = wamp.Result(answer)
        result.options = {"ppt_scheme": "cryptobox"}
        return result

    def event(octets: bytes, details: dict[str, Any]) -> None:
        seen.put_nowait(ring.decode(False, TOPIC, EncodedPayload(octets, details["enc_algo"])))

    device.register(ADD, details=True)(add)
    host.subscribe(TOPIC, details=True)(event)
    async with device, host:
        sent = ring.encode(True, ADD, [20, 22])
        assert sent is not None
        result = await host.call(ADD, sent.payload, enc_algo="cryptobox")
        found = ring.decode(True, ADD, EncodedPayload(result.args[0], result.details["enc_algo"]))
        assert found == (ADD, [42], None)
        octets = run(box.encode(TOPIC, ["a secret"], {"k": b"\0"}, os.urandom(24)))
        await device.publish(TOPIC, octets, enc_algo="cryptobox", acknowledge=True)
        assert await asyncio.wait_for(seen.get(), 60) == (TOPIC, ["a secret"], {"k": b"\0"})
    assert carried == [(sent.payload, "cryptobox")]
    assert b"secret" not in octets
