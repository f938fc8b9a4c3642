"""Watches the two boards: shows each change of the lamp, which may be switched from here too.

Arguments: the router's URL, and "on" or "off" to switch it.
"""

import asyncio
import sys

import wamp

URL = sys.argv[1] if len(sys.argv) > 1 else "rs://127.0.0.1:8080"


async def main() -> None:
    client = wamp.Client(URL)

    @client.subscribe("com.example.lamp_is")
    def show(on: bool) -> None:
        print("the lamp is", "on" if on else "off", flush=True)

    async with client:
        if len(sys.argv) > 2:
            await client.call("com.example.lamp", sys.argv[2] == "on", timeout_ms=2000)
        else:
            await client.ended()


asyncio.run(main())
