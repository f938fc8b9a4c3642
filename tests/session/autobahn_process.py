"""autobahn as another client of crossbar.io, for the tests of sessions."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from microwamp_rig import crossbar as xb
from microwamp_rig.crossbar import CrossbarNode

PEER = Path(__file__).with_name("autobahn_other_end.py")


@asynccontextmanager
async def autobahn(node: CrossbarNode, keys: dict[str, Any] | None = None) -> AsyncIterator[None]:
    """autobahn, joined and ready, in a process of its own. keys: of autobahn_other_end.py."""
    more = [json.dumps(keys)] if keys else []
    host, port = node.url.removeprefix("rs://").split(":")
    process = await asyncio.create_subprocess_exec(
        *(str(xb.program().with_name("python")), str(PEER), host, port, xb.REALM, *more),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": ""},
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.terminate()
        await process.wait()
