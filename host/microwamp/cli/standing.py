"""Commands that stay joined until they are told to end: subscribe and register."""

import argparse
import asyncio
import signal
from collections.abc import Callable
from typing import Any

from wamp import Client, Declaration
from wamp.errors import ApplicationError, TransportLost

from . import INTERRUPTED, OK, connect, values

Declare = Callable[[Client, "asyncio.Future[int]"], Declaration]


class _Watch:
    """Follows a client by what it logs: it has no other way to tell of lost sessions.

    failed: done when the first session came to nothing. over: gets the error when a later session
    refuses the declaration.
    """

    def __init__(self, over: "asyncio.Future[int]") -> None:
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.client: Client | None = None
        self.declaration: Declaration | None = None
        self.ready = False
        self._over = over
        self._lost = False
        self._reason = ""

    def __call__(self, text: str) -> None:
        connect.debug(text)
        if self.client is None or self.declaration is None or self._over.done():
            return
        if self.client.session is None:
            if self.ready:
                self._say(str(self.client.error or text))
            elif not self.failed.done():
                self.failed.set_result(None)
        elif self.ready and self.declaration.error is not None:
            self._refused(self.declaration.error)
        elif self._lost:
            self._lost = False
            values.note("joined again")

    def _refused(self, error: Exception) -> None:
        name = getattr(error, "error", None)
        if name == ApplicationError.PROCEDURE_ALREADY_EXISTS:
            # The router may still hold our lost session: the client asks again.
            values.note(f"{error}; trying again")
        else:
            self._over.set_exception(error)

    def _say(self, reason: str) -> None:
        """Once for each reason, not for each of the attempts."""
        if not self._lost:
            values.note(f"session lost ({reason}); trying again")
        elif reason != self._reason:
            values.note(f"still no session ({reason})")
        self._lost = True
        self._reason = reason


def run(
    options: argparse.Namespace,
    declare: Declare,
    ready: str,
    seconds: float | None = None,
    late: int = OK,
) -> int:
    """Join, declare, and stay until a signal comes, `seconds` have passed or `declare`'s future
    is done, which gives the status or the error.

    ready: what to say on stderr when the router has confirmed. late: the status after `seconds`.
    A signal gives OK, or INTERRUPTED where there was no session yet. Raises what prevented the
    first session; later ones are waited for.
    """
    with connect.readable():
        return asyncio.run(_run(options, declare, ready, seconds, late))


async def _run(
    options: argparse.Namespace, declare: Declare, ready: str, seconds: float | None, late: int
) -> int:
    connect.contain()
    loop = asyncio.get_running_loop()
    over: asyncio.Future[int] = loop.create_future()
    watch = _Watch(over)
    client = connect.client(options, reconnect=True, log=watch)
    watch.client = client
    watch.declaration = declare(client, over)

    def interrupt() -> None:
        if not over.done():
            over.set_result(OK if watch.ready else INTERRUPTED)

    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, interrupt)
    client.start()
    joining = asyncio.create_task(client.join())
    ended = asyncio.create_task(client.ended())
    try:
        first: set[asyncio.Future[Any]] = {joining, watch.failed, ended, over}
        done, _ = await asyncio.wait(
            first,
            timeout=options.timeout,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if not done:
            raise connect.overdue(client, watch.declaration.uri, options.timeout)
        if not over.done():
            if client.session is None:
                raise client.error or TransportLost(f"{client.url}: the client has ended")
            if watch.declaration.error is not None:
                raise watch.declaration.error
            watch.ready = True
            values.note(ready)
            rest: set[asyncio.Future[Any]] = {over, ended}
            await asyncio.wait(rest, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if ended.done() and not over.done():
                raise client.error or TransportLost(f"{client.url}: the client has ended")
        return over.result() if over.done() else late
    finally:
        if not over.done():
            over.set_result(OK)  # what comes from now on is not told
        # Whoever cannot wait for the GOODBYE may interrupt again.
        for number in signals:
            loop.remove_signal_handler(number)
        for task in (joining, ended):
            task.cancel()
        await asyncio.gather(joining, ended, return_exceptions=True)
        await client.leave()
