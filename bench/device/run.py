"""The device benchmarks: programs on the emulated RP2040, in its own time, against a baseline.

    python bench/device/run.py [--only codec] [--update] [--jobs 2]

Each program of board/ runs on a machine of its own that has just got power. Nothing here depends
on how fast the host is: the same sources and tools give the same figures. See ../README.md.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import messages
from application import application
from compare import Verdict, change, compare, percent
from goals import GOALS, gated
from parts import FEATURES, STAGES

from microwamp_rig.rp2040 import forked
from microwamp_rig.rp2040.cures import EmulatorError
from microwamp_rig.rp2040.firmware import Firmware, FirmwareError
from microwamp_rig.rp2040.machine import Machine
from microwamp_rig.rp2040.peer import Peer
from wamp import ed25519

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIBRARY = ROOT / "firmware" / "lib" / "wamp"
ACCELERATORS = ROOT / "firmware" / "accel" / "thumb" / "wamp"  # what the RP2040 can use
BASELINE = HERE / "baseline.json"
DOCUMENT = ROOT / "docs" / "features.md"
PEERS = HERE / "peers.json"
RESULTS = HERE / "results.json"

URL = "serial:0?tx=0&rx=1&baud=921600"
LIMIT_MS = 20_000  # of emulated time for one program; the longest takes 2,000

Figures = dict[str, Any]


class BenchError(RuntimeError):
    """A benchmark could not be run; the text says why."""


# -- what goes onto the board ---------------------------------------------------------------------


def mpy_cross() -> Path:
    """The compiler of the firmware's own sources."""
    path = ROOT / "build" / "mpy-cross" / "mpy-cross"
    if not os.access(path, os.X_OK):
        raise BenchError(f"there is no compiler at {path}: run `make firmware` first")
    return path


