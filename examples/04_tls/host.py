"""Waits for the board's greeting; arguments: URL of the router, file with its certificate."""

import asyncio
import ssl
import sys

import wamp

URL, CA = sys.argv[1], sys.argv[2]


async def main() -> None:
    client = wamp.Client(URL, ssl=ssl.create_default_context(cafile=CA))
    heard = asyncio.Event()

    @client.subscribe("com.example.hello")
    def hello(text: str) -> None:
        print("heard:", text, flush=True)
        heard.set()

    async with client:
        print("ready", flush=True)
        await heard.wait()


asyncio.run(main())
