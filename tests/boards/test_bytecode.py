"""Every file that goes on a board compiles for every processor, with each emitter in use."""

import re
import subprocess
from pathlib import Path

import pytest

from microwamp import boards
from microwamp.boards import bytecode
from microwamp_rig import micropython

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for package in (boards.library(), boards.application())
    for path in bytecode.modules(package)
]
# What ARM boards get beside the packages, and what starts the application.
SOURCES += sorted((ROOT / "firmware" / "accel").rglob("*.py"))
SOURCES.append(boards.application().parent / "main.py")


@pytest.mark.parametrize("arch", bytecode.ARCHES)
def test_every_file_compiles(arch, tmp_path):
    made = 0
    for path in SOURCES:
        kinds = bytecode.arches(path.read_text(encoding="utf-8"))
        # Bytecode is the same everywhere; what holds none but machine code is for some only.
        if kinds == ("any",) or arch in kinds:
            target = tmp_path / f"{path.stem}.mpy"
            bytecode.compile_file(path, path.name, arch, target)
            octets = target.read_bytes()
            assert octets[:2] == b"M\x06"
            made += 1
    assert made > 20


def test_emitters_in_use_are_known():
    """What is in use is what `arches` looks for: no other decorator makes machine code."""
    other = re.compile(r"@micropython\.(asm_\w+)|@rp2\.asm")
    used = set()
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        used |= bytecode.emitters(text)
        assert all(name == "asm_thumb" for name in other.findall(text)), path.name
    assert used == {"viper", "native", "asm_thumb"}


def test_each_emitter_is_compiled_for_its_processors(tmp_path):
    text = {
        "viper": "import micropython\n@micropython.viper\ndef f(x: int) -> int:\n    return x\n",
        "native": "import micropython\n@micropython.native\ndef f(x):\n    return x\n",
        "asm_thumb": "import micropython\n@micropython.asm_thumb\ndef f(r0):\n    add(r0, 1)\n",
    }
    for emitter, source in text.items():
        path = tmp_path / f"{emitter}.py"
        path.write_text(source)
        assert bytecode.emitters(source) == {emitter}
        for arch in bytecode.ARCHES:
            target = tmp_path / arch / f"{emitter}.mpy"
            if arch in bytecode.arches(source):
                bytecode.compile_file(path, path.name, arch, target)
                assert target.read_bytes()[2] >> 2, "holds machine code"
            else:
                with pytest.raises(bytecode.CompileError, match=f"asm_thumb.py for {arch}"):
                    bytecode.compile_file(path, path.name, arch, target)


def test_files_of_a_processor(tmp_path):
    plain = boards.device_files(None)
    pico = boards.device_files("armv6m")
    assert set(plain) < set(pico)
    assert {"/lib/wamp/client.mpy", "/lib/wampapp/__init__.mpy"} <= set(plain)
    assert "/lib/wamp/_sha512_viper.mpy" in set(pico) - set(plain)
    for arch in bytecode.ARCHES:
        thumb = "/lib/wamp/_ed25519_thumb.mpy" in boards.device_files(arch)
        assert thumb == arch.startswith("arm"), arch
    assert not [name for name in pico if Path(name).stem in bytecode.HOST_ONLY]
    assert not [name for name in pico if not name.endswith(".mpy")]


def test_a_board_needs_none_of_the_files_it_does_not_get(tmp_path):
    """The bytecode without CPython's side, on the unix port: everything in it can be imported."""
    for name, octets in boards.device_files(None).items():
        path = tmp_path / name.removeprefix("/lib/")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(octets)
    names = [
        f"wamp.{path.stem}"
        for path in sorted((tmp_path / "wamp").glob("*.mpy"))
        # What only some ports have is imported where it is used: the console, native code.
        if path.stem not in ("__init__", "_mpconsole", "_ed25519_fast")
    ]
    script = tmp_path / "all.py"
    script.write_text(
        f"import sys\nfor name in {names!r}:\n    __import__(name)\nprint('imported')\n"
    )
    done = subprocess.run(
        [*micropython.command("unix"), str(script)],
        env={"MICROPYPATH": f"{tmp_path}:.frozen"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert done.stdout == "imported\n"


def test_compiled_once(tmp_path):
    folder = bytecode.compile_packages([boards.application()], tmp_path / "mpy")
    first = {path: path.stat().st_mtime_ns for path in folder.rglob("*.mpy")}
    bytecode.compile_packages([boards.application()], folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.mpy")} == first
    (folder / "inputs").write_text("other")
    bytecode.compile_packages([boards.application()], folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.mpy")} != first


def test_a_file_that_does_not_compile_is_named(tmp_path):
    (tmp_path / "bad.py").write_text("def f(:\n")
    with pytest.raises(bytecode.CompileError, match="refuses wamp/bad.py for any: .*SyntaxError"):
        bytecode.compile_file(tmp_path / "bad.py", "wamp/bad.py", "any", tmp_path / "bad.mpy")
