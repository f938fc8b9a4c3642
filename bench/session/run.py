"""The session of the host against autobahn's and against bare asyncio with cbor2.

    run.py [--json FILE]

All three are clients of one crossbar, over RawSocket and CBOR, one after the other; the procedure
that is called is a fourth process's. Prints a table and fails if a goal is missed: shares of
autobahn's CPU time, and MB of resident memory of a joined client.
"""

from __future__ import annotations

import argparse
import json
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
RESIDENT_MB = 35.0
IMPORT_MS = 60.0
LIMIT_S = 300


def worker(client: str, url: str) -> dict[str, Any]:
    """The figures of one client."""
    python = xb.program().with_name("python") if client == "autobahn" else sys.executable
    host, port = url.removeprefix("rs://").split(":")
    done = subprocess.run(
        [python, HERE / "worker.py", client, host, port, xb.REALM],
        check=True,
        stdout=subprocess.PIPE,
        # autobahn's imports fill it with a traceback that means nothing.
        stderr=subprocess.DEVNULL if client == "autobahn" else None,
        timeout=LIMIT_S,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def import_ms(more: str = "") -> float:
    """What `import microwamp`, and more, costs over asyncio and ssl: CPU, the least of five."""
    program = (
        "import time, asyncio, ssl\nbegin = time.process_time()\n"
        f"import microwamp\n{more}\n"
        "print((time.process_time() - begin) * 1000)"
    )
    command = [sys.executable, "-c", program]
    times = [
        float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(5)
    ]
    return round(min(times), 1)


def measure() -> dict[str, Any]:
    """All figures."""
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
            # Twice, in turns: the machine is shared, and the least of both counts.
            found: dict[str, Any] = {}
            for _ in range(2):
                for client in ("microwamp", "autobahn", "bare"):
                    figures = worker(client, node.url)
                    before = found.setdefault(client, figures)
                    found[client] = {name: min(before[name], figures[name]) for name in figures}
        finally:
            serving.terminate()
            serving.wait(10)
    found["import ms"] = import_ms()
    found["import with Session ms"] = import_ms("microwamp.Session, microwamp.connect")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    options = parser.parse_args()
    found = measure()
    missed = []
    print(f"{'CPU us':20} {'microwamp':>10} {'autobahn':>10} {'bare':>8} {'share':>6} {'goal':>5}")
    for name, goal in GOALS.items():
        mine, theirs, bare = (found[who][name] for who in ("microwamp", "autobahn", "bare"))
        share = mine / theirs
        print(f"{name:20} {mine:10.1f} {theirs:10.1f} {bare:8.1f} {share:6.2f} {goal:5.2f}")
        if share > goal:
            missed.append(name)
    memory = found["microwamp"]["resident MB"]
    theirs, bare = (found[who]["resident MB"] for who in ("autobahn", "bare"))
    figures = f"{memory:10.1f} {theirs:10.1f} {bare:8.1f} {'':6} {RESIDENT_MB:5.0f}"
    print(f"{'resident MB':20} {figures}")
    print(
        f"import over asyncio and ssl: {found['import ms']:.1f} ms (at most {IMPORT_MS:.0f}), "
        f"with Session and connect {found['import with Session ms']:.1f} ms"
    )
    if memory > RESIDENT_MB:
        missed.append("resident MB")
    if found["import ms"] > IMPORT_MS:
        missed.append("import ms")
    if options.json is not None:
        found["when"] = time.strftime("%Y-%m-%d")
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if missed:
        print(f"missed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
