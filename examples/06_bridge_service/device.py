"""Behind a bridge that is a service: com.example.joins says how often this board has joined."""

import asyncio

import wamp

try:
    from settings import URL
except ImportError:
    URL = "serial:"  # the USB cable, and a bridge at its other end

client = wamp.Client(URL, log=print)


@client.register("com.example.joins")
def joins():
    return client.joins


async def main():
    async with client:  # joins anew by itself whenever the bridge was away
        await client.ended()


asyncio.run(main())
