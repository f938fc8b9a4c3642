"""Logins of components: what the tests of them share."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sessions import LIMIT_S, REALM

from microwamp import Component, Session
from microwamp.bridge import Bridge
from microwamp.types import SessionDetails
from microwamp_rig.line import Line
from microwamp_rig.pty import Pty


class Quiet(Session):
    """Keeps what its `onUserError` is told; the component raises it too."""

    def onUserError(self, fail: Any, msg: str) -> None:
        """Nothing is logged."""


async def login(url: str, authentication: Any = None, **options: Any) -> SessionDetails:
    """The details of a component's session; it has made a call before it left.

    authentication: as Component has it. options: of the transport. Raises what ended it.
    """
    found: list[SessionDetails] = []

    async def main(loop: asyncio.AbstractEventLoop, session: Session) -> None:
        details = session.session_details
        assert details is not None
        name = f"com.example.own{details.session}"
        await session.register(lambda n: n + 1, name)
        assert await session.call(name, 41) == 42
        found.append(details)

    transport = {"url": url, "max_retries": 0, **options}
    component = Component(
        main, transport, realm=REALM, authentication=authentication, session_factory=Quiet
    )
    async with asyncio.timeout(LIMIT_S):
        await component.start()
    return found[0]


def trusting(certificate: Any, tls_1_2: bool = False) -> ssl.SSLContext:
    """A context that trusts a certificate, and goes to TLS 1.2 at most if so wished."""
    context = ssl.create_default_context(cafile=str(certificate))
    if tls_1_2:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@asynccontextmanager
async def serial_line(url: str) -> AsyncIterator[str]:
    """The URL of a serial line behind which a bridge connects to a router."""
    pty = Pty()
    line = Line(pty.path)
    line.start()
    bridge = Bridge([line.port], url, lambda *_: None)
    running = asyncio.create_task(bridge.run())
    try:
        yield f"serial:fd/{pty.fd}"
    finally:
        await bridge.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        line.close()
        pty.close()
        await asyncio.sleep(0.01)
