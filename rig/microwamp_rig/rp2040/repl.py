"""MicroPython's raw REPL on a console that others listen to as well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from microwamp_rig.board import BoardError

_INTERRUPT, _RAW, _NORMAL, _RUN = b"\x03", b"\x01", b"\x02", b"\x04"
_PROMPT = b">>> "
_RAW_PROMPT = b"raw REPL; CTRL-B to exit\r\n>"
_CHUNK = 256


class RawRepl:
    """send(octets): types them. story(text): that text and what the board printed, for errors."""

    def __init__(self, send: Callable[[bytes], None], story: Callable[[str], str]) -> None:
        self._send = send
        self._story = story
        self._seen = bytearray()
        self._listening = False
        self._news = asyncio.Event()

    def feed(self, octets: bytes) -> None:
        """The board printed octets."""
        if self._listening:
            self._seen += octets
            self._news.set()

    async def interrupt(self, timeout_s: float) -> None:
        """Ctrl-C until there is a prompt."""
        self._begin()
        self._send(b"\r" + _INTERRUPT + _INTERRUPT + _NORMAL)
        await self._until(_PROMPT, timeout_s, "no prompt after Ctrl-C")

    async def soft_reset(self, timeout_s: float) -> None:
        """Ctrl-D at the prompt."""
        self._begin()
        self._send(_RUN)
        await self._until(b"soft reboot", timeout_s, "no soft reset")
        self._listening = False

    async def exec(self, code: str, timeout_s: float) -> str:
        """What the code prints."""
        self._begin()
        self._send(_RAW)
        await self._until(_RAW_PROMPT, timeout_s, "no raw REPL")
        self._send(code.encode() + _RUN)
        await self._until(b"OK", timeout_s, "the code was not taken")
        printed = await self._until(_RUN, timeout_s, "the code does not end")
        traceback = await self._until(_RUN + b">", timeout_s, "the REPL does not come back")
        self._send(_NORMAL)
        self._listening = False
        if traceback:
            text = traceback.decode("utf-8", "replace").replace("\r\n", "\n").rstrip()
            raise BoardError(f"the code failed on the board:\n{text}")
        return printed.decode("utf-8", "replace").replace("\r\n", "\n")

    def _begin(self) -> None:
        self._seen.clear()
        self._listening = True

    async def _until(self, mark: bytes, timeout_s: float, what: str) -> bytes:
        """What came before `mark`."""
        try:
            async with asyncio.timeout(timeout_s):
                while (place := self._seen.find(mark)) < 0:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            self._listening = False
            raise BoardError(self._story(f"{what} in {timeout_s} s")) from None
        found = bytes(self._seen[:place])
        del self._seen[: place + len(mark)]
        return found
