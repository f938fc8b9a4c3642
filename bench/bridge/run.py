"""The bridge in figures: goodput, what it adds to a message, racks of devices, cycles of faults.

    run.py [--only STAGE ...] [--quick] [--seed N] [--store]

Prints a table with a verdict for each goal and fails if one is missed. --quick: the smallest
settings, which show that it runs and are no figures. --store: keep the stages that were run in
figures.json. Stages: goodput, board, hops, busy, idle, cycles.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cycles
import goodput
import hops
import rack

from microwamp_rig.scaledtime import scaled_time

FIGURES = Path(__file__).with_name("figures.json")
# The goals: shares of the line and of the clean line, microseconds, times the bare splice's CPU.
OF_THE_LINE, OF_CLEAN = 0.9, 0.6
ADDED_US = 300.0
TIMES_BARE = 3.0
# Python's own caches fill; a leak of one object in each cycle would be ten times that.
GROWN_OBJECTS = 1000
GROWN_KB = 4096

Verdict = tuple[str, bool]


def run_goodput(quick: bool, seed: int) -> list[dict[str, Any]]:
    messages = 60 if quick else 400
    rates = goodput.RATES[:2] if quick else goodput.RATES
    ways = ("up",) if quick else ("up", "down")
    return [
        asyncio.run(goodput.measure(rate, way, seed, messages)) for way in ways for rate in rates
    ]


def run_board(quick: bool, seed: int) -> list[dict[str, Any]]:
    """On the emulated RP2040, in the board's time: nothing is drawn, so there is no seed."""
    program = Path(__file__).parents[1] / "device" / "bridge.py"
    done = subprocess.run(
        [sys.executable, program, "--json"], check=True, stdout=subprocess.PIPE, text=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def run_hops(quick: bool, seed: int) -> dict[str, Any]:
    names = [name for name in ("socat", "bare", "bridge") if name != "socat" or has_socat()]
    found = hops.measure(names, 1 if quick else 20)
    return {**found, "parts": hops.parts()}


def run_busy(quick: bool, seed: int) -> dict[str, Any]:
    return rack.busy(5, 20, 1) if quick else rack.busy(100, 20, 20)


def run_idle(quick: bool, seed: int) -> dict[str, Any]:
    return rack.idle(5, 1) if quick else rack.idle(1000, 20)


def run_cycles(quick: bool, seed: int) -> dict[str, Any]:
    # Writing to a socket that is just being closed is no news here.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    with scaled_time(cycles.FACTOR) as runner:
        found: dict[str, Any] = runner.run(cycles.measure(60 if quick else 11000, seed))
    return found


STAGES: dict[str, Callable[[bool, int], Any]] = {
    "goodput": run_goodput,
    "board": run_board,
    "hops": run_hops,
    "busy": run_busy,
    "idle": run_idle,
    "cycles": run_cycles,
}


def has_socat() -> bool:
    """Whether socat can be run here."""
    return shutil.which("socat") is not None


# -- what the figures say, and whether the goals are met


def say_goodput(found: list[dict[str, Any]]) -> list[Verdict]:
    said = []
    clean = {one["way"]: one for one in found if not one["bit_errors"]}
    for one in found:
        whole = one["wrong"] == 0 and one["connections"] == 1
        of_clean = one["kB_s"] / clean[one["way"]]["kB_s"]
        text = (
            f"{one['way']:4} bit errors {one['bit_errors']:<6g} {one['kB_s']:6} kB/s, "
            f"{one['of_the_line']:.1%} of the line, {of_clean:.1%} of clean"
        )
        if not one["bit_errors"]:
            text += f" (goal {OF_THE_LINE:.0%} of the line)"
            met = one["of_the_line"] >= OF_THE_LINE
        elif one["bit_errors"] <= 1e-4:
            text += f" (goal {OF_CLEAN:.0%} of clean)"
            met = of_clean >= OF_CLEAN
        else:
            text += " (goal: stays up, nothing lost)"
            met = True
        if not whole:
            text += f"; {one['wrong']} messages lost or out of order, {one['connections']} "
            text += "connections"
        said.append((text, met and whole))
    return said


def say_board(found: list[dict[str, Any]]) -> list[Verdict]:
    return [
        (
            f"RP2040 at {one['baud']} baud: {one['goodput_kB_s']} kB/s, {one['of_the_line']:.0%} "
            f"of the line; of {one['message_ms']} ms a message the line is busy for "
            f"{one['wire_ms']}, the processor for {one['cpu_ms']}",
            True,
        )
        for one in found
    ]


def say_hops(found: dict[str, Any]) -> list[Verdict]:
    said: list[Verdict] = []
    for way in ("up", "down", "both"):
        bare = found["bare"][way]
        for name in ("socat", "bare", "bridge"):
            if name not in found:
                text = f"{way:4} {name}: not installed (apt-get install socat), so it is left out"
                said.append((text, True))
                continue
            one = found[name][way]
            times = one["cpu_us"] / bare["cpu_us"]
            text = (
                f"{way:4} {name:6} median {one['median_us']:6.1f} us, 99 % {one['p99_us']:7.1f}, "
                f"CPU {one['cpu_us']:5.1f} us a message, {times:.2f} times bare"
            )
            met = True
            if name == "bridge":
                met = times <= TIMES_BARE and one["median_us"] <= ADDED_US
                text += f" (goals {ADDED_US:.0f} us, {TIMES_BARE:g} times)"
            said.append((text, met))
    for way, part in found["parts"].items():
        rest = found["bridge"][way]["cpu_us"] - part["link"] - part["framing"]
        said.append(
            (
                f"{way:4} bridge: link {part['link']} us, framing {part['framing']} us, splice "
                f"{rest:.1f} us (event loop, descriptors and what is around them)",
                True,
            )
        )
    return said


def say_busy(found: dict[str, Any]) -> list[Verdict]:
    low, middle, high = found["answered"]
    text = (
        f"{found['devices']} devices, {found['messages_per_s']} messages a second each for "
        f"{found['seconds']} s: answered {low} / {middle:g} / {high} of {found['wanted']} (least, "
        f"median, most), a device's median {found['median_ms'][0]} to {found['median_ms'][1]} ms, "
        f"the slowest {found['worst_ms']} ms; CPU {found['cpu_us_message']} us a message, "
        f"{found['cpu_percent_device']} % of a core and {found['kb_device']} kB a device"
    )
    return [(text, low == found["wanted"] and found["connections"] == 1)]


def say_idle(found: dict[str, Any]) -> list[Verdict]:
    text = (
        f"{found['devices']} idle devices: {found['held']} held, joined within "
        f"{found['joined_s']} s; CPU {found['cpu_us_device_s']} us a device and second, "
        f"{found['kb_device']} kB a device"
    )
    return [(text, found["held"] == found["devices"] and found["connections"] == 1)]


def say_cycles(found: dict[str, Any]) -> list[Verdict]:
    events = ", ".join(f"{name} {n}" for name, n in sorted(found["events"].items()))
    grown = found["grown"]
    met = grown["descriptors"] <= 0 and grown["tasks"] <= 0
    met = met and grown["objects"] <= GROWN_OBJECTS and grown["resident_kb"] <= GROWN_KB
    return [
        (
            f"{found['cycles']} cycles, seed {found['seed']}, in {found['wall_s']} s: {events}; "
            f"every device got through, the slowest {found['slowest_s']} s after (scaled)",
            True,
        ),
        (
            f"{found['events'].get(cycles.SIGKILL, 0)} of them SIGKILL of a bridge process, "
            f"{found['killed_joined']} while a session was up: a new one each time, after "
            f"{found['rejoined_s'][0]} s (median), {found['rejoined_s'][1]} s at most (scaled)",
            found["killed_joined"] > 0,
        ),
        (
            "grown meanwhile: "
            + ", ".join(f"{name} {n} (of {found['first'][name]})" for name, n in grown.items()),
            met,
        ),
    ]


SAY: dict[str, Callable[[Any], list[Verdict]]] = {
    "goodput": say_goodput,
    "board": say_board,
    "hops": say_hops,
    "busy": say_busy,
    "idle": say_idle,
    "cycles": say_cycles,
}


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The bridge in figures.")
    parser.add_argument("--only", action="append", choices=STAGES, metavar="STAGE")
    parser.add_argument("--quick", action="store_true", help="the smallest settings; no figures")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", action="store_true", help=f"keep them in {FIGURES.name}")
    options = parser.parse_args(words)
    if options.quick and options.store:
        parser.error("--quick gives no figures to store")
    found = {}
    missed = 0
    for name in options.only or STAGES:
        found[name] = STAGES[name](options.quick, options.seed)
        print(f"{name}:")
        for text, met in SAY[name](found[name]):
            print(f"  {'' if met else 'MISSED '}{text}", flush=True)
            missed += not met
    if options.store:
        stored = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
        found["when"] = time.strftime("%Y-%m-%d")
        found["python"] = platform.python_version()
        FIGURES.write_text(json.dumps({**stored, **found}, indent=1) + "\n")
    if missed:
        print(f"{missed} goals missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
