"""Runs a command on a machine that stands still at the wrong moments.

`python -m microwamp_rig.stalls [--seed N] [--all] COMMAND ...` stops the processes below it at
random (SIGSTOP, SIGCONT): one of them for a moment, now and then for seconds; with --all the whole
tree for seconds, as a virtual machine that is paused. A test that loses a race on such a machine
loses it one day on any. Returns the command's status. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

# Seconds. The short ones are those of a scheduler under load, the long ones of a machine that
# swaps, or whose host has other things to do.
BETWEEN_S, SHORT_S, LONG_S, LONG_SHARE = 0.08, (0.01, 0.3), (0.7, 2.5), 0.015
ALL_BETWEEN_S, ALL_S = (2.0, 12.0), (3.0, 9.0)


def descendants(root: int) -> list[int]:
    """The processes below one, itself first, by number."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                children.setdefault(int(parent), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def stall(root: int, chance: random.Random, everything: bool) -> None:
    """One stall of the processes below `root`, after a pause."""
    if everything:
        time.sleep(chance.uniform(*ALL_BETWEEN_S))
        pids, seconds = descendants(root), chance.uniform(*ALL_S)
    else:
        time.sleep(chance.expovariate(1 / BETWEEN_S))
        # The one that was asked for is what most depends on: it gets a share of its own.
        pids = [root if chance.random() < 0.25 else chance.choice(descendants(root))]
        seconds = chance.uniform(*(LONG_S if chance.random() < LONG_SHARE else SHORT_S))
    try:
        _send(pids, signal.SIGSTOP)
        time.sleep(seconds)
    finally:
        # Who goes on first is chance too.
        _send(chance.sample(pids, len(pids)), signal.SIGCONT)


def run(command: Sequence[str], seed: int, everything: bool) -> int:
    """Run a command to its end, with stalls; returns its status."""
    chance = random.Random(seed)
    with subprocess.Popen(command) as child:
        while child.poll() is None:
            stall(child.pid, chance, everything)
        return child.returncode


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m microwamp_rig.stalls")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="the whole tree, for seconds")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    if not options.command:
        parser.error("which command?")
    try:
        return run(options.command, options.seed, options.all)
    except OSError as error:
        print(f"{options.command[0]}: {error.strerror}", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main())
