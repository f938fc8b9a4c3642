"""Child processes that do not outlive the rig, and TCP ports that nobody else will take."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# Runs in the child before the program: asks the kernel (prctl(2), PR_SET_PDEATHSIG) for a SIGKILL
# when the parent ends, however it ends, then becomes the program under the same process id.
_TIE = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 9)\n"
    "os.getppid() == int(sys.argv[1]) or sys.exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
# "The parent" is, to the kernel, the thread that started the child; this one lives as long as the
# interpreter.
_spawner = ThreadPoolExecutor(1, thread_name_prefix="microwamp-spawner")


def tied(command: Sequence[str | Path]) -> list[str]:
    """The command line that runs `command` (its first element a path) until the calling thread
    ends. Linux only; elsewhere the command as it is."""
    plain = [str(part) for part in command]
    if sys.platform != "linux":
        return plain
    return [sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid()), *plain]


def start(command: Sequence[str | Path], **options: Any) -> subprocess.Popen[bytes]:
    """`subprocess.Popen` of a command that ends with this process at the latest, as leader of a
    process group of its own (`signal_group`)."""

    def spawn() -> subprocess.Popen[bytes]:
        return subprocess.Popen(tied(command), start_new_session=True, **options)

    return _spawner.submit(spawn).result()


def signal_group(pid: int, number: signal.Signals) -> None:
    """Sends a signal to the group that `pid` leads; nothing if it is gone."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def gone(pid: int) -> bool:
    """Whether the process ended; one that nobody waited for yet has. On Linux."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def stop(process: subprocess.Popen[bytes], timeout_s: float = 30.0) -> int:
    """Ends the group of a process started here: SIGTERM, after `timeout_s` SIGKILL. Returns the
    exit status of its leader, as `Popen.returncode`."""
    signal_group(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        pass
    # Whoever of the group is left, the leader or a child that did not listen.
    signal_group(process.pid, signal.SIGKILL)
    return process.wait()


def free_ports(count: int) -> list[int]:
    """`count` TCP ports on 127.0.0.1 that are free, outside the range from which the kernel takes
    ports for outgoing connections: they stay free until a server asks for them."""
    ports: list[int] = []
    for port in random.SystemRandom().sample(range(20000, 32000), 2000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError(f"no {count} free TCP ports on 127.0.0.1")
