"""The session of the host against autobahn's and against bare asyncio with cbor2.

    run.py [--json FILE] [--quick]

All three are clients of one crossbar, over RawSocket and CBOR, in turns; the procedure that is
called is a fourth process's. Prints a table and fails if a goal is missed: shares of autobahn's
CPU time, MB of resident memory of a joined client, and ms of CPU time of imports. --quick: a few
requests of each kind, which shows that all of it works, and no figures worth having.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from microwamp_rig import crossbar as xb

HERE = Path(__file__).parent
GOALS = {
    "call sequential": 0.85,
    "call pipelined": 0.6,
    "publish sequential": 0.95,
    "publish pipelined": 0.6,
}
LIMITS = {"resident MB": 35.0, "import ms": 60.0}
CLIENTS = ("microwamp", "autobahn", "bare")
TURNS = 3
LIMIT_S = 300


# What is imported over asyncio and ssl, and what makes it ready to connect by RawSocket and CBOR.
IMPORTS = {
    "microwamp": (
        "import microwamp.transport; microwamp.Session; "
        "microwamp.transport.make('rs://127.0.0.1:1')"
    ),
    "autobahn": (
        "import txaio; txaio.use_asyncio(); import autobahn.asyncio.wamp, "
        "autobahn.asyncio.rawsocket; from autobahn.wamp.serializer import CBORSerializer"
    ),
    "bare": "import cbor2",
    "import microwamp": "import microwamp",
}


def python(client: str) -> Path:
    """The interpreter that has the client."""
    return xb.program().with_name("python") if client == "autobahn" else Path(sys.executable)


def worker(client: str, url: str, quick: bool = False) -> dict[str, Any]:
    """The figures of one client."""
    host, port = url.removeprefix("rs://").split(":")
    done = subprocess.run(
        [python(client), HERE / "worker.py", client, host, port, xb.REALM, *(["quick"] * quick)],
        check=True,
        stdout=subprocess.PIPE,
        # autobahn's imports fill it with a traceback that means nothing.
        stderr=subprocess.DEVNULL if client == "autobahn" else None,
        timeout=LIMIT_S,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def import_ms(what: str, folder: str, turns: int) -> float:
    """ms of CPU time that an import costs over asyncio and ssl, the least of some turns.

    folder: for bytecode, which is there from the first turn on, as pip would have made it.
    """
    program = (
        "import time, asyncio, ssl\nbegin = time.process_time()\n"
        f"{IMPORTS[what]}\n"
        "print((time.process_time() - begin) * 1000)"
    )
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    times = []
    for _ in range(turns + 1):
        done = subprocess.run(
            [python(what), "-c", program], env=environment, check=True, capture_output=True
        )
        times.append(float(done.stdout.split()[-1]))
    return round(min(times[1:]), 1)


def measure(quick: bool = False) -> dict[str, Any]:
    """All figures, by client."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, xb.CrossbarNode(Path(folder)) as node:
        host, port = node.url.removeprefix("rs://").split(":")
        serving = subprocess.Popen(
            [sys.executable, HERE / "worker.py", "serve", host, port, xb.REALM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert serving.stdout is not None
            serving.stdout.readline()
            # In turns: the machine is shared, and the least counts.
            for _ in range(1 if quick else TURNS):
                for client in CLIENTS:
                    figures = worker(client, node.url, quick)
                    before = found.setdefault(client, figures)
                    found[client] = {name: min(before[name], figures[name]) for name in figures}
        finally:
            serving.terminate()
            serving.wait(10)
            for pipe in (serving.stdin, serving.stdout):
                if pipe is not None:
                    pipe.close()
    with tempfile.TemporaryDirectory() as folder:
        for client in CLIENTS:
            found[client]["import ms"] = import_ms(client, folder, 1 if quick else 5)
        found["import microwamp ms"] = import_ms("import microwamp", folder, 1 if quick else 5)
    return found


def table(found: dict[str, Any]) -> list[str]:
    """Print the figures; returns the goals that are missed."""
    missed = []
    print(f"{'CPU us':20} {'microwamp':>10} {'autobahn':>10} {'bare':>8} {'share':>6} {'goal':>5}")
    for name, goal in GOALS.items():
        mine, theirs, bare = (found[who][name] for who in CLIENTS)
        share = mine / theirs
        print(f"{name:20} {mine:10.1f} {theirs:10.1f} {bare:8.1f} {share:6.2f} {goal:5.2f}")
        if share > goal:
            missed.append(name)
    for name, limit in LIMITS.items():
        mine, theirs, bare = (found[who][name] for who in CLIENTS)
        print(f"{name:20} {mine:10.1f} {theirs:10.1f} {bare:8.1f} {'':6} {limit:5.0f}")
        if mine > limit:
            missed.append(name)
    print(f"import microwamp alone: {found['import microwamp ms']:.1f} ms")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--quick", action="store_true", help="only show that it works")
    options = parser.parse_args()
    found = measure(options.quick)
    missed = table(found)
    if options.json is not None:
        found["when"] = time.strftime("%Y-%m-%d")
        found["python"] = platform.python_version()
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if missed and not options.quick:
        print(f"missed: {', '.join(missed)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
