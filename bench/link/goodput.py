"""Goodput of the serial link on a bad line, in virtual time: what arrives of what could.

    python bench/link/goodput.py [--seed 1] [--json]

One way and both ways at once, bit errors from none to 1e-3 with ten bits an octet. The
processors take no time here: these are the protocol's figures, not a board's.
"""

from __future__ import annotations

import argparse
import json
import sys

from microwamp_rig.virtual_link import Faults, VirtualLink

RATES = (0.0, 1e-5, 1e-4, 1e-3)
BAUDS = (115200, 921600)
_SECONDS = 8  # of virtual time a figure


def goodput(baud: int, rate: float, ways: str, seed: int) -> dict[str, float | int | str]:
    """Share of the line's octets that arrive as octets of the stream, per direction in use."""
    line = VirtualLink(seed, baud, Faults(bits=rate))
    line.connect()
    line.now += 100_000
    ends = {"up": line.ends[:1], "down": line.ends[1:], "both": line.ends}[ways]
    begin = line.now
    for end in ends:
        end.wanted = 1 << 40
    line.run(lambda: False, _SECONDS * 1000)
    seconds = (line.now - begin) / 1e6
    if line.connections != 2:
        raise RuntimeError(f"the connection did not last (seed {seed}, {rate}, {ways})")
    got = sum(line.bridge.got if end is line.device else line.device.got for end in ends)
    return {
        "baud": baud,
        "bit_errors": rate,
        "ways": ways,
        "seed": seed,
        "kB_s": round(got / len(ends) / seconds / 1000, 2),
        "of_the_line": round(got / len(ends) / seconds / (baud / 10), 3),
        "resent": sum(end.link.resent for end in ends),
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
