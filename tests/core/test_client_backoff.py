"""The pauses between a client's attempts, on a clock of the test's own."""

import asyncio

from script import Router, Scripted

import wamp
from wamp.errors import TransportError

WRAP = 1 << 30


class Clock:
    """In place of the client's clock, chance and pauses: time passes only where a test says so.

    pauses: twice the shortest pause that chance may make of each, which is what it was made from.
    """

    def __init__(self, now=0):
        self.now = now
        self.pauses = []
        self.enough = 0
        self._done = asyncio.Event()

    def ticks(self):
        return self.now % WRAP

    async def sleep_ms(self, ms):
        if ms:
            self.pauses.append(2 * ms)
            self.now += ms
            if len(self.pauses) == self.enough:
                self._done.set()
                await asyncio.Event().wait()
        await asyncio.sleep(0)

    async def wait(self):
        await asyncio.wait_for(self._done.wait(), 60)


async def pauses(count, attempts, now=0, auth=None):
    """The first so many pauses of a client.

    attempts: (milliseconds until the connection is open, milliseconds of the session or what
    happens instead, whether the line has no other end), over and over again.
    """
    clock = Clock(now)
    clock.enough = count
    router = Router()
    make = router.make
    current = []

    def make_next(url, **options):
        transport = make(url)
        opening, session, alone = attempts[(len(router.transports) - 1) % len(attempts)]
        current[:] = [session]
        opened = transport.open

        async def open():
            await opened()
            clock.now += opening
            if alone:
                transport.alone = True
            if session is None:
                raise TransportError("script: nobody there")

        transport.open = open
        return transport

    def hello(message):
        session = current[0]
        if type(session) is int:
            router.answer(message)
        elif session == "refused":
            router.send([3, {}, "wamp.error.not_authorized"])
        else:
            # A session that was over before anybody heard of it.
            router.send([2, 7, {"roles": router.roles}], [2, 7, {}])

    def on_event(what, detail):
        if what == "up":
            clock.now += current[0]
            router.drop()

    router.make = make_next
    router.on[1] = hello
    names = ("sleep_ms", "ticks", "random32")
    module = wamp.client
    async with Scripted(router, join=False, on_event=on_event, alive_ms=0) as client:
        saved = [getattr(module, name) for name in names]
        module._BACKOFF_FIRST, module._BACKOFF_MAX, module._REFUSED = 250, 30000, 4000
        module.sleep_ms, module.ticks, module.random32 = clock.sleep_ms, clock.ticks, lambda: 0
        try:
            client.start()
            await clock.wait()
            await client.leave()
        finally:
            for name, value in zip(names, saved):
                setattr(module, name, value)
    return clock.pauses


DOUBLED = [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]


async def test_attempts_that_fail():
    # However long each took: what times out may be a router that is busy with others.
    for opening in (0, 20000, 100000):
        assert await pauses(9, [(opening, None, False)]) == DOUBLED, opening


async def test_sessions_that_did_not_last():
    # Nor does it count how long it took until they were there.
    for opening, session in ((0, 0), (0, 8000), (20000, 0), (20000, 8000), (20000, "broken")):
        assert await pauses(9, [(opening, session, False)]) == DOUBLED, (opening, session)


async def test_a_session_that_lasted():
    down = (20000, None, False)
    mixed = [down, down, down, (0, 8001, False)]
    assert await pauses(7, mixed) == [250, 500, 1000, 250, 500, 1000, 2000]
    # Also where the clock wraps meanwhile.
    assert await pauses(4, [(0, 3600000, False)], now=WRAP - 1800000) == [250] * 4


async def test_logins_that_are_refused():
    refused = (20000, "refused", False)
    assert await pauses(5, [refused]) == [4000, 8000, 16000, 30000, 30000]


async def test_a_line_without_another_end():
    """To ask there again burdens nobody: the pause neither grows nor begins anew."""
    alone, down = (10000, None, True), (0, None, False)
    assert await pauses(5, [alone]) == [250] * 5
    mixed = [down, down, down, alone, alone, alone, down]
    assert await pauses(8, mixed) == [250, 500, 1000] + [2000] * 4 + [4000]
