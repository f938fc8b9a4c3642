"""Shows what boards publish; ends after the number of events given as second argument."""

import asyncio
import sys

import wamp

URL = sys.argv[1] if len(sys.argv) > 1 else "rs://127.0.0.1:8080"
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 0


async def main() -> None:
    client = wamp.Client(URL)
    enough = asyncio.Event()
    seen = 0

    @client.subscribe("com.example.temperature")
    def show(degrees: float, n: int, unit: str) -> None:
        nonlocal seen
        seen += 1
        print(f"{n}: {degrees} {unit}", flush=True)
        if seen == COUNT:
            enough.set()

    async with client:
        await enough.wait()


asyncio.run(main())
