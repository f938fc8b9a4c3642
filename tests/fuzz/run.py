"""Coverage-guided fuzzing of what reads the wire: run.py TARGET [--seconds N | --runs N] [--keep]

Atheris (libFuzzer) looks for octets that reach new code; targets and invariants of the library
are in tests/core/fuzz.py, those of the host in host.py. It starts from the folder `corpus` beside
them; --keep adds what it found there, reduced to what reaches something that the rest does not. A
crash ends with status 1, with the octets, and the traceback.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORE = HERE.parent / "core"
# Targets of the host, whose corpus is no use to a board.
HOST = ("serializers",)
LIBRARY = HERE.parents[1] / "firmware" / "lib" / "wamp"
LATER = ("cbor_vectors", "test_link", "test_session_model")
LENGTH = 400  # octets of a case at most: they also run on a microcontroller
CHILD = "--libfuzzer"


def fuzz(target: str, words: list[str]) -> None:
    """libFuzzer, in a process of its own, which it ends when it is done. words: its arguments, the
    first of them a command that starts such a process again."""
    import atheris

    sys.path.insert(0, str(CORE))
    if target in HOST:
        with atheris.instrument_imports(include=["wamp", "microwamp"]):
            import host

            host.warm_up()
        atheris.Setup(words, host.TARGETS[target])
        atheris.Fuzz()
        return
    with atheris.instrument_imports(include=["wamp"]):
        import fuzz as targets

        # What the targets and the library import when they need it.
        for name in (*LATER, *(f"wamp.{path.stem}" for path in LIBRARY.glob("[!_]*.py"))):
            with suppress(ImportError):  # machine, network: of a board
                importlib.import_module(name)
    atheris.Setup(words, targets.TARGETS[target])
    atheris.Fuzz()


def checked_in(target: str) -> Path:
    """Where the corpus of a target is."""
    return (HERE if target in HOST else CORE) / "corpus" / f"{target}.txt"


def corpus(target: str) -> list[bytes]:
    """What is checked in."""
    path = checked_in(target)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [bytes.fromhex(line) for line in text.split()]


def write(target: str, cases: list[bytes]) -> None:
    """One case a line, in hex: MicroPython reads it too."""
    lines = [case.hex() for case in sorted(cases, key=lambda case: (len(case), case)) if case]
    path = checked_in(target)
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def libfuzzer(target: str, folder: Path, *words: str) -> int:
    """Run it in a folder; prints the octets of a crash. Returns its status."""
    again = folder / "again"
    if not again.exists():
        command = shlex.join([sys.executable, str(Path(__file__).resolve()), CHILD, target])
        again.write_text(f'#!/bin/sh\nexec {command} "$0" "$@"\n', encoding="utf-8")
        again.chmod(0o755)
    common = (f"-max_len={LENGTH}", "-timeout=20", "-rss_limit_mb=1024", "-verbosity=0")
    status = subprocess.run([again, *words, *common], cwd=folder).returncode
    for crash in sorted([*folder.glob("crash-*"), *folder.glob("timeout-*")]):
        print(f"{target}: {crash.read_bytes().hex()}", file=sys.stderr)
    return status


def main() -> int:
    if sys.argv[1:2] == [CHILD]:
        fuzz(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=0, help="stop after so long")
    parser.add_argument("--runs", type=int, default=-1, help="stop after so many cases")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="write what was found to the corpus")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, found, kept = Path(name), Path(name, "found"), Path(name, "kept")
        found.mkdir()
        kept.mkdir()
        for n, case in enumerate(corpus(options.target)):
            (found / f"{n:04}").write_bytes(case)
        limits = (f"-runs={options.runs}", f"-max_total_time={options.seconds}")
        status = libfuzzer(options.target, folder, "found", f"-seed={options.seed}", *limits)
        if not status and options.keep:
            status = libfuzzer(options.target, folder, "-merge=1", "kept", "found")
            write(options.target, [path.read_bytes() for path in kept.iterdir()])
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
