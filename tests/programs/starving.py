"""A device whose memory runs out at every point of what it does, and that must come back.

For MicroPython. MICROWAMP_URL: the router. KEPT: octets that are left free, as "from:to:step".
DOING: names of `ACTIONS`, with commas. A peer serves `com.host.*`: tests/faults/test_starving.py.
Prints `ok NAME POINTS ERRORS JOINS` for each and `all done`; `dead NAME OCTETS` and status 1 when
the client does not work again once the memory is back.
"""

import asyncio
import gc
import os
import sys

import wamp
from wamp.errors import ApplicationError, Error

URL = os.getenv("MICROWAMP_URL") or ""
KEPT = range(*[int(n) for n in (os.getenv("KEPT") or "0:1:1").split(":")])
DOING = (os.getenv("DOING") or "").split(",")
PATIENCE_S = 60

# A board has more patience than a test.
for name in ("_BACKOFF_FIRST", "_BACKOFF_MAX", "_REFUSED"):
    setattr(wamp.client, name, 10)


class Ballast:
    """What takes the memory, so that a given number of octets is left; `drop` gives it back."""

    def __init__(self):
        self.chain = None

    def take(self, kept):
        gc.collect()
        spare = bytearray(kept) if kept else None
        chain: tuple[object, ...] = ()
        for size in (8192, 1024, 128, 0):
            try:
                while True:
                    # A tuple of one takes the smallest piece there is.
                    chain = (chain, bytearray(size)) if size else (chain,)
            except MemoryError:
                pass
        self.chain = chain
        del spare
        gc.collect()

    def drop(self):
        self.chain = None
        gc.collect()


ballast = Ballast()
# What went wrong, by kind of error: each is counted in memory that is there already.
errors = [0]


async def call(client):
    assert await client.call("com.host.echo", "x" * 40, timeout_ms=400) == "x" * 40


async def call_many(client):
    calls = [client.call("com.host.echo", n, timeout_ms=400) for n in range(4)]
    for n, found in enumerate(await asyncio.gather(*calls, return_exceptions=True)):
        if found != n:
            raise found


async def call_that_fails(client):
    try:
        await client.call("com.host.fails", timeout_ms=400)
        raise AssertionError("it came back")
    except ApplicationError as e:
        assert e.error == "com.host.error", e


async def call_in_vain(client):
    try:
        await client.call("com.host.hangs", timeout_ms=20)
        raise AssertionError("it came back")
    except wamp.errors.RequestTimeout:
        pass


async def publish(client):
    await client.publish("com.topic", 1, 2.5, "text", timeout_ms=400)
    await client.publish("com.topic", 1, acknowledge=True, timeout_ms=400)


async def subscribe(client):
    declared = client.subscribe("com.other", print)
    try:
        await declared.confirmed(400)
    finally:
        ballast.drop()
        await declared.remove()


async def idle(client):
    await asyncio.sleep(0.05)


async def gone(client):
    joins = client.joins
    for _ in range(8):
        await asyncio.sleep(0.02)
        if client.joins > joins:
            break


# name: what the peer does 10 ms after it was asked, what is done meanwhile
ACTIONS = {
    "call": (None, call),
    "call_many": (None, call_many),
    "call_that_fails": (None, call_that_fails),
    "call_in_vain": (None, call_in_vain),
    "publish": (None, publish),
    "subscribe": (None, subscribe),
    "event": ("event", idle),
    "plain": ("plain", idle),
    "coroutine": ("coroutine", idle),
    "raising": ("raising", idle),
    "long": ("long", idle),
    "killed": ("killed", gone),
}


async def works(client):
    """It comes back, with all that it has declared, and does its work."""
    for _ in range(PATIENCE_S * 100):
        try:
            if client.session is not None:
                await client.join()
                if await client.call("com.host.try", client.session, timeout_ms=1000) is True:
                    return True
        except Error:
            pass
        await asyncio.sleep(0.01)
    return False


async def run(client, name, kept):
    asked, action = ACTIONS[name]
    if asked is not None:
        await client.call("com.host.later", asked, client.session)
    ballast.take(kept)
    try:
        await action(client)
    except (Error, MemoryError):
        errors[0] += 1
    finally:
        ballast.drop()
    return await works(client)


async def main():
    client = wamp.Client(URL, timeout_ms=1000, alive_ms=1500, max_length=2048)
    events = [0]

    @client.subscribe("com.event")
    def event(*args):
        events[0] += 1

    @client.register("com.device.plain")
    def plain(x):
        return [x] * 5

    @client.register("com.device.coroutine")
    async def coroutine(x):
        await asyncio.sleep(0)
        return [x] * 5

    @client.register("com.device.raising")
    def raising(x):
        raise ValueError("not " + str(x))

    @client.register("com.device.long")
    def long(x):
        return bytes(4000)

    await client.join()
    for name in DOING:
        points = 0
        errors[0] = 0
        joins = client.joins
        for kept in KEPT:
            points += 1
            if not await run(client, name, kept):
                print("dead", name, kept, client.state, repr(client.error))
                sys.exit(1)
        print("ok", name, points, errors[0], client.joins - joins)
    print("all done")
    await client.leave()


asyncio.run(main())
