"""The firmware build's refusals: what is missing, where, and what to do; nothing is built."""

import functools
import importlib
import os
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

FOLDER = Path(__file__).parents[2] / "firmware" / "build"
MODULES = ("build", "sources", "toolchain", "aptlist", "common")


@pytest.fixture
def modules(monkeypatch):
    """The build's modules, which lie beside each other in no package."""
    monkeypatch.syspath_prepend(FOLDER)
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "debian, root, words",
    [
        (False, True, "installed by themselves only on Debian; here, install them with your"),
        (True, False, "needs root; as root run: apt-get install .*gcc-arm-none-eabi"),
    ],
)
def test_missing_compiler_is_named_with_its_package(modules, monkeypatch, debian, root, words):
    toolchain = modules.toolchain
    monkeypatch.setattr(toolchain, "is_debian", lambda: debian)
    monkeypatch.setattr(toolchain.os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(toolchain, "_install", lambda packages: pytest.fail("installs"))
    absent = toolchain.Tool("arm-none-eabi-gcc", lambda: False, "gcc-arm-none-eabi")
    present = toolchain.Tool("make", lambda: True, "make")
    with pytest.raises(modules.common.BuildError, match=words) as caught:
        toolchain.ensure((absent, present))
    assert str(caught.value).startswith("missing: arm-none-eabi-gcc. ")


def test_sources_that_this_system_cannot_fetch(modules, monkeypatch, tmp_path):
    sources = modules.sources
    monkeypatch.setattr(sources, "DOWNLOAD", tmp_path)
    monkeypatch.setattr(sources, "is_debian", lambda: False)
    with pytest.raises(modules.common.BuildError, match="not Debian. Give MPY_DIR=<MicroPython"):
        sources.check_system()


def checkout(folder: Path, minor: int) -> Path:
    """What the build looks at in a MicroPython checkout."""
    (folder / "py").mkdir(parents=True)
    (folder / "py" / "mpconfig.h").write_text(
        f"#define MICROPY_VERSION_MAJOR 1\n#define MICROPY_VERSION_MINOR {minor}\n"
    )
    for board in ("RPI_PICO", "RPI_PICO_W"):
        path = folder / "ports" / "rp2" / "boards" / board
        path.mkdir(parents=True)
        (path / "mpconfigboard.cmake").touch()
    return folder


def test_checkouts(modules, tmp_path):
    build, error = modules.build, modules.common.BuildError
    with pytest.raises(error, match="is no MicroPython checkout: it has no py/mpconfig.h"):
        build.checkout(str(tmp_path))
    with pytest.raises(error, match="is MicroPython 1.22; 1.23 or newer is needed"):
        build.checkout(str(checkout(tmp_path / "old", 22)))
    tree = build.checkout(str(checkout(tmp_path / "new", 23)))
    assert build.find_port(tree, "RPI_PICO") == tree / "ports" / "rp2"
    with pytest.raises(error, match="BOARD=PI_PICO is none of the 2 boards.*Nearest: RPI_PICO"):
        build.find_port(tree, "PI_PICO")


def test_the_version_is_the_checkouts_own(modules, tmp_path):
    """Sources without git, below a repository, do not get that one's version."""
    tree = checkout(tmp_path / "new", 25)
    environment = {**os.environ, **modules.build.Build(str(tree), 1).env}

    def git(*words: str, folder: Path = tree) -> subprocess.CompletedProcess[str]:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        command = ["git", *identity, *words]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    for folder in (tmp_path, tree):
        assert git("describe", "--always").returncode != 0
        assert git("init", folder=folder).returncode == 0
        assert git("commit", "--allow-empty", "-m", "x", folder=folder).returncode == 0
    assert git("describe", "--always").returncode == 0


def blocks(*octets: bytes, family: int = 0xE48BFF56) -> bytes:
    """A UF2 file of these blocks of the flash, one after the other."""
    words = b""
    for n, part in enumerate(octets):
        head = (0x0A324655, 0x9E5D5157, 0x2000, 0x10000000 + 256 * n, 256, n, len(octets), family)
        words += struct.pack("<8I", *head) + part.ljust(476, b"\0") + b"\x30\x6f\xb1\x0a"
    return words


def test_products_are_checked(modules, tmp_path):
    build, error = modules.build, modules.common.BuildError
    check = functools.partial(build.check_uf2, wanted=build.FAMILIES["rp2040"])
    path = tmp_path / "firmware.uf2"
    path.write_bytes(blocks(b"a", b"b", b"c"))
    assert check(path) == 768
    for octets, words in [
        (blocks(b"a", family=0xE48BFF59), "family 0xe48bff59, not for 0xe48bff56"),
        (blocks(b"a", b"b")[512:], "block 0 is out of order"),
        (blocks(b"a", b"b")[:-512], "out of order"),
        (blocks(b"a")[:-1], "whole number"),
        (bytes(512), "block 0 is not UF2"),
        (b"", "whole number"),
    ]:
        path.write_bytes(octets)
        with pytest.raises(error, match=words):
            check(path)


def test_board_without_its_sources_ends_with_a_sentence():
    command = [sys.executable, str(FOLDER / "build.py"), "firmware", "--board", "ESP32_GENERIC"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "BOARD=ESP32_GENERIC is not known" in done.stderr
    assert "MPY_DIR=<MicroPython checkout>" in done.stderr
