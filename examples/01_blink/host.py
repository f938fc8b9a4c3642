"""Switches the board's LED on and off, five times."""

import asyncio
import sys

import wamp

URL = sys.argv[1] if len(sys.argv) > 1 else "rs://127.0.0.1:8080"


async def main() -> None:
    async with wamp.Client(URL) as client:
        for n in range(10):
            on = await client.call("com.example.led", n % 2 == 0, timeout_ms=2000)
            print("on" if on else "off")
            await asyncio.sleep(0.2)


asyncio.run(main())
