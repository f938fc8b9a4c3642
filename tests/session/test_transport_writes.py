"""When a transport writes: at once for who asks and waits, together for who asks much."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sessions import LIMIT_S, Played, close, joined, played

from microwamp.exception import TransportLost
from microwamp.transport import _base


def written(session: Any) -> list[bytes]:
    """A list that gets what the session's transport writes from now on."""
    stream = session.transport._stream
    found: list[bytes] = []
    write = stream.write

    def noted(octets: bytes) -> int:
        found.append(bytes(octets))
        write(octets)
        return int(stream.get_write_buffer_size())

    session.transport._write = noted
    return found


async def test_one_write_for_a_question_and_two_for_many():
    heard: list[Any] = []

    async def answers(router: Played) -> None:
        await router.join()
        while True:
            message = await router.receive()
            heard.append(message)
            if message[0] == 48:
                router.send([50, message[1], {}, message[4]])
            elif message[0] == 6:
                router.send([6, {}, "wamp.close.goodbye_and_out"])

    async with played(answers) as url, asyncio.timeout(LIMIT_S):
        session = await joined(url)
        await session.call("com.example.f", 0)
        writes = written(session)
        # In the turn in which it is asked, before anything else can happen.
        future = session.call("com.example.f", 1)
        assert len(writes) == 1
        assert await future == 1
        await asyncio.sleep(0)
        assert len(writes) == 1
        # A hundred at a time: the first at once, the others together, all in their order.
        del writes[:], heard[:]
        futures = [session.call("com.example.f", n) for n in range(100)]
        assert len(writes) == 1
        await asyncio.sleep(0)
        assert len(writes) == 2
        assert await asyncio.gather(*futures) == list(range(100))
        assert [message[4] for message in heard] == [[n] for n in range(100)]
        # What is long does not wait for the turn to end.
        del writes[:]
        futures = [session.call("com.example.f", "x" * 20_000) for _ in range(8)]
        assert [len(octets) // 20_000 for octets in writes] == [1, 4]
        await asyncio.gather(*futures)
        await close(session)


async def test_answers_to_calls_that_came_together_go_together():
    asked, answered = asyncio.Event(), asyncio.Event()
    found: list[Any] = []

    async def calls(router: Played) -> None:
        await router.join()
        message = await router.receive()
        router.send([65, message[1], 9])
        await asked.wait()
        router.send(*([68, n, 9, {}, [n]] for n in range(1, 51)))
        found.extend([await router.receive() for _ in range(50)])
        router.send([68, 51, 9, {}, [51]])
        found.append(await router.receive())
        answered.set()
        await router.receive()

    async with played(calls) as url, asyncio.timeout(LIMIT_S):
        session = await joined(url)
        await session.register(lambda n: n, "com.example.p")
        writes = written(session)
        asked.set()
        await answered.wait()
        assert [message[3] for message in found] == [[n] for n in range(1, 52)]
        assert len(writes) <= 4  # one for each piece in which they came, and the last
        session.disconnect()
        await session.gone


@pytest.mark.parametrize("many", [False, True])
async def test_a_router_that_does_not_read(monkeypatch: pytest.MonkeyPatch, many: bool):
    """The session ends, and who sent is not itself in the middle of its end."""
    monkeypatch.setattr(_base, "BACKLOG_MAX", 1 << 20)
    over = asyncio.Event()

    async def deaf(router: Played) -> None:
        await router.join()
        router.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await over.wait()

    async with played(deaf) as url, asyncio.timeout(LIMIT_S):
        session = await joined(url)
        transport: Any = session.transport
        text = "x" * (100_000 if many else 900_000)
        for _ in range(500):
            transport._heard = not many
            try:
                session.publish("com.example.t", text)
            except TransportLost:
                break
            await asyncio.sleep(0)
        details = await session.left
        assert "does not read" in (details.message or "")
        over.set()
        await session.gone
