"""From power-on to a joined session, logged in with cryptosign; the host's end takes the times."""

import asyncio
import gc

import measure
from machine import Pin

mark = Pin(2, Pin.OUT, value=0)


def main(url, key):
    asyncio.run(_main(url, key))


async def _main(url, key):
    mark.on()  # boot is done
    mark.off()
    import wamp

    _ = wamp.Client
    import wamp.keys
    import wamp.serial

    mark.on()  # imports are done
    mark.off()
    client = wamp.Client(url, auth=wamp.Cryptosign(key))
    async with client:
        mark.on()  # joined
        mark.off()
        await asyncio.sleep_ms(20)
        gc.collect()
        measure.figure("join.heap", gc.mem_alloc())
        measure.figure("join.free", gc.mem_free())
