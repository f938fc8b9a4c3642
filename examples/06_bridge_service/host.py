"""Shows, once a second, how often the board has joined, or why it cannot be asked."""

import asyncio
import sys

import wamp

URL = sys.argv[1] if len(sys.argv) > 1 else "rs://127.0.0.1:8080"


async def main() -> None:
    async with wamp.Client(URL) as client:
        while True:
            try:
                joins = await client.call("com.example.joins", timeout_ms=2000)
                print("joined", joins, "times" if joins > 1 else "time", flush=True)
            except wamp.Error as error:
                print("no answer:", error, flush=True)
            await asyncio.sleep(1)


asyncio.run(main())
