"""Runs a script on an emulated Pico: python -m microwamp_rig.emulate [--firmware PATH] [--seed N]
SCRIPT [ARGUMENT ...]

As `micropython SCRIPT ARGUMENT ...` does on the unix port: what the script prints comes out, and
its exit status, 1 after an exception. The script and the modules that it and its arguments import
from their folders are put on the board's file system, compiled if there is an mpy-cross beside the
firmware. There is no clock to wait for: sleep takes no time, work thirty times the chip's.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_MAIN = """
import sys
sys.path.insert(0, "/script")
sys.argv[:] = {argv!r}
status = 1
try:
    with open({script!r}) as file:
        code = file.read()
    exec(compile(code, {script!r}, "exec"), {{"__name__": "__main__"}})
    status = 0
except SystemExit as error:
    status = error.args[0] if error.args else 0
    if not isinstance(status, int):
        status = 0 if status is None else 1
except BaseException as error:
    sys.print_exception(error)
print("\\x04%d" % status)
"""
_END = re.compile(rb"\x04(\d+)\r\n")


def command(firmware: str | Path | None = None, seed: int = 0) -> list[str]:
    """The command line to which a script and its arguments are appended."""
    found = [sys.executable, "-m", "microwamp_rig.emulate", "--seed", str(seed)]
    if firmware is not None:
        found += ["--firmware", str(firmware)]
    return found


def modules(path: Path) -> dict[str, Path]:
    """The Python files beside a script that it imports, and those that they import."""
    found: dict[str, Path] = {}
    todo = [path]
    while todo:
        for node in ast.walk(ast.parse(todo.pop().read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                beside = path.parent / f"{name}.py"
                if name not in found and beside.is_file():
                    found[name] = beside
                    todo.append(beside)
    return found


def _files(script: Path, arguments: list[str], compiler: Path) -> dict[str, bytes | str]:
    files: dict[str, bytes | str] = {}
    argv = ["/script/" + script.name]
    paths = modules(script)
    for argument in arguments:
        path = Path(argument)
        if path.suffix == ".py" and path.is_file():
            paths |= {path.stem: path, **modules(path)}
            files[f"script/{path.name}"] = path.read_bytes()
            argument = f"/script/{path.name}"
        argv.append(argument)
    for name, path in paths.items():
        files |= _compiled(name, path, compiler)
    files[argv[0].lstrip("/")] = script.read_bytes()
    files["main.py"] = _MAIN.format(argv=argv, script=argv[0])
    return files


def _compiled(name: str, path: Path, compiler: Path) -> dict[str, bytes | str]:
    """Under its own name, so that tracebacks have it; compiling on the board takes 2 s a file."""
    if not os.access(compiler, os.X_OK):
        return {f"script/{name}.py": path.read_bytes()}
    with tempfile.TemporaryDirectory(prefix="microwamp-mpy-") as folder:
        target = Path(folder) / "out.mpy"
        subprocess.run([compiler, "-s", path.name, "-o", target, path], check=True, timeout=60)
        return {f"script/{name}.mpy": target.read_bytes()}


def run(script: Path, arguments: list[str], firmware: str | None, seed: int) -> int:
    """Runs the script; returns its exit status."""
    from microwamp_rig.rp2040 import Firmware, Machine

    loaded = Firmware.load(firmware)
    compiler = loaded.path.parent.parent / "mpy-cross" / "mpy-cross"
    machine = Machine(loaded, _files(script, arguments, compiler), seed=seed)
    rest = bytearray()
    status: list[int] = []

    def printed(octets: bytes) -> None:
        rest.extend(octets)
        end = _END.search(rest)
        if end is not None:
            status.append(int(end[1]))
            del rest[end.start() :]
            machine.stop()
        elif b"\x04" in rest:
            return
        sys.stdout.buffer.write(rest.replace(b"\r\n", b"\n"))
        sys.stdout.buffer.flush()
        rest.clear()

    machine.console.on_data = printed
    machine.power_on()
    while not machine.run_until(lambda: bool(status), 60_000):
        pass
    return status[0]


def main(argv: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m microwamp_rig.emulate")
    parser.add_argument("--firmware", metavar="PATH")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("script", type=Path)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    try:
        return run(options.script, options.arguments, options.firmware, options.seed)
    except KeyboardInterrupt:
        return 130
    except RuntimeError as error:  # no firmware, another emulator, a board that does not boot
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
