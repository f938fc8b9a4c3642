"""`Session` on a serial line, behind the bridge."""

from __future__ import annotations

import asyncio

from sessions import close, embedded, joined

from microwamp.bridge import Bridge
from microwamp_rig.line import Line
from microwamp_rig.pty import Pty


async def test_a_session_on_a_serial_line():
    async with embedded() as router:
        pty = Pty()
        line = Line(pty.path)
        line.start()
        bridge = Bridge([line.port], router.urls[0], lambda *_: None)
        running = asyncio.create_task(bridge.run())
        try:
            session = await joined(f"serial:fd/{pty.fd}")
            details = session.session_details
            assert details is not None and details.transport is not None
            assert details.transport.channel_typeid == "serial-rawsocket-cbor"
            await session.register(lambda a, b: a + b, "com.example.add")
            assert await session.call("com.example.add", 2, 3) == 5
            text = "x" * 5000
            assert await session.call("com.example.add", text, text) == text + text
            await close(session)
            assert session.events == ["connect", "join", "leave", "disconnect"]
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            line.close()
            pty.close()
            await asyncio.sleep(0.01)
