"""Hostile inputs that only a host meets: octets in JSON, and payloads that are decrypted.

The rows are those that tests/arch/test_hostile_rows.py counts.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sessions import LIMIT_S, WELCOME, Played, Told, joined, played

from microwamp import cryptobox
from microwamp.exception import ApplicationError
from microwamp.types import CallOptions, EncodedPayload

TOPIC, PROCEDURE = "com.example.topic", "com.example.procedure"
OTHER = "com.example.other"


class JsonPlayed(Played):
    """A played router that speaks JSON."""

    def __init__(self, router: Played) -> None:
        super().__init__(router._reader, router.writer)

    async def receive(self) -> list[Any]:
        head = await self._reader.readexactly(4)
        found = json.loads(await self._reader.readexactly(int.from_bytes(head, "big")))
        assert isinstance(found, list)
        return found

    def send(self, *messages: Any) -> None:
        for message in messages:
            self.raw(json.dumps(message).encode())


# What stands in the message, and what its handler gets; None: the session ends.
OCTETS_IN_JSON = {
    "\0": b"",
    "\0AAEC": b"\0\1\2",
    "\0/w==": b"\xff",
    "a\0AAEC": "a\0AAEC",
    "\0AAE": None,
    "\0?": None,
    "\0AA EC": None,
    "\0AAEC\n": None,
    "\0AAEC====": None,
    "\0\0AAEC": None,
    "\0_-_-": None,
    "\0Ä": None,
}


@pytest.mark.parametrize("given", OCTETS_IN_JSON, ids=ascii)
async def test_text_that_is_octets_in_json(given: str) -> None:
    """Row 83: U+0000 and base64 arrive as octets, U+0000 and anything else ends the session."""
    expected = OCTETS_IN_JSON[given]
    seen: list[Any] = []

    async def play(raw: Played) -> None:
        router = JsonPlayed(raw)
        await router.join()
        request = (await router.receive())[1]
        router.send([33, request, 7], [36, 7, 1, {}, [given], {"deep": [{"er": given}]}])
        seen.append(await router.receive())

    async with played(play) as url:
        session = await joined(url, serializer="json")
        heard: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(LIMIT_S):
            subscription = session.subscribe(lambda x, deep: heard.set_result((x, deep)), TOPIC)
            if expected is not None:
                await subscription
                assert await heard == (expected, [{"er": expected}])
                await session.leave("com.example.enough")
            await session.gone
    if expected is None:
        assert not heard.done()
        assert session.left.result().reason == "wamp.error.protocol_violation"
        assert seen[0][0] == 3 and seen[0][2] == "wamp.error.protocol_violation"
    else:
        assert seen[0][0] == 6


def ring() -> cryptobox.KeyRing:
    """Both ends of everything."""
    return cryptobox.KeyRing("11" * 32)


def sealed(uri: str, originating: bool) -> tuple[dict[str, str], bytes]:
    """Options and payload as the other side sends them."""
    found = ring().encode(originating, uri, [1])
    assert found is not None
    return {"enc_algo": "cryptobox", "enc_serializer": "json"}, found.payload


async def test_a_payload_that_was_made_for_another_uri() -> None:
    """Row 86: what was encrypted for one URI and comes for another is nobody's: an event is
    dropped and reported, an invocation answered with an error, a result an error of the call.
    The session goes on, and what comes for the right URI is delivered.
    """
    mismatch = ApplicationError.ENC_TRUSTED_URI_MISMATCH
    answers: list[list[Any]] = []
    answered = asyncio.Event()

    async def play(router: Played) -> None:
        await router.shake()
        await router.receive()
        features = {"payload_transparency": True}
        roles = {"broker": {"features": features}, "dealer": {"features": features}}
        router.send([*WELCOME[:2], {"roles": roles}])
        subscribe = await router.receive()
        router.send([33, subscribe[1], 7])
        register = await router.receive()
        router.send([65, register[1], 8])
        for uri in (OTHER, TOPIC):
            options, payload = sealed(uri, True)
            router.send([36, 7, 1, options, payload])
        for request, uri in enumerate((OTHER, PROCEDURE), 1):
            options, payload = sealed(uri, True)
            router.send([68, request, 8, options, payload])
            answers.append(await router.receive())
        answered.set()
        for uri in (OTHER, PROCEDURE):
            call = await router.receive()
            options, payload = sealed(uri, False)
            router.send([50, call[1], options, payload])
        await router.receive()

    async with played(play) as url:
        session = Told()
        session.set_payload_codec(ring())
        await joined(url, session)
        heard: list[int] = []
        async with asyncio.timeout(LIMIT_S):
            await session.subscribe(heard.append, TOPIC)
            await session.register(lambda n: n + 1, PROCEDURE)
            await answered.wait()
            with pytest.raises(ApplicationError) as caught:
                await session.call(PROCEDURE, options=CallOptions(details=True))
            assert caught.value.error == mismatch
            assert (await session.call(PROCEDURE)) == 1
            await session.leave()
        ((error, told),) = session.errors
        assert isinstance(error, ApplicationError) and error.error == mismatch
        assert TOPIC in told and OTHER in told
        assert heard == [1]
    failed, result = answers
    assert failed[:3] == [8, 68, 1] and failed[4] == mismatch
    assert result[:2] == [70, 2] and result[2]["enc_algo"] == "cryptobox"
    encoded = EncodedPayload(result[3], "cryptobox")
    assert ring().decode(True, PROCEDURE, encoded) == (PROCEDURE, [2], {})