def compiled(source: str, name: str) -> bytes:
    """A .mpy file for the RP2040, as it is shipped: without line numbers, which take 4 % of the
    RAM (-O3). name: of the source, for tracebacks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "module.py"
        path.write_text(source)
        done = subprocess.run(
            [mpy_cross(), "-O3", "-march=armv6m", "-s", name, "-o", f"{path}.mpy", path],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise BenchError(f"{name} cannot be compiled for the board:\n{done.stdout}")
        return Path(f"{path}.mpy").read_bytes()


def library(accelerated: bool = True) -> dict[str, bytes]:
    """The device library as .mpy files, by module; with what makes it faster on this chip."""
    paths = sorted(LIBRARY.glob("*.py"))
    if accelerated:
        paths += sorted(ACCELERATORS.glob("*.py"))
    return {path.stem: compiled(path.read_text(), f"wamp/{path.name}") for path in paths}


def board_files(program: str, *arguments: object) -> dict[str, bytes | str]:
    """The files of a board that runs board/`program`.py at power-on."""
    files: dict[str, bytes | str] = {
        f"{name}.mpy": compiled((HERE / "board" / f"{name}.py").read_text(), f"{name}.py")
        for name in ("measure", program)
    }
    call = ", ".join(repr(x) for x in (program, *arguments))
    files["main.py"] = f"import measure\nmeasure.run({call})\n"
    return files


def imports_of(module: str) -> list[str]:
    """Modules of the library that this one imports at its top level, where nothing is missing."""
    found: list[str] = []
    tree = ast.parse(source(module).read_text())
    for node in tree.body:
        for part in node.body if isinstance(node, ast.Try) else (node,):
            if isinstance(part, ast.ImportFrom) and part.level == 1:
                names = [part.module] if part.module else [alias.name for alias in part.names]
                found += [name for name in names if name]
    return [name for name in found if source(name).exists()]


def source(module: str) -> Path:
    """The source of a module of the library; it need not exist."""
    path = LIBRARY / f"{module}.py"
    return path if path.exists() else ACCELERATORS / path.name


def stages() -> list[tuple[str, list[str]]]:
    """STAGES with every module that is imported, in an order in which each imports only itself."""
    seen: list[str] = []

    def visit(module: str) -> None:
        if module not in seen:
            for needed in imports_of(module):
                visit(needed)
            seen.append(module)

    result = [("asyncio", ["asyncio"])]
    for stage, roots in STAGES.items():
        if roots:
            done = len(seen)
            for root in roots:
                if source(root).exists():
                    visit(root)
            first = ["wamp"] if not done else []
            result.append((stage, first + [f"wamp.{name}" for name in seen[done:]]))
    return result


# -- a run on the board ---------------------------------------------------------------------------


@dataclass
class Board:
    """A machine with a program; edges: (emulated ns, level) of the pin that marks times."""

    machine: Machine

    def __post_init__(self) -> None:
        self.edges: list[tuple[float, int]] = []
        self.console = bytearray()
        self.machine.console.on_data = self._printed
        self.watch(2, lambda level: self.edges.append((self.machine.nanos, level)))

    def watch(self, pin: int, function: Callable[[int], None]) -> None:
        """Tells of every level that the board puts on a pin."""

        def changed(value: Any, before: Any) -> None:
            if value.value in (0, 1):  # low, high; others are inputs
                function(value.value)

        self.machine.mcu.gpio[pin].add_listener(changed)

    def _printed(self, octets: bytes) -> None:
        self.console += octets
        if octets.endswith(b"\n"):
            self.machine.stop()

    def run(self) -> Figures:
        """From power-on to the end of the program; its figures."""
        self.machine.power_on()
        return self.finish()

    def finish(self) -> Figures:
        """To the end of the program; its figures."""
        over = re.compile(rb"^(END|FAILED|MicroPython v.*)\r$", re.MULTILINE)
        self.machine.run_until(lambda: bool(over.search(self.console)), LIMIT_MS)
        text = self.console.decode("utf-8", "replace").replace("\r\n", "\n")
        if "\nEND\n" not in text:
            what = text.strip() or f"it printed nothing in {LIMIT_MS} emulated ms"
            raise BenchError(f"the program failed on the board:\n{what}")
        return dict(json.loads(line[7:]) for line in text.split("\n") if line[:7] == "FIGURE ")

    def marks(self) -> list[float]:
        """The times of the rising edges, in ns."""
        return [at for at, level in self.edges if level]

    def spans(self) -> list[float]:
        """How long the mark was up each time, in ns."""
        found = []
        begin = 0.0
        for at, level in self.edges:
            if level:
                begin = at
            elif begin:
                found.append(at - begin)
        return found


def board(files: dict[str, bytes | str]) -> Board:
    return Board(Machine(Firmware.load(), files))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


# -- the programs ---------------------------------------------------------------------------------


def codec(peer: Path | None = None) -> Figures:
    files = board_files("codec", peer and peer.name)
    files["wire.mpy"] = compiled(messages.device_module(), "wire.py")
    if peer:
        for path in peer.glob("*.py"):
            files[f"{peer.name}/{path.stem}.mpy"] = compiled(path.read_text(), path.name)
    figures = board(files).run()
    for way in ("encode", "decode"):
        logs = [math.log(figures[f"codec.other.{name}.{way}"]) for name in messages.OTHERS]
        figures[f"codec.others.{way}"] = round(math.exp(sum(logs) / len(logs)), 2)
    return figures


def link() -> Figures:
    return board(board_files("link")).run()


def client() -> Figures:
    b = board(board_files("client", URL))
    machine = b.machine
    peer = Peer(machine, 0, latency_ms=0)
    subscription = 1234567

    def on_message(message: list[Any]) -> bool:
        if message[0] == 32:  # SUBSCRIBE
            peer.send([33, message[1], subscription])
            return True
        return False

    # When the program last took an octet out of the UART: its ring is then complete.
    uart = machine.uarts[0]
    read = uart.read_uint32
    taken = 0.0

    def read_uint32(offset: int) -> int:
        nonlocal taken
        if offset == 0:
            taken = machine.nanos
        return read(offset)

    uart.read_uint32 = read_uint32  # type: ignore[method-assign]
    events: list[float] = []

    def on_mark(level: int) -> None:
        if level and asked:
            events.append(machine.nanos - taken)

    asked = 0

    def on_ask(level: int) -> None:
        nonlocal asked
        if level:
            asked += 1
            # Not always at the same point of what else the board does.
            machine.after(
                5 + asked % 12 * 0.0531,
                lambda: peer.send([36, subscription, 4429313566 + asked, {}, [23.45]]),
            )

    peer.on_message = on_message
    b.watch(2, on_mark)
    b.watch(3, on_ask)
    figures = b.run()
    spans = b.spans()
    own = mean(spans[1:4])
    figures["client.publish"] = round((mean(spans[5:16]) - own) / 1000, 2)
    figures["client.event"] = round(mean(events[:12]) / 1000, 2)
    return figures


def crypto() -> Figures:
    figures = board(board_files("crypto", ".accel")).run()
    files = board_files("crypto", "")
    files |= {f"wamp/{name}.mpy": octets for name, octets in library(False).items()}
    return figures | board(files).run()


def box() -> Figures:
    """Beside the firmware: cryptobox is optional, and needs no accelerator."""
    files = board_files("box", "")
    files |= {f"wamp/{name}.mpy": octets for name, octets in library(False).items()}
    return board(files).run()


def memory() -> Figures:
    order = stages()
    files = board_files("memory", "mpy", order)
    sizes = {}
    for name, octets in library().items():
        # The accelerator is optional: whoever copies it trades RAM for time.
        if name != "_accel":
            files[f"wamp/{name}.mpy"] = octets
        sizes[name] = len(octets)
    figures = board(board_files("memory", "frozen", order)).run()
    figures |= board(files).run()
    figures |= {f"memory.size.{name}": size for name, size in sizes.items()}
    modules = [name.partition(".")[2] or "__init__" for _, names in order[1:] for name in names]
    figures["memory.size"] = sum(sizes[name] for name in modules)
    return figures


def base() -> list[str]:
    """What is there before a feature: a client over TCP with handlers."""
    found = []
    for stage, names in stages():
        if stage in ("asyncio", "tcp", "handlers"):
            found += names
    return found


def features() -> Figures:
    wanted = [(name, [f"wamp.{m}" for m in modules]) for name, modules in FEATURES.items()]
    files = board_files("features", "mpy", base(), wanted)
    for name, octets in library().items():
        # The accelerator is not to be found by what is there before it.
        files[f"wamp/{name.replace('_accel', '_accelerator')}.mpy"] = octets
    frozen = [(name, modules) for name, modules in wanted if name != "accelerator"]
    figures = each_feature(board_files("features", "frozen", base(), frozen), len(frozen))
    return figures | each_feature(files, len(wanted))


def each_feature(files: dict[str, bytes | str], count: int) -> Figures:
    """Each in a copy of the machine: what was loaded before another part would show in it."""
    b = board(files)
    b.machine.power_on()
    b.machine.run_until(lambda: b"WAITING" in b.console, LIMIT_MS)

    def one(number: int) -> Figures:
        b.machine.console.send(b"%d\r" % number)
        return b.finish()

    figures: Figures = {}
    for number in range(count):
        with forked(partial(one, number)) as copy:
            figures |= copy.result()
    return figures


def join() -> Figures:
    seed = bytes(range(32))
    public = ed25519.run(ed25519.public_key(seed))
    files = board_files("join", URL, "/device.key")
    files["device.key"] = (
        f"public-key-ed25519: {public.hex()}\nprivate-key-ed25519: {seed.hex()}\n"
    )
    b = board(files)
    uart = b.machine.uarts[0]
    Peer(b.machine, 0, latency_ms=0)
    counted: list[tuple[int, int]] = []
    b.watch(2, lambda level: counted.append((uart.counters.sent, uart.counters.received)))
    figures = b.run()
    booted, imported, joined = (at / 1e6 for at in b.marks()[-3:])
    figures["join.boot"] = round(booted, 3)
    figures["join.import"] = round(imported - booted, 3)
    figures["join.join"] = round(joined - imported, 3)
    figures["join.total"] = round(joined, 3)
    figures["join.sent"], figures["join.received"] = counted[-2]
    return figures


PROGRAMS: dict[str, Callable[[], Figures]] = {
    "codec": codec,
    "link": link,
    "client": client,
    "crypto": crypto,
    "box": box,
    "memory": memory,
    "features": features,
    "join": join,
    "application": application,
}


def measured(name: str) -> Figures:
    return PROGRAMS[name]()


# -- the report -----------------------------------------------------------------------------------


def versions() -> dict[str, str]:
    """Of what the figures depend on besides our own sources."""
    try:
        gcc = subprocess.run(
            ["arm-none-eabi-gcc", "-dumpfullversion"], stdout=subprocess.PIPE, text=True
        ).stdout.strip()
    except OSError:
        gcc = "none"  # the firmware was built elsewhere
    return {"rp2040py": metadata.version("rp2040py"), "gcc": gcc}


def peer_ratio(figures: Figures, peers: Figures) -> float | None:
    """The geometric mean of cbor2's time over ours, on the messages that nobody tuned for."""
    logs = []
    for name in messages.OTHERS:
        for way in ("encode", "decode"):
            figure = f"codec.other.{name}.{way}"
            if figure not in figures or figure not in peers:
                return None
            logs.append(math.log(peers[figure] / figures[figure]))
    return round(math.exp(sum(logs) / len(logs)), 2)


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.4g}"


