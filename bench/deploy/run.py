"""What deploying and provisioning take on a Pico with stock MicroPython: bench/deploy/run.py

The board is emulated, the commands are processes. Time is the board's: what it computes, and what
its flash takes, at the chip's pace, and the host's own time (about a second a command) as it
passes here. Prints a table and writes figures.json beside this file.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from microwamp_rig.rp2040 import Rp2040Board

ROOT = Path(__file__).resolve().parents[2]
STOCK = ROOT / "build" / "RPI_PICO-stock" / "firmware.uf2"
FIGURES = Path(__file__).with_name("figures.json")
STEPS = (
    ("deploy, first", "deploy"),
    ("deploy, nothing changed", "deploy"),
    ("deploy, one setting changed", "deploy", "--realm", "other"),
    ("provision", "provision"),
)


async def _microwamp(*words: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "microwamp", *words, "--json", stdout=asyncio.subprocess.PIPE
    )
    octets, _ = await process.communicate()
    if process.returncode:
        sys.exit(f"microwamp {' '.join(words)}: status {process.returncode}")
    return dict(json.loads(octets))


async def measure() -> dict[str, dict[str, float]]:
    """Figures by step: seconds, octets of files, octets typed to the board, erased sectors."""
    figures = {}
    async with Rp2040Board(firmware=STOCK, uart=None, console="pty") as board:
        flash = board.machine.flash
        for name, command, *words in STEPS:
            begin, erased = board.emulated_ms, flash.erased
            done = await _microwamp(command, board.console_port, *words, "--wait", "300")
            figures[name] = {
                "seconds": round((board.emulated_ms - begin) / 1000, 1),
                "files": done.get("written", 1),
                "octets": done.get("octets", 0),
                "sent": done.get("sent", 0),
                "erased": flash.erased - erased,
            }
            print(name, figures[name], file=sys.stderr, flush=True)
    return figures


def main() -> None:
    """Measure, print, write."""
    if not STOCK.is_file():
        sys.exit("no firmware: `make firmware-stock`")
    figures = asyncio.run(measure())
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"{'':28} {'s':>6} {'files':>6} {'octets':>8} {'sent':>8} {'erased':>7}")
    for name, one in figures.items():
        sent = f"{one['sent']:8,}" if one["sent"] else " " * 8
        print(
            f"{name:28} {one['seconds']:6.1f} {one['files']:6} {one['octets']:8,} {sent}"
            f" {one['erased']:7}"
        )


if __name__ == "__main__":
    main()
