"""`microwamp provision` and `deploy` as processes, and the keys they leave on a board."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from wamp import ed25519, keys


async def run(command: str, port: str, *words: str, wait_s: int = 300) -> tuple[int, str, str]:
    """A command on a board: its status, and what it printed on both streams."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "microwamp", command, port, "--json", "--wait", str(wait_s), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def whole(tmp_path: Path, octets: bytes) -> str:
    """The public key of a key file as it is on the board; fails unless it is whole."""
    path = tmp_path / "key"
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(octets)
    seed, public = keys.read_key(path)
    assert public == ed25519.run(ed25519.public_key(seed))
    return public.hex()
