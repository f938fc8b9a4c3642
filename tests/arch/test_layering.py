"""The laws of docs/design.md that a program can check on the source."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WAMP = ROOT / "firmware" / "lib" / "wamp"
ACCELERATORS = ROOT / "firmware" / "accel"
HOST = ROOT / "host" / "microwamp"
RIG = ROOT / "rig" / "microwamp_rig"
OURS = ("firmware", "host", "rig", "tests", "boards", "bench", "examples", "docs")

# The modules of the device library that do input and output, know the time or the port. All
# others are the core: bytes in, events out.
EDGE = {
    "__init__": "the public names, loaded when they are used",
    "_clock": "sets the board's clock",
    "_cpython": "CPython's half of _port",
    "_declared": "the client's declarations, asyncio events",
    "_explain": "errors of sockets and TLS in words, with the date",
    "_failed": "the client's handlers and requests",
    "_line": "the client's connection, asyncio",
    "_mpconsole": "the console of a board as a serial port",
    "_mpdescriptor": "descriptors and ttys of MicroPython's unix port",
    "_mpports": "serial ports of MicroPython's ports",
    "_mpsockets": "connects sockets on MicroPython",
    "_mpstream": "TCP on MicroPython",
    "_mptls": "TLS on MicroPython",
    "_opening": "the client's beginning, asyncio",
    "_port": "what differs between the interpreters: clock, timers, randomness, polling",
    "_posixport": "serial ports of CPython",
    "_urls": "chooses a transport",
    "_rejoin": "the client's next session, asyncio",
    "_streams": "streams of CPython",
    "_tls": "TLS contexts",
    "client": "asyncio, time-outs, reconnecting",
    "keyfile": "reads key files",
    "keys": "makes and writes key files",
    "logins": "logins that need randomness or a clock",
    "declarations": "what a client declares, asyncio events",
    "meta": "calls of the client",
    "outbox": "the client's publications while it is offline, asyncio",
    "progress": "the client's calls and handlers of more than one part",
    "requests": "the client's pending requests, asyncio events",
    "serial": "the link on a serial port",
    "serialcontrol": "opens serial ports, waits for the other end",
    "transport": "sockets",
    "watchdog": "the clock, asyncio",
    "wifi": "a board's network",
}
# What the core may import beside itself: all of it computes, none of it waits, asks or tells.
PURE = {
    "array",
    "binascii",
    "collections",
    "hashlib",
    "json",
    "math",
    "micropython",
    "struct",
    "sys",
}
# The bridge can log in for nobody: nothing that makes a signature or reads a key comes into it.
KEYS = re.compile(
    r"(wamp|microwamp)\.(auth\w*|key\w+|logins|ed25519|sha512|kdf|cryptosign|cryptobox)\b"
    r"|microwamp\.securitymodule\b|nacl\b|argon2\b"
)
# What MicroPython does not have.
NOT_ON_THE_BOARD = {"abc", "contextlib", "dataclasses", "enum", "functools", "inspect", "typing"}
NO_SUCH_METHOD = {"bit_length", "removeprefix", "removesuffix", "__code__"}


def sources(folder: Path, *suffixes: str) -> list[Path]:
    """Source files below a folder, sorted; ours only, not what is built there."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in (suffixes or (".py",)) and "__pycache__" not in path.parts
    )


