"""So many calls, or acknowledged publishes, one after another: for bench/client/run.py.

MICROWAMP_URL: the router. WHAT: "call" or "publish". COUNT: how many; 0 joins and leaves alone.
"""

import asyncio
import os

import wamp

COUNT = int(os.getenv("COUNT") or 0)
WHAT = os.getenv("WHAT")


async def main():
    async with wamp.Client(os.getenv("MICROWAMP_URL") or "") as client:
        if WHAT == "call":
            for n in range(COUNT):
                assert await client.call("com.bench.echo", n) == n
        else:
            for n in range(COUNT):
                await client.publish("com.bench.topic", n, acknowledge=True)


asyncio.run(main())
