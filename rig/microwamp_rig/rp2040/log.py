"""Console lines of an emulated board, and waiting for one of them."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import Any

from microwamp_rig.boards import LINE_LIMIT, BoardError


class ConsoleLog:
    """Cuts what a board prints into lines, as `UnixBoard` does.

    lines: the last `keep` ones.
    """

    def __init__(self, on_line: Callable[[str], None] | None, keep: int) -> None:
        self.lines: deque[str] = deque(maxlen=keep)
        self._on_line = on_line
        self._rest = b""
        self._count = 0  # lines ever printed
        self._expected = 0  # of these, how many `expect` has been over
        self._news = asyncio.Event()

    def feed(self, octets: bytes) -> None:
        *whole, self._rest = (self._rest + octets).split(b"\n")
        for line in whole:
            for n in range(0, len(line) or 1, LINE_LIMIT):
                self._line(line[n : n + LINE_LIMIT])
        while len(self._rest) >= LINE_LIMIT:
            self._line(self._rest[:LINE_LIMIT])
            self._rest = self._rest[LINE_LIMIT:]

    def end(self) -> None:
        """The board is off: what has no end of line yet is a line."""
        if self._rest:
            rest, self._rest = self._rest, b""
            self._line(rest)
        self._news.set()

    def _line(self, octets: bytes) -> None:
        line = octets.rstrip(b"\r").decode("utf-8", "replace")
        self.lines.append(line)
        self._count += 1
        self._news.set()
        if self._on_line is not None:
            try:
                self._on_line(line)
            except Exception as error:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "on_line of an Rp2040Board failed", "exception": error}
                )

    async def expect(
        self,
        pattern: str,
        timeout_s: float,
        end: asyncio.Future[None],
    ) -> re.Match[str]:
        """The match of the next line, since the last one expected, in which the expression is
        found. end: when it is done, nothing more will be printed. Raises BoardError."""
        expression = re.compile(pattern)
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    first = self._count - len(self.lines)
                    for number in range(max(first, self._expected), self._count):
                        self._expected = number + 1
                        match = expression.search(self.lines[number - first])
                        if match:
                            return match
                    self._news.clear()
                    if end.done():
                        raise BoardError(self.story(f"ended without a line like {pattern!r}"))
                    await self._wait(end)
        except TimeoutError:
            raise BoardError(self.story(f"no line like {pattern!r} in {timeout_s} s")) from None

    async def _wait(self, end: asyncio.Future[None]) -> None:
        news: asyncio.Future[bool] = asyncio.ensure_future(self._news.wait())
        both: set[asyncio.Future[Any]] = {news, end}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()

    def story(self, text: str) -> str:
        console = "".join(f"\n  {line}" for line in list(self.lines)[-30:])
        if self._rest:
            console += f"\n  {self._rest[-200:].decode('utf-8', 'replace')}"
        return f"board: {text}; console:{console or ' silent'}"
