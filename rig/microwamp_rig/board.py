"""What the boards of the rig have in common: a life, and a console whose lines are waited for."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

#: Longer console lines come in pieces of this many octets.
LINE_LIMIT = 4096


class BoardError(RuntimeError):
    """The board did not do what was waited for; the text ends with its last console lines."""


class Board(ABC):
    """A board with a program on it. `async with` starts it, and closes it in any case.

    log: its console. Its constructor makes it; `_over` is from the first start on a future that is
    done while nothing will be printed.
    """

    _log: ConsoleLog
    _over: asyncio.Future[None] | None = None

    @abstractmethod
    async def start(self) -> None:
        """Power on. Octets that the host sent before are lost, as in a UART that had no power.
        Raises BoardError when it runs already, or does not come up."""

    @abstractmethod
    async def close(self) -> None:
        """Ends everything and gives back what the board held. Again is no error."""

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def lines(self) -> deque[str]:
        """What came over the console, line by line: the last `keep` lines."""
        return self._log.lines

    async def expect(self, pattern: str, timeout_s: float = 60.0) -> re.Match[str]:
        """Waits for a console line that matches the regular expression anywhere, among those
        printed since the last one expected; returns the match. Raises BoardError."""
        if self._over is None:
            raise BoardError("the board was never started")
        return await self._log.expect(pattern, timeout_s, self._over)


class ConsoleLog:
    """Cuts what a board prints into lines.

    on_line: called with each line, without its end. lines: the last `keep` ones. status: how the
    board is, for the text of errors.
    """

    def __init__(
        self,
        on_line: Callable[[str], None] | None,
        keep: int,
        status: Callable[[], str] = str,
    ) -> None:
        self.lines: deque[str] = deque(maxlen=keep)
        self._status = status
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
                # Not here: who stops reading the console stops the board.
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "on_line of a board failed", "exception": error}
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
        return f"board: {text}{self._status()}; console:{console or ' silent'}"
