"""Bridges as processes, which can be killed: killed.py FD FACTOR.

To start Python and to import the bridge takes 0.3 s or more, half a minute of a cell's time. So
one process does that once, and forks a bridge for each `start` that it reads from the socket FD:
the same code, with a process, descriptors and timers of its own. Time in it is FACTOR times as
fast. Requests and answers are JSON, one a line.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import Popen
from typing import Any, Self

from microwamp.bridge import Bridge, BridgeConfig, Limits, PortConfig
from microwamp_rig import process
from microwamp_rig.scaledtime import scaled_time

UNLIMITED = Limits(messages_per_s=0, opens_per_s=0, noise_per_s=0)
_LONG_S = 120.0


def config(port: str, router: str) -> BridgeConfig:
    """What the bridge of a cell is told."""
    return BridgeConfig((PortConfig(port, router, baud=921600, limits=UNLIMITED),))


# -- the side of the cells


class Bridges:
    """Use as `async with Bridges(factor)`."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._one = asyncio.Lock()
        self._process: Popen[bytes]
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        mine, others = socket.socketpair()
        command = [sys.executable, __file__, str(others.fileno()), str(self._factor)]
        self._process = process.start(command, pass_fds=[others.fileno()])
        others.close()
        self._reader, self._writer = await asyncio.open_connection(sock=mine)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()
        process.stop(self._process)

    async def _ask(self, **request: Any) -> int:
        async with self._one:
            self._writer.write(json.dumps(request).encode() + b"\n")
            line = await self._reader.readline()
        answer = json.loads(line)
        assert isinstance(answer, int)
        return answer

    async def start(self, port: str, router: str, log: Path) -> int:
        """Another bridge; returns its process id."""
        return await self._ask(do="start", port=port, router=router, log=str(log))

    async def kill(self, pid: int) -> None:
        """SIGKILL, and wait until it is gone. Raises RuntimeError if it was gone before."""
        status = await self._ask(do="kill", pid=pid)
        if status != -signal.SIGKILL:
            raise RuntimeError(f"a bridge had ended by itself, with status {status}")


# -- the process that forks


def fork(request: Mapping[str, Any], factor: float, control: socket.socket) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() == parent:
            control.close()
            serve(request, factor)
    finally:
        os._exit(1)


def serve(request: Mapping[str, Any], factor: float) -> None:
    with open(request["log"], "a", buffering=1) as log, scaled_time(factor) as runner:

        def report(event: str, fields: Mapping[str, Any]) -> None:
            log.write(f"{event} {fields.get('state', '')} {fields.get('reason', '')}\n")

        bridge = Bridge.of(config(request["port"], request["router"]), report)
        runner.run(bridge.run())


def main() -> None:
    # Writing to a socket that is just being closed is no news here.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    control, factor = socket.socket(fileno=int(sys.argv[1])), float(sys.argv[2])
    for line in control.makefile("rb"):
        request = json.loads(line)
        if request["do"] == "start":
            answer = fork(request, factor, control)
        else:
            os.kill(request["pid"], signal.SIGKILL)
            answer = os.waitstatus_to_exitcode(os.waitpid(request["pid"], 0)[1])
        control.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