def table(figures: Figures, baseline: Figures) -> str:
    """What the goals name, then the rest."""
    lines = [f"{'':43}{'now':>9} {'':7}{'change':>9}{'must':>8}{'aim':>8}{'peer':>8}"]
    for name, goal in GOALS.items():
        if name not in figures:
            continue
        value = figures[name]
        before = baseline.get(name)
        moved = "" if before is None or value == before else percent(change(value, before))
        over = goal.must is not None and (
            value < goal.must if goal.unit == "x" else value > goal.must
        )
        note = " OVER" if over else ""
        whose = f"  {goal.whose}, recorded" if goal.whose else ""
        lines.append(
            f"{goal.text:43}{number(value):>9} {goal.unit:7}{moved:>9}{number(goal.must):>8}"
            f"{number(goal.aim):>8}{number(goal.peer):>8}{note}{whose}"
        )
    heap = {n: v for n, v in figures.items() if n.endswith(".heap") and n not in GOALS}
    heap = {n: v for n, v in heap.items() if not n.startswith("codec.other.")}
    if heap:
        lines += ["", "heap of one operation, octets:"]
        lines += [f"  {name[:-5]:28}{value:>8,}" for name, value in sorted(heap.items())]
    parts = [n[13:] for n in figures if n.startswith("features.mpy.")]
    if parts:
        lines += ["", f"{'optional part, octets':34}{'RAM, .mpy':>11}{'RAM, frozen':>13}"]
        for name in parts:
            of = [figures.get(f"features.{kind}.{name}") for kind in ("mpy", "frozen")]
            lines.append(f"  {name:32}{number(of[0]):>11}{number(of[1]):>13}")
    sizes = [n[12:] for n in figures if n.startswith("memory.size.")]
    if sizes:
        lines += ["", f"{'module, octets':24}{'.mpy':>8}{'RAM, .mpy':>11}{'RAM, frozen':>13}"]
    for module in sizes:
        full = "wamp" if module == "__init__" else f"wamp.{module}"
        of = [figures.get(f"memory.{kind}.module.{full}") for kind in ("mpy", "frozen")]
        size = figures[f"memory.size.{module}"]
        lines.append(f"  {full:22}{size:>8,}{number(of[0]):>11}{number(of[1]):>13}")
    return "\n".join(lines)


