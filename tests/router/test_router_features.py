"""The client's part of WAMP's advanced profile against the embedded router."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from peer import Log, serve

from microwamp.router import Kept, Permission, RealmConfig, Role, Trust
from microwamp_rig import micropython

PROGRAM = Path(__file__).parents[1] / "programs" / "features.py"
WAMP = Permission("wamp.", frozenset({"call", "subscribe"}))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("board", ["cpython", "unix"])
async def test_features(board: str) -> None:
    command, environment = [sys.executable], dict(os.environ)
    if board == "unix":
        command, environment = micropython.command(board), micropython.environment()
    realm = RealmConfig(
        anonymous="anonymous",
        roles=(Role("anonymous", (Permission(), WAMP)),),
        history=(Kept("com.test.history"),),
        trust=(Trust(3, "com.test."),),
    )
    log = Log()
    async with serve(realm, log=log) as router:
        environment |= {"MICROWAMP_URL": router.urls[0], "TEST_PREFIX": "com.test"}
        process = await asyncio.create_subprocess_exec(
            *(*command, str(PROGRAM)),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), 100)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    lines = out.decode().splitlines()
    assert lines[-1] == "all done", "\n".join(lines)
    assert not [line for line in lines if line.startswith("skipped")], lines
