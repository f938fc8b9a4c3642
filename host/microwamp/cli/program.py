"""A program that answers a call: arguments in, stdout out, bounded in time and size."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from wamp.errors import ApplicationError, ConfigurationError
from wamp.rawsocket import LENGTH_MAX

from . import values

# Octets of stdout that are taken: the longest message there is; routers take less.
_OUTPUT_MAX = LENGTH_MAX
# Octets of stderr whose last line is told.
_TAIL = 4096
_READ = 65536
# Seconds until a killed command is given up: a child in a session of its own has its stdout.
_KILLED = 2.0
# Secrets of ours that are none of the program's business.
_SECRETS = ("MICROWAMP_TICKET", "MICROWAMP_SECRET", "MICROWAMP_PASSWORD", "MICROWAMP_TOTP")


class Program:
    """A command that is run without a shell, in a process group of its own.

    stdin: whether it gets its arguments as a JSON object on stdin, instead of after its own.
    limit: seconds it may take. more: variables for its environment.
    """

    def __init__(
        self, command: list[str], stdin: bool, limit: float, more: Mapping[str, str]
    ) -> None:
        self._command = command
        self._stdin = stdin
        self._limit = limit
        self._env = {k: v for k, v in os.environ.items() if k not in _SECRETS} | dict(more)

    async def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the program answers. Raises ApplicationError for whatever goes wrong."""
        words, octets = self._arguments(args, kwargs)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *words,
                stdin=asyncio.subprocess.PIPE if self._stdin else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._env,
                start_new_session=True,
            )
        except (OSError, ValueError) as e:
            reason = (e.strerror if isinstance(e, OSError) else None) or str(e)
            raise ApplicationError(
                ApplicationError.RUNTIME_ERROR, f"the command cannot be started: {reason}"
            ) from e
        whole = asyncio.create_task(_whole(process))
        tail = asyncio.create_task(_tail(process))
        feed = asyncio.create_task(_feed(process, octets))
        ended = False
        try:
            async with asyncio.timeout(self._limit):
                await asyncio.gather(whole, tail, feed)
                status = await process.wait()
            ended = True
        except TimeoutError:
            raise ApplicationError(
                ApplicationError.TIMEOUT, f"the command took longer than {self._limit:g} s"
            ) from None
        finally:
            if not ended:
                await _kill(process, (whole, tail, feed))
        if status:
            text = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
            raise ApplicationError(
                ApplicationError.RUNTIME_ERROR, tail.result() or text, status=status
            )
        return _result(whole.result())

    def _arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[str], bytes]:
        if self._stdin:
            return [], values.dumps({"args": args, "kwargs": kwargs}).encode() + b"\n"
        wrong = ""
        if kwargs:
            wrong = "this procedure takes no keyword arguments"
        words = [one if isinstance(one, str) else values.dumps(one) for one in args]
        if any("\0" in word for word in words):
            wrong = "this procedure takes no text with U+0000"
        if wrong:
            raise ApplicationError(ApplicationError.INVALID_ARGUMENT, wrong)
        return words, b""


async def _kill(process: asyncio.subprocess.Process, tasks: Sequence[asyncio.Task[Any]]) -> None:
    """End the command and what it has started."""
    with suppress(ProcessLookupError):
        # The group: a child of the command may be what holds on to its stdout.
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(_KILLED):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # asyncio does not see the end of a process before that of its pipes.
            for stream in (process.stdout, process.stderr):
                while stream is not None and await stream.read(_READ):
                    pass
            await process.wait()


async def _whole(process: asyncio.subprocess.Process) -> bytes:
    """All of stdout."""
    assert process.stdout is not None
    found = bytearray()
    while octets := await process.stdout.read(_READ):
        found += octets
        if len(found) > _OUTPUT_MAX:
            raise ApplicationError(
                ApplicationError.PAYLOAD_SIZE_EXCEEDED,
                f"the command's output is longer than {_OUTPUT_MAX} octets",
            )
    return bytes(found)


async def _tail(process: asyncio.subprocess.Process) -> str:
    """The last line of stderr that is not empty."""
    assert process.stderr is not None
    found = b""
    while octets := await process.stderr.read(_READ):
        found = (found + octets)[-_TAIL:]
    lines = found.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


async def _feed(process: asyncio.subprocess.Process, octets: bytes) -> None:
    if process.stdin is None:
        return
    with suppress(OSError):  # it has read what it wanted
        process.stdin.write(octets)
        await process.stdin.drain()
    process.stdin.close()


def _result(octets: bytes) -> Any:
    try:
        text = octets.decode()
    except UnicodeError:
        return octets
    if not text.strip():
        return None
    try:
        return values.from_json(text)
    except ValueError:
        return text.removesuffix("\n").removesuffix("\r")
    except ConfigurationError as e:
        raise ApplicationError(
            ApplicationError.RUNTIME_ERROR, f"the command's output: {e}"
        ) from None
