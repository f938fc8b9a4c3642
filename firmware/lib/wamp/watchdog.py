"""A watchdog that is fed while asyncio turns and the client makes progress.

`watchdog.guard(client, machine.WDT(timeout=8000).feed)`. Progress is a sign of life of the router,
a change of state, a failed attempt: each has its bound in the client, so what lasts longer than
`stuck_ms` is a fault that only a reset cures. A handler that does not return starves it at once.
Imported where it is used. Part of the I/O edge.
"""

import asyncio

from ._port import sleep_ms, ticks


def guard(client, feed, every_ms=1000, stuck_ms=180000):
    """Call feed() every `every_ms`; returns the task, which may be cancelled."""
    return asyncio.create_task(_guard(client, feed, every_ms, stuck_ms))


async def _guard(client, feed, every_ms, stuck_ms):
    last = None
    since = ticks()
    while True:
        now = (client.state, client.reads, client.joins, client.failures)
        # Without `alive_ms` (on a serial line, where the link looks) a session may well be quiet.
        if now != last or (client.state == "up" and not client.alive_ms):
            last = now
            since = ticks()
        if (ticks() - since) & 0x3FFFFFFF < stuck_ms:
            feed()
        await sleep_ms(every_ms)
