"""Messages through the serializers, side by side with autobahn as pip installs it.

    run.py [--quick] [--only SERIALIZER] [--out FILE]

Both run at the same time on the same machine, each in its own interpreter, taking turns; a figure
is the best CPU time of several turns in several processes. Compared is the rate: messages per
second of CPU time, as the geometric mean over six kinds of messages. Exit status 1 if a goal is
missed.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTHON = {"microwamp": sys.executable, "autobahn": str(ROOT / ".venv-crossbar/bin/python")}
SERIALIZERS = ("cbor", "json", "msgpack", "ubjson", "flatbuffers")
MESSAGES = ("Publish", "Event", "Call", "Result", "Invocation", "Yield")
# Our rate by autobahn's, at least: for writing and reading together, or for each.
GOALS = {
    ("cbor", "both"): 1.5,
    ("json", "both"): 3.0,
    ("msgpack", "both"): 1.0,
    ("ubjson", "both"): 1.0,
    ("flatbuffers", "write"): 3.0,
    ("flatbuffers", "read"): 1.5,
}
# Each side is started so often, one after the other: now and then a process is slower by a quarter
# than others for as long as it lives, whatever it measures.
PROCESSES = 3
# No message may be left behind: its ratio is at least this part of the mean.
LEAST = 0.8
# What importing messages and one serializer may cost over asyncio and ssl, in ms of CPU time.
IMPORT_MS = 60
BASE = "import asyncio, ssl"
IMPORTS = {
    "microwamp": f"{BASE}; import microwamp.message; from microwamp.serializer import {{}}",
    "autobahn": f"{BASE}, txaio; txaio.use_asyncio(); from autobahn.wamp.serializer import {{}}",
}
CLASSES = {
    "cbor": "CBORSerializer",
    "json": "JsonSerializer",
    "msgpack": "MsgPackSerializer",
    "ubjson": "UBJSONSerializer",
    "flatbuffers": "FlatBuffersSerializer",
}
ENVIRONMENT = {**os.environ, "PYTHONPATH": "", "PYTHONHASHSEED": "0"}
AUTOBAHN = ROOT / ".venv-crossbar/lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
# Part: of ours what is written by hand, what a generator writes, and autobahn's.
LINES = {
    "messages and checks": (
        ["message/*.py"],
        ["message/_generated/*.py"],
        ["message.py"],
    ),
    "roles": (["role/_[!g]*.py"], ["role/_generated.py"], ["role.py"]),
    "types": (["types/*.py"], [], ["types.py"]),
    "requests": (["request.py"], [], ["request.py"]),
    "exceptions": (["exception.py"], [], ["exception.py"]),
    "interfaces": (["interfaces.py"], [], ["interfaces.py"]),
    "serializers and codecs": (["serializer/*.py"], [], ["serializer.py"]),
    "FlatBuffers": (
        ["schema/__init__.py", "schema/[!_]*.py"],
        ["schema/_slots.py"],
        ["message_fbs.py", "gen/wamp/proto/*.py"],
    ),
    "FlatBuffers schema": (["schema/*.fbs"], [], ["flatbuffers/*.fbs"]),
}


class Worker:
    """One side, in its own process."""

    def __init__(self, side: str) -> None:
        self.process = subprocess.Popen(
            [PYTHON[side], str(HERE / "worker.py"), side],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=ENVIRONMENT,
        )
        # Both on one processor, where they take turns: another one may be slower for a while.
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self.process.pid, {min(os.sched_getaffinity(0))})

    def ask(self, *what: object) -> tuple[float, int]:
        """Nanoseconds of CPU time for one message, and its octets."""
        assert self.process.stdin and self.process.stdout
        print(*what, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().split()
        if not answer:
            sys.exit(f"{self.process.args}: ended while asked for {what}")
        return float(answer[0]), int(answer[1])

    def close(self) -> None:
        self.process.communicate(timeout=10)


def measure(
    only: list[str], turns: int, rounds: int
) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """By serializer, message and side: ns to write, ns to read, octets."""
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {
        serializer: {message: {side: {} for side in PYTHON} for message in MESSAGES}
        for serializer in only
    }
    for _ in range(PROCESSES):
        workers = {side: Worker(side) for side in PYTHON}
        # The turns of a message are spread: others may use the machine for a while.
        for turn in range(turns // PROCESSES + 1):
            for serializer, rows in found.items():
                for message, row in rows.items():
                    for side, worker in workers.items():
                        for operation in ("write", "read"):
                            what = (serializer, message, operation)
                            if turn == 0:  # warm
                                worker.ask(*what, rounds // 10 + 1)
                                continue
                            took, octets = worker.ask(*what, rounds)
                            best = min(row[side].get(operation, took), took)
                            row[side].update({operation: best, "octets": octets})
        for worker in workers.values():
            worker.close()
    return found


def ratio(row: dict[str, dict[str, float]], what: str) -> float:
    """Our rate by autobahn's."""
    ours, theirs = (
        sum(row[side][operation] for operation in ("write", "read") if what in (operation, "both"))
        for side in ("microwamp", "autobahn")
    )
    return theirs / ours