def say(title: str, lines: list[str]) -> None:
    if lines:
        print(f"\n{title}")
        for line in lines:
            print(f"  {line}")


def report(verdict: Verdict) -> None:
    say("other versions than the baseline's, which may explain differences:", verdict.versions)
    say("new, not in the baseline (--update takes them in):", verdict.new)
    say("better than the baseline (--update makes them the new one):", verdict.improvements)
    say("MISSING:", verdict.missing)
    say("REGRESSIONS, more than 3 % worse than the baseline:", verdict.regressions)


def load(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        found = {"versions": {}, "figures": {}}
    return found


def save(path: Path, run: dict[str, Any]) -> None:
    path.write_text(json.dumps(run, indent=1, sort_keys=True) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", action="append", choices=list(PROGRAMS), default=[], help="this program alone"
    )
    parser.add_argument("--update", action="store_true", help="make this run the baseline")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4))
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the JSON goes")
    parser.add_argument(
        "--cbor2",
        type=Path,
        metavar="FOLDER",
        help="the package cbor2 of micropython-lib: measures that too, and keeps it in peers.json",
    )
    options = parser.parse_args()
    begin = time.monotonic()
    names = options.only or list(PROGRAMS)
    figures: Figures = {}
    try:
        warn_if_stale()
        if options.cbor2:
            record_peer(options.cbor2)
        with ProcessPoolExecutor(min(options.jobs, len(names))) as pool:
            for found in pool.map(measured, names):
                figures |= found
    except (BenchError, FirmwareError, EmulatorError) as error:
        print(f"bench-device: {error}", file=sys.stderr)
        return 2
    run = {"versions": {"micropython": figures.pop("micropython")} | versions()}
    ratio = peer_ratio(figures, load(PEERS)["figures"])
    if ratio is not None:
        figures["codec.others.ratio"] = ratio
    run["figures"] = figures
    save(options.results, run)
    baseline = load(BASELINE)
    print(table(figures, baseline["figures"]))
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = spent.ru_utime + spent.ru_stime + time.process_time()
    print(f"\n{time.monotonic() - begin:.0f} s, {cpu:.0f} s of CPU; {versions_line(run)}")
    if options.update:
        if options.only:
            run["figures"] = baseline["figures"] | figures
        save(BASELINE, run)
        document(run["figures"])
        print(f"the baseline is now this run: {BASELINE.relative_to(ROOT)}, and the table of its")
        print(f"optional parts: {DOCUMENT.relative_to(ROOT)}")
        return 0
    if not baseline["figures"]:
        print("there is no baseline yet: --update makes one", file=sys.stderr)
        return 1
    verdict = compare(run, baseline, options.only)
    report(verdict)
    if verdict.ok:
        count = sum(map(gated, figures))
        print(f"no regression beyond 3 % in {count} gated figures")
    return 0 if verdict.ok else 1


