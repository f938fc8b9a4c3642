"""Goodput of the serial link on a bad line, in virtual time: what arrives of what could.

    python bench/link/goodput.py [--seed 1] [--json]

One way and both ways at once, bit errors from none to 1e-3 with ten bits an octet. The
processors take no time here: these are the protocol's figures, not a board's.
"""

from __future__ import annotations

import argparse
import json
import sys

from simulate import Faults, Simulation

RATES = (0.0, 1e-5, 1e-4, 1e-3)
BAUDS = (115200, 921600)
_SECONDS = 8  # of virtual time a figure


def goodput(baud: int, rate: float, ways: str, seed: int) -> dict[str, float | int | str]:
    """Share of the line's octets that arrive as octets of the stream, per direction in use."""
    simulation = Simulation(seed, baud, Faults(bits=rate))
    simulation.connect()
    simulation.now += 100_000
    senders = {"up": ("device",), "down": ("bridge",), "both": ("device", "bridge")}[ways]
    octets = simulation.rng.randbytes(baud // 10 * _SECONDS)
    begin = simulation.now
    for name in senders:
        getattr(simulation, name).to_send = octets
    simulation.run(lambda: False, _SECONDS * 1000)
    seconds = (simulation.now - begin) / 1e6
    got = 0
    resent = 0
    for name in senders:
        receiver = simulation.bridge if name == "device" else simulation.device
        if not octets.startswith(bytes(receiver.got)):
            raise RuntimeError(f"what arrived is not what was sent (seed {seed}, {rate}, {ways})")
        got += len(receiver.got)
        resent += getattr(simulation, name).link.resent
    if simulation.epoch != 1:
        raise RuntimeError(f"the connection did not last (seed {seed}, {rate}, {ways})")
    return {
        "baud": baud,
        "bit_errors": rate,
        "ways": ways,
        "seed": seed,
        "kB_s": round(got / len(senders) / seconds / 1000, 2),
        "of_the_line": round(got / len(senders) / seconds / (baud / 10), 3),
        "resent": resent,
    }


def main() -> int:
    """Measure all and print."""
    parser = argparse.ArgumentParser(description="Goodput of the serial link on a bad line.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    for baud in BAUDS:
        for ways in ("up", "down", "both"):
            clean = 0.0
            for rate in RATES:
                found = goodput(baud, rate, ways, options.seed)
                clean = clean or float(found["of_the_line"])
                found["of_clean"] = round(float(found["of_the_line"]) / clean, 3)
                if options.json:
                    print(json.dumps(found), flush=True)
                else:
                    print(
                        f"{baud:7} baud {ways:4} bit errors {rate:<7g} {found['kB_s']:7} kB/s "
                        f"{found['of_the_line']:6.1%} of the line "
                        f"{found['of_clean']:6.1%} of clean {found['resent']:6} sent again",
                        flush=True,
                    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
