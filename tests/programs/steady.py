"""Sends and receives as many messages as it is told, on MicroPython, and says what stays in use.

MICROWAMP_URL: where to. COUNT: how many publications, each of which comes back as an event, and
how many calls, each of which comes back as an invocation. Prints `in use N`, octets of the heap
after a collection, at the beginning (when everything was used once) and after each fourth part;
then `events N`, `calls N` and `done`.
"""

import asyncio
import gc
import os

import wamp

COUNT = int(os.getenv("COUNT") or 0)
PREFIX = "com.test.steady"
AT_A_TIME = 8  # calls under way

client = wamp.Client(os.getenv("MICROWAMP_URL") or "", realm="test", log=print, timeout_ms=60000)
seen = [0, 0]  # events, invocations
news = asyncio.Event()


def heard(number, value):
    """An event: the next one, and what was published."""
    assert number == seen[0] and value == 23.45
    seen[0] += 1
    news.set()


def echo(number, text):
    """Answers at once."""
    seen[1] += 1
    return wamp.Result(number, text)


async def slow(number, text):
    """Answers from a task of its own."""
    seen[1] += 1
    await asyncio.sleep(0)
    return wamp.Result(number, text)


async def ask(begin, count):
    """Calls, one after another."""
    for number in range(begin, begin + count):
        procedure = PREFIX + (".slow" if number & 1 else ".echo")
        result = await client.call(procedure, number, "some text")
        assert list(result.args) == [number, "some text"]


async def part(count):
    """So many of each."""
    begin = seen[0]
    for number in range(begin, begin + count):
        await client.publish(PREFIX, number, 23.45, exclude_me=False, acknowledge=not number & 7)
    while seen[0] < begin + count:
        news.clear()
        await news.wait()
    begin = seen[1]
    each = count // AT_A_TIME
    await asyncio.gather(*[ask(begin + n * each, each) for n in range(AT_A_TIME)])
    assert seen[1] == begin + each * AT_A_TIME


def in_use():
    """Octets of the heap, without garbage."""
    for _ in range(3):
        gc.collect()
    return gc.mem_alloc()  # type: ignore[attr-defined]


async def main():
    client.subscribe(PREFIX, heard)
    client.register(PREFIX + ".echo", echo)
    client.register(PREFIX + ".slow", slow)
    async with client:
        for _ in range(2):
            await part(160)
        print("in use", in_use())
        for _ in range(4):
            await part(COUNT // 4)
            print("in use", in_use())
        print("events", seen[0])
        print("calls", seen[1])
    print("done")


asyncio.run(main())
