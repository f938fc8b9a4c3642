"""Octets of every format that no client should send: the router answers, or ends the connection,
and serves the next one.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from peer import PATIENCE_S, REALM, ROLES, Peer, serve

from microwamp.router.formats import NUMBERS, format_of
from wamp.errors import RemoteProtocolError

MESSAGES: list[list[Any]] = [
    [1, REALM, {"roles": ROLES}],
    [48, 1, {}, "com.example.f", [1, "x", None, b"\x00"], {"k": [1.5, {}]}],
    [16, 1, {"acknowledge": True}, "com.example.t", ["y" * 40]],
    [32, 1, {"match": "prefix"}, "com.example."],
    [64, 1, {}, "com.example.g"],
    [6, {}, "wamp.close.normal"],
]


def mangled(octets: bytes, chance: random.Random) -> bytes:
    """Some octets changed, taken away or put in."""
    found = bytearray(octets)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found) + 1)
        what = chance.randrange(4)
        if what == 0 and at < len(found):
            found[at] = chance.randrange(256)
        elif what == 1:
            del found[at : at + chance.randint(1, 8)]
        elif what == 2:
            found[at:at] = chance.randbytes(chance.randint(1, 8))
        else:
            found[at:at] = found[: chance.randint(0, 16)]
    return bytes(found)


@pytest.mark.parametrize("name", NUMBERS.values())
def test_what_is_read_is_what_wamp_has_or_an_error(name: str) -> None:
    chance = random.Random(name)
    for mode in ("", ".batched"):
        form = format_of(name + mode)
        whole = b"".join(form.encode(message) for message in MESSAGES)
        if mode:
            assert len(form.decode(whole)) == len(MESSAGES)
        read = 0
        for _ in range(400):
            octets = mangled(form.encode(chance.choice(MESSAGES)), chance)
            try:
                found = form.decode(octets)
            except RemoteProtocolError as e:
                assert len(str(e)) < 300
            else:
                read += len(found)
        assert read, "nothing came through: the test tries nothing"


@pytest.mark.parametrize(("number", "name"), NUMBERS.items())
async def test_mangled_messages_end_a_connection_at_most(number: int, name: str) -> None:
    chance = random.Random(number)
    form = format_of(name)
    async with serve() as router:
        for _ in range(25):
            peer = await Peer.dial(router.urls[0])
            await peer.raw(bytes((0x7F, 0xF0 | number, 0, 0)))
            assert (await peer.octets(4))[1] & 15 == number
            await peer.frame(form.encode(MESSAGES[0]))
            for message in chance.choices(MESSAGES[1:], k=3):
                await peer.frame(mangled(form.encode(message), chance))
            peer._writer.write_eof()
            async with asyncio.timeout(PATIENCE_S):
                said = await peer._reader.read()
            # WELCOME comes first, and all that comes are whole messages of the format.
            codes = []
            while said:
                length = int.from_bytes(said[1:4], "big")
                codes.append(form.decode(said[4 : 4 + length])[0][0])
                said = said[4 + length :]
            assert codes[0] == 2, codes
            await peer.close()
        assert not router._connections or await _empty(router)


async def _empty(router: Any) -> bool:
    async with asyncio.timeout(PATIENCE_S):
        while router._connections:
            await asyncio.sleep(0.01)
    return True
