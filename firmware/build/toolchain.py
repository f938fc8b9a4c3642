"""The compilers: found, or installed when that is possible, or named in an error."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common import BuildError, fail, is_debian, run, say, step

ARM_GCC = "arm-none-eabi-gcc"


def _program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


def _newlib() -> bool:
    """Whether the cross compiler has a C library: its package is not a hard dependency."""
    return Path(_ask_gcc(ARM_GCC, "-print-file-name=libc.a")).is_absolute()


def _ask_gcc(gcc: str, question: str) -> str:
    try:
        return subprocess.run([gcc, question], stdout=subprocess.PIPE, text=True).stdout.strip()
    except OSError:
        return ""


def _links(*options: str) -> Callable[[], bool]:
    """Whether gcc makes a program with these options."""

    def check() -> bool:
        # errno.h: the kernel's headers for -m32 come with a package of their own.
        program = "#include <errno.h>\n#include <stdio.h>\nint main(void) { return 0; }\n"
        command = ["gcc", *options, "-x", "c", "-", "-o", os.devnull]
        try:
            done = subprocess.run(command, input=program, text=True, stderr=subprocess.DEVNULL)
        except OSError:
            return False
        return done.returncode == 0

    return check


@dataclass(frozen=True)
class Tool:
    """What must be there, how to see that it is, and the Debian package that has it."""

    what: str
    there: Callable[[], bool]
    package: str


UNPACK = (
    Tool("tar", _program("tar"), "tar"),
    Tool("xz", _program("xz"), "xz-utils"),
    Tool("bzip2", _program("bzip2"), "bzip2"),
)
HOST = (
    Tool("gcc", _program("gcc"), "gcc"),
    Tool("the C library's headers", _links(), "libc6-dev"),
    Tool("make", _program("make"), "make"),
)
# Not in the list: libstdc++-arm-none-eabi-newlib (313 MB), see without_libstdcxx().
ARM = (
    *HOST,
    Tool(ARM_GCC, _program(ARM_GCC), "gcc-arm-none-eabi"),
    Tool("newlib for " + ARM_GCC, _newlib, "libnewlib-arm-none-eabi"),
    Tool("cmake", _program("cmake"), "cmake"),
)
UNIX32 = (*HOST, Tool("gcc -m32 with its C library", _links("-m32"), "gcc-multilib"))
CCACHE = Tool("ccache", _program("ccache"), "ccache")  # wanted, never required


def _install(packages: list[str]) -> None:
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y"]
    command += ["--no-install-recommends", *packages]
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    with step("installing " + " ".join(packages)):
        try:
            run(command, env=env)
        except BuildError:  # no package index yet, or an old one
            run(["apt-get", "update"], env=env)
            run(command, env=env)


def ensure(tools: tuple[Tool, ...]) -> None:
    """Install what is missing where we may, else say exactly what is missing."""
    missing = [tool for tool in tools if not tool.there()]
    packages = [tool.package for tool in missing]
    if not CCACHE.there():
        packages.append(CCACHE.package)
    if is_debian() and os.geteuid() == 0 and packages:
        try:
            _install(packages)
        except BuildError as e:
            if missing:
                raise
            say(f"going on without ccache: {e}")
        missing = [tool for tool in missing if not tool.there()]
    if not missing:
        return
    what = ", ".join(tool.what for tool in missing)
    if not is_debian():
        fail(
            f"missing: {what}. They are installed by themselves only on Debian; here, install"
            f" them with your system's package manager (on Debian: {' '.join(packages)})."
        )
    if os.geteuid() != 0:
        fail(
            f"missing: {what}. Installing them needs root; as root run:"
            f" apt-get install --no-install-recommends {' '.join(packages)}"
        )
    fail(f"missing after installation: {what}")


def launcher() -> list[str]:
    """The words before a compiler: ccache, if it is there."""
    return ["ccache"] if CCACHE.there() else []


def without_libstdcxx(folder: Path) -> dict[str, str]:
    """Variables that let the firmware link without libstdc++; {} where that is installed.

    The pico-sdk's only C++ file (new_delete.cpp) includes <cstdlib> and the firmware is linked
    by g++, which adds -lstdc++. Nothing in the firmware is C++, so the file is emptied by the
    SDK's own switch, and an empty libstdc++.a satisfies the linker.
    """
    if Path(_ask_gcc("arm-none-eabi-g++", "-print-file-name=libstdc++.a")).is_absolute():
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "libstdc++.a"
    if not archive.exists():
        run(["arm-none-eabi-ar", "rc", archive])
    return {"CXXFLAGS": "-DPICO_CXX_DISABLE_ALLOCATION_OVERRIDES=1", "LDFLAGS": f"-L{folder}"}