def all_sources(*suffixes: str) -> list[Path]:
    return [path for name in OURS for path in sources(ROOT / name, *suffixes)]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def package_of(path: Path) -> list[str]:
    """The dotted name, in parts, of the package that a module's relative imports start from."""
    base = {"wamp": WAMP, "microwamp": HOST, "microwamp_rig": RIG}
    for name, folder in base.items():
        if path.is_relative_to(folder):
            return [name, *path.relative_to(folder).parent.parts]
    return []


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything a module imports, anywhere in it, type checking
    aside. `from a import b` gives `a.b`: whether b is a module cannot be seen."""
    tree = parsed(path)
    typing_only: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for child in node.body:
                typing_only.update(ast.walk(child))
    package = package_of(path)
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "__import__"
        ):
            what = node.args[0]
            yield node.lineno, str(what.value) if isinstance(what, ast.Constant) else "?"


CORE = [path for path in sources(WAMP) if path.stem not in EDGE]


def test_the_list_of_edge_modules_is_true():
    assert {path.stem for path in sources(WAMP)} >= set(EDGE), "an edge module is gone"
    core = {path.stem for path in CORE}
    named = {"auth", "cbor", "ed25519", "errors", "kdf", "link", "messages", "rawsocket"}
    assert core >= named | {"session", "sha512"}


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_core_is_pure(path):
    core = {"wamp." + module.stem for module in CORE + sources(ACCELERATORS)}
    for line, name in imports(path):
        top = name.partition(".")[0]
        if top == "wamp":
            inside = ".".join(name.split(".")[:2])
            assert inside in core, f"{name_of(path)}:{line}: the core imports {name}"
        else:
            assert top in PURE, f"{name_of(path)}:{line}: the core imports {name}"


def test_arrows_point_down():
    for folder, forbidden in ((WAMP, ("microwamp", "microwamp_rig")), (HOST, ("microwamp_rig",))):
        for path in sources(folder):
            for line, name in imports(path):
                top = name.partition(".")[0]
                assert top not in forbidden, f"{name_of(path)}:{line}: imports {name}"


def test_the_bridge_imports_no_keys():
    modules = sources(HOST / "bridge")
    assert modules
    for path in modules:
        for line, name in imports(path):
            assert not KEYS.match(name), f"{name_of(path)}:{line}: the bridge imports {name}"


def test_the_bridge_loads_no_keys():
    """Not by a detour either: what is in memory when all of it is imported."""
    names = [
        ".".join(["microwamp", *path.relative_to(HOST).with_suffix("").parts])
        for path in sources(HOST / "bridge")
        if path.stem != "__main__"
    ]
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name.removesuffix('.__init__'))\n"
        "print(*sys.modules)\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program, *names], check=True, text=True, stdout=subprocess.PIPE
    ).stdout.split()
    assert "microwamp.bridge" in loaded
    assert [name for name in loaded if KEYS.match(name)] == []


@pytest.mark.parametrize("path", sources(WAMP), ids=name_of)
def test_device_library_keeps_to_what_micropython_has(path):
    for line, name in imports(path):
        top = name.partition(".")[0]
        assert top not in NOT_ON_THE_BOARD, f"{name_of(path)}:{line}: imports {name}"
    for node in ast.walk(parsed(path)):
        where = f"{name_of(path)}:{getattr(node, 'lineno', 0)}"
        assert not isinstance(node, ast.Match), f"{where}: match"
        if isinstance(node, ast.ClassDef):
            assert not node.keywords, f"{where}: a class with keywords"
        if isinstance(node, ast.Attribute):
            assert node.attr not in NO_SUCH_METHOD, f"{where}: {node.attr}"


@pytest.mark.parametrize("path", sources(WAMP), ids=name_of)
def test_every_device_module_has_a_stub(path):
    assert path.with_suffix(".pyi").is_file()


def test_every_stub_has_its_module():
    for path in sources(WAMP, ".pyi"):
        assert path.with_suffix(".py").is_file(), name_of(path)


def test_no_module_is_too_long():
    for path in all_sources(".py", ".pyi"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 600, f"{name_of(path)} has {lines} lines; split it"


def test_no_line_is_too_long():
    for path in all_sources(".py", ".pyi"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert len(line) <= 99, f"{name_of(path)}:{number} has {len(line)} columns"


def test_every_module_says_what_it_is():
    for path in all_sources():
        docstring = ast.get_docstring(parsed(path))
        assert docstring, f"{name_of(path)} has no docstring"


def test_no_test_is_skipped():
    """A test that is not run proves nothing: none is marked so, and none decides so."""
    forbidden = {"skip", "skipif", "skipIf", "skipUnless", "xfail", "importorskip", "SkipTest"}
    for path in sources(ROOT / "tests"):
        for node in ast.walk(parsed(path)):
            name = getattr(node, "attr", None) or getattr(node, "id", None)
            line = getattr(node, "lineno", 0)
            assert name not in forbidden, f"{name_of(path)}:{line}: {name}"


def test_core_tests_run_on_micropython_as_they_are():
    """No fixtures, no decorators, no pytest: nothing that the device's runner does not do."""
    for path in sources(ROOT / "tests" / "core"):
        for line, name in imports(path):
            assert name.partition(".")[0] != "pytest", f"{name_of(path)}:{line}: imports pytest"
        for node in parsed(path).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if node.name.startswith("test_"):
                    where = f"{name_of(path)}:{node.lineno}: {node.name}"
                    arguments = node.args
                    assert not (arguments.args or arguments.kwonlyargs), f"{where} has arguments"
                    assert not node.decorator_list, f"{where} is decorated"


def test_ci_runs_the_tests():
    run = ROOT / ".ci" / "run"
    assert os.access(run, os.X_OK)
    assert "make test" in run.read_text().splitlines()
