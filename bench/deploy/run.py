"""What deploying and provisioning take on a Pico with stock MicroPython: bench/deploy/run.py

The board is emulated, the commands are processes. `seconds` is the board's time from the command's
start to its end; while the board waits for the host it passes as fast as here, so a machine with
other work shows more of it than a user sees. `busy` is what the chip computes, at 125 MHz, and
`flash` what its flash takes; neither depends on this machine. Prints a table and writes
figures.json beside this file.
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
_HZ = 125_000_000
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


async def measure() -> dict[str, dict[str, Any]]:
    """Figures by step: seconds, octets of files, octets typed to the board, erased sectors."""
    figures = {}
    async with Rp2040Board(firmware=STOCK, uart=None, console="pty") as board:
        flash = board.machine.flash
        for name, command, *words in STEPS:
            begin, cycles = board.emulated_ms, board.cycles
            erased, programmed = flash.erased, flash.programmed
            done = await _microwamp(command, board.console_port, *words, "--wait", "300")
            erased, programmed = flash.erased - erased, flash.programmed - programmed
            timing = flash.timing
            figures[name] = {
                "seconds": round((board.emulated_ms - begin) / 1000, 1),
                "busy": round((board.cycles - cycles) / _HZ, 1),
                "flash": round((erased * timing.erase + programmed * timing.program) / 1000, 1),
                "files": done.get("written", 1),
                "octets": done.get("octets", 0),
                "sent": done.get("sent"),  # provision does not say
                "erased": erased,
            }
            print(name, figures[name], file=sys.stderr, flush=True)
    return figures


def main() -> None:
    """Measure, print, write."""
    if not STOCK.is_file():
        sys.exit("no firmware: `make firmware-stock`")
    figures = asyncio.run(measure())
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"{'':28} {'s':>6} {'busy':>6} {'flash':>6} {'files':>6} {'octets':>8} {'sent':>8}")
    for name, one in figures.items():
        print(
            f"{name:28} {one['seconds']:6.1f} {one['busy']:6.1f} {one['flash']:6.1f}"
            f" {one['files']:6} {one['octets']:8,} {one['sent'] or '':>8}"
        )


if __name__ == "__main__":
    main()