def mean(ratios: list[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def cpu_ms(python: str, program: str, turns: int) -> float:
    """Best CPU time (ms) of a program in a new interpreter."""
    code = f"import time\nt = time.process_time()\n{program}\nprint(time.process_time() - t)"
    times = []
    for _ in range(turns):
        done = subprocess.run(
            [python, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True
        )
        times.append(float(done.stdout.split()[-1]) * 1000)
    return min(times)


def imports(turns: int) -> dict[str, dict[str, float]]:
    """By side and serializer: ms of CPU time over what asyncio and ssl cost."""
    found: dict[str, dict[str, float]] = {}
    for side, program in IMPORTS.items():
        base = cpu_ms(PYTHON[side], BASE, turns)
        found[side] = {
            name: cpu_ms(PYTHON[side], program.format(klass), turns) - base
            for name, klass in CLASSES.items()
        }
    return found


def lines() -> dict[str, dict[str, int]]:
    """By part: lines of ours by hand and generated, and of autobahn's."""
    ours, theirs = ROOT / "host/microwamp", AUTOBAHN / "site-packages/autobahn/wamp"
    return {
        part: {
            whose: sum(
                len(path.read_text().splitlines())
                for pattern in patterns
                for path in folder.glob(pattern)
            )
            for whose, folder, patterns in (
                ("by hand", ours, hand),
                ("generated", ours, made),
                ("autobahn", theirs, other),
            )
        }
        for part, (hand, made, other) in LINES.items()
    }


def table(figures: dict, imported: dict[str, dict[str, float]]) -> list[str]:
    """Prints the figures; returns the goals that were missed."""
    missed = []
    for serializer, rows in figures.items():
        print(f"\n{serializer:12}{'ours, k/s':>18}{'autobahn, k/s':>18}{'ratio':>22}   octets")
        print(f"{'':12}{'write':>9}{'read':>9}{'write':>9}{'read':>9}", end="")
        print(f"{'write':>8}{'read':>7}{'both':>7}")
        for message, row in rows.items():
            rates = [
                f"{1e6 / row[side][operation]:9.1f}"
                for side in ("microwamp", "autobahn")
                for operation in ("write", "read")
            ]
            ratios = [f"{ratio(row, what):7.2f}" for what in ("write", "read", "both")]
            sizes = f"{row['microwamp']['octets']:.0f}/{row['autobahn']['octets']:.0f}"
            print(f"{message:12}{''.join(rates)} {''.join(ratios)}   {sizes}")
        for what in ("write", "read", "both"):
            ratios = [ratio(row, what) for row in rows.values()]
            goal = GOALS.get((serializer, what))
            line = f"{serializer} {what}: mean {mean(ratios):.2f}, least {min(ratios):.2f}"
            if goal is None:
                continue
            line += f", goal {goal} and none below {LEAST} of the mean"
            print(line)
            if mean(ratios) < goal or min(ratios) < LEAST * mean(ratios):
                missed.append(line)
    print(f"\nimport over asyncio and ssl, ms of CPU time{'ours':>10}{'autobahn':>10}")
    for name in CLASSES:
        ours, theirs = imported["microwamp"][name], imported["autobahn"][name]
        print(f"  messages and {name:28}{ours:10.1f}{theirs:10.1f}")
        if ours > IMPORT_MS:
            missed.append(f"import with {name}: {ours:.1f} ms, goal {IMPORT_MS}")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns")
    parser.add_argument("--out", type=Path, help="write the figures to this file (JSON)")
    parser.add_argument("--only", action="append", choices=SERIALIZERS, help="these serializers")
    options = parser.parse_args()
    turns, rounds = (3, 300) if options.quick else (15, 1000)
    figures = measure(options.only or list(SERIALIZERS), turns, rounds)
    imported = imports(3 if options.quick else 9)
    missed = table(figures, imported)
    counted = lines()
    print(f"\n{'lines':26}{'by hand':>10}{'generated':>11}{'autobahn':>10}")
    for part, row in counted.items():
        print(f"  {part:24}{row['by hand']:10}{row['generated']:11}{row['autobahn']:10}")
    if options.out:
        found = {"messages": figures, "import_ms": imported, "lines": counted}
        options.out.write_text(json.dumps(found, indent=1) + "\n")
    print("\nmissed: " + "; ".join(missed) if missed else "\nall goals met")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