def document(figures: Figures) -> None:
    """The RAM of optional parts, in the table that has a row for each."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for part in FEATURES:
        ram = [figures.get(f"features.{kind}.{part}") for kind in ("mpy", "frozen")]
        cells = " | ".join("-" if one is None else f"{one:,.0f}" for one in ram)
        text = re.sub(
            rf"^(\| `{re.escape(part)}` \|.*\|.*\|) [0-9,-]+ \| [0-9,-]+ \|$",
            rf"\1 {cells} |",
            text,
            flags=re.MULTILINE,
        )
    DOCUMENT.write_text(text, encoding="utf-8")


def versions_line(run: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in run["versions"].items())


def warn_if_stale() -> None:
    """Says so if the firmware is older than the library: what is timed is what is frozen in it."""
    firmware = Firmware.load().path
    newest = max(LIBRARY.glob("*.py"), key=lambda path: path.stat().st_mtime)
    if newest.stat().st_mtime > firmware.stat().st_mtime:
        print(f"note: {newest.name} is newer than {firmware.name}: make firmware", file=sys.stderr)


def record_peer(folder: Path) -> None:
    """Measures a package with `dumps` and `loads` by our own program, and keeps the figures."""
    if not (folder / "__init__.py").exists():
        raise BenchError(f"{folder} is not a package: it has no __init__.py")
    figures = codec(folder.resolve())
    version = {"micropython": figures.pop("micropython")} | versions()
    save(PEERS, {"package": folder.name, "versions": version, "figures": figures})


if __name__ == "__main__":
    sys.exit(main())
