"""pytest: tests on CPython, MicroPython and boards; coroutine tests; a crossbar.io node.

*Files for both interpreters.* The ini option `microwamp_dual` names folders; each test function
of a file there becomes one item for each board (`--board`): `test_x[cpython]`, `test_x[unix]`.
Such functions take no fixtures and the files import nothing that MicroPython lacks. All selected
tests of a file run in one MicroPython process, by `run_tests.py`, started when the first of them
is due; an item waits for its own line of that process. When the process ends or hangs, the items
without a result fail and show its output. With `--board rp2040` that process emulates a Pico
(microwamp_rig.emulate): some thirty times slower than the chip, so never by default.

*Coroutine functions* are run by `asyncio.run`, for 30 s at most (10 s in dual folders; the marker
`timeout(seconds)` changes it). What the event loop reports meanwhile, such as a task whose
exception nobody took, fails the test. With the marker `emulated_time` a test lives in the time of
the emulated boards in it (microwamp_rig.boardtime): its limits are the chip's seconds.

*Boards*: fixtures that make boards with your firmware and program,

    async def test_blinks(pico):
        async with pico(Path("main.py"), files={"device.key": KEY}) as board:
            await board.expect("ready")

`pico(program, line="uart", ...)` is a board at the end of a line, `board.port`, or with
line="console" of `board.console_port`: an `Rp2040Board`, or with `--console PORT` (and
`--uart PORT`) the `RealBoard` there. `rp2040(...)` is always the emulated one, in an event loop,
`rp2040_machine(...)` a `Machine`: without one, in emulated time alone. `--firmware PATH` is what
the emulated ones run (default: $MICROWAMP_FIRMWARE, else what `make firmware` built), `--seed N`
where their randomness begins.

*The fixture `crossbar`*: one node for the whole run, started by the first test that wants it.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    import asyncio

    from microwamp_rig.crossbar import CrossbarNode
    from microwamp_rig.real import RealBoard
    from microwamp_rig.rp2040 import Machine, Rp2040Board

ASYNC_LIMIT_S = 120.0
DUAL_ASYNC_LIMIT_S = 30.0

#: What each test used, setup and child processes that ended included, by node id.
CPU_SECONDS = pytest.StashKey[dict[str, float]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--board",
        action="append",
        choices=["cpython", "unix", "unix32", "rp2040"],
        help="where tests in microwamp_dual folders run; repeatable "
        "(default: cpython, unix, and unix32 where there is one)",
    )
    parser.addoption("--firmware", metavar="PATH", help="firmware.uf2 of emulated boards")
    parser.addoption(
        "--seed", metavar="N", type=int, default=0, help="of emulated boards (default: 0)"
    )
    parser.addoption(
        "--console", metavar="PORT", help="console of a real board, for the fixture pico"
    )
    parser.addoption("--uart", metavar="PORT", help="adapter at that board's UART0")
    parser.addini("microwamp_dual", "folders whose tests run on MicroPython too", type="paths")
    parser.addini(
        "microwamp_dual_timeout",
        "seconds that one test may take on MicroPython",
        default="120",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"timeout(seconds): limit of a coroutine test (default {ASYNC_LIMIT_S:g} s)"
    )
    config.addinivalue_line(
        "markers", "emulated_time: a coroutine test that lives in the emulated boards' time"
    )
    config.stash[CPU_SECONDS] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    before = os.times()
    try:
        return (yield)
    finally:
        item.config.stash[CPU_SECONDS][item.nodeid] = sum(os.times()[:4]) - sum(before[:4])


# -- files for both interpreters ------------------------------------------------------------------


def _boards(config: pytest.Config) -> list[str]:
    chosen = config.getoption("--board")
    if chosen:
        return list(dict.fromkeys(chosen))
    from microwamp_rig import micropython

    return ["cpython", "unix"] + (["unix32"] if micropython.available("unix32") else [])


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    for folder in parent.config.getini("microwamp_dual"):
        if module_path.is_relative_to(folder):
            module: pytest.Module = DualModule.from_parent(parent, path=module_path)
            return module
    return None


class DualModule(pytest.Module):
    """A test file whose functions become one item a board."""

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        tree = ast.parse(self.path.read_text(encoding="utf-8"), str(self.path))
        lines = {
            node.name: node.lineno
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name.startswith("test_")
        }
        items: list[pytest.Item | pytest.Collector] = []
        for board in _boards(self.config):
            if board == "cpython":
                for name in lines:
                    items.append(CPythonItem.from_parent(self, name=f"{name}[cpython]"))
            else:
                run = DeviceRun(self.config, self.path, board)
                for name, line in lines.items():
                    items.append(
                        DeviceItem.from_parent(
                            self, name=f"{name}[{board}]", test=name, line=line, run=run
                        )
                    )
        return items


class CPythonItem(pytest.Function):
    """One test function of such a file, here."""

    def _getobj(self) -> Any:
        assert isinstance(self.parent, DualModule)
        return getattr(self.parent.obj, self.name.partition("[")[0])


class DeviceFailure(Exception):
    """A test failed on MicroPython, or its interpreter did."""


class DeviceItem(pytest.Item):
    """One test function of a file, on one board."""

    def __init__(self, *, test: str, line: int, run: DeviceRun, **options: Any) -> None:
        super().__init__(**options)
        self.test = test
        self.device_run = run
        self._line = line

    def runtest(self) -> None:
        result = self.device_run.result(self)
        if result.printed:
            self.add_report_section("call", "stdout", "\n".join(result.printed))
        if result.failure is not None:
            raise DeviceFailure(result.failure)

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: Any = None,
    ) -> Any:
        if isinstance(excinfo.value, DeviceFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str], int, str]:
        return self.path, self._line - 1, self.name


class DeviceResult:
    """What a DeviceRun learned of one test; `failure` is None if it passed."""

    def __init__(self) -> None:
        self.printed: list[str] = []
        self.traceback: list[str] = []
        self.failure: str | None = None
        self.complete = False


class DeviceRun:
    """One MicroPython process for the selected tests of one file (protocol: run_tests.py)."""

    def __init__(self, config: pytest.Config, path: Path, board: str) -> None:
        self._config = config
        self._path = path
        self._board = board
        self._limit_s = float(config.getini("microwamp_dual_timeout"))
        self._process: subprocess.Popen[bytes] | None = None
        self._names: list[str] = []
        self._results: dict[str, DeviceResult] = {}
        self._current: str | None = None
        self._preamble: list[str] = []  # printed before the first test began
        self._rest = b""
        self._done: int | None = None
        self._end = ""  # how the process ended, as a sentence; "" while it runs

    def result(self, item: DeviceItem) -> DeviceResult:
        """Waits for the result of a test; starts the process when it is the first."""
        if self._process is None:
            self._start(item)
        result = self._results[item.test]
        # With the last test comes the question whether the interpreter came to its end.
        last = item.test == self._names[-1]
        deadline = time.monotonic() + self._limit_s
        while not self._end and not (result.complete and (self._done is not None or not last)):
            self._read(deadline)
        if not result.complete and result.failure is None:
            result.failure = self._story(item.test)
        elif last and result.failure is None and self._done != len(self._names):
            result.failure = f"{self._end}, after the last test\n" + self._output()
        return result

    def _start(self, item: DeviceItem) -> None:
        from microwamp_rig import emulate, micropython
        from microwamp_rig.process import start

        if self._board == "rp2040":
            firmware = self._config.getoption("--firmware")
            command = emulate.command(firmware, self._config.getoption("--seed"))
        else:
            command = micropython.command(self._board)
        self._names = [
            other.test
            for other in item.session.items
            if isinstance(other, DeviceItem) and other.device_run is self
        ]
        self._results = {name: DeviceResult() for name in self._names}
        self._process = start(
            [
                *command,
                Path(__file__).with_name("run_tests.py"),
                self._path,
                *self._names,
            ],
            cwd=self._path.parent,
            env=micropython.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._config.add_cleanup(self._close)

    def _read(self, deadline: float) -> None:
        """Takes in what the process prints next; notes its end."""
        assert self._process is not None and self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        wait_s = max(0.0, deadline - time.monotonic())
        if not select.select([pipe], [], [], wait_s)[0]:
            self._close()
            self._end = f"still running after {self._limit_s:g} s, killed"
            return
        octets = os.read(pipe, 65536)
        *lines, self._rest = (self._rest + octets).split(b"\n")
        if not octets:
            lines, self._rest = [self._rest] if self._rest else [], b""
        for line in lines:
            self._take(line.decode("utf-8", "replace").rstrip("\r"))
        if self._done is not None or not octets:
            self._reap()

    def _take(self, line: str) -> None:
        word, _, name = line.partition(" ")
        result = self._results.get(self._current or "")
        if word == "run" and name in self._results:
            if result is not None:
                result.complete = True  # its traceback is whole
            self._current = name
        elif word == "done" and name.isdigit():
            if result is not None:
                result.complete = True
            self._done = int(name)
        elif result is None:
            self._preamble.append(line)
        elif word in ("ok", "FAIL") and name == self._current:
            if word == "ok":
                result.complete = True
            else:
                result.failure = "failed on " + self._board
        elif word == "|" and result.failure is not None:
            result.traceback.append(name)
            result.failure = self._with_source(result.traceback)
        else:
            result.printed.append(line)

    def _reap(self) -> None:
        """After the output's end, or `done`: the process ends now, or is made to."""
        assert self._process is not None
        try:
            status = self._process.wait(5.0)
            self._end = f"the interpreter ended with status {status}"
        except subprocess.TimeoutExpired:
            self._end = "the interpreter closed its output and went on, killed"
            self._done = None
        self._close()

    def _close(self) -> None:
        from microwamp_rig.process import signal_group

        if self._process is None or self._process.stdout is None:
            return
        if self._process.poll() is None:
            signal_group(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()

    def _with_source(self, traceback: list[str]) -> str:
        """MicroPython's traceback with the source lines that CPython's has."""
        text = []
        for line in traceback:
            text.append(line)
            place = re.match(r'  File "(.+)", line (\d+)', line)
            if place is None:
                continue
            path = self._path.parent / place[1]
            if not path.is_file():  # a path on the board
                path = self._path.parent / path.name
            if path.is_file():
                source = path.read_text(errors="replace").splitlines()
                if 0 < int(place[2]) <= len(source):
                    text.append("    " + source[int(place[2]) - 1].strip())
        return f"on {self._board}:\n" + "\n".join(text)

    def _story(self, test: str) -> str:
        """Why a test has no result."""
        if self._current == test:
            return f"{self._end}, in this test\n" + self._output()
        if self._current is None:
            return f"{self._end}, before the first test\n" + self._output()
        return f"{self._end}, in {self._current}; this test was not run\n" + self._output()

    def _output(self) -> str:
        result = self._results.get(self._current or "")
        lines = self._preamble if result is None else result.printed
        return "\n".join(lines[-50:]) or "(no output)"


# -- coroutine functions --------------------------------------------------------------------------


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    limit_s = DUAL_ASYNC_LIMIT_S if isinstance(pyfuncitem.parent, DualModule) else ASYNC_LIMIT_S
    marker = pyfuncitem.get_closest_marker("timeout")
    if marker is not None:
        limit_s = float(marker.args[0])
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    real = pyfuncitem.config.getoption("--console") is not None
    if pyfuncitem.get_closest_marker("emulated_time") is not None and not real:
        from microwamp_rig.boardtime import emulated_time

        with emulated_time() as runner:
            run_coroutine(lambda: pyfuncitem.obj(**arguments), limit_s, runner)
    else:
        run_coroutine(lambda: pyfuncitem.obj(**arguments), limit_s)
    return True


def run_coroutine(
    function: Callable[[], Coroutine[Any, Any, object]],
    limit_s: float,
    runner: asyncio.Runner | None = None,
) -> None:
    """`asyncio.run`, or that runner's, with a time limit in the loop's own time; fails for what
    only the event loop heard of."""
    import asyncio

    reports: list[str] = []

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        reports.append(f"{context['message']}: {context.get('exception')!r}")
        loop.default_exception_handler(context)

    async def bounded() -> None:
        asyncio.get_running_loop().set_exception_handler(report)
        limit = asyncio.timeout(limit_s)
        try:
            async with limit:
                await function()
        except TimeoutError as error:
            if not limit.expired():
                raise
            # Raised from the CancelledError, whose traceback says where the test waited.
            raise AssertionError(f"not done after {limit_s:g} s") from error

    if runner is None:
        asyncio.run(bounded())
    else:
        runner.run(bounded())
    if reports:
        pytest.fail("the event loop reported:\n" + "\n".join(reports), pytrace=False)


# -- fixtures -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def rp2040(pytestconfig: pytest.Config) -> Callable[..., Rp2040Board]:
    """Makes emulated boards with --firmware and --seed: the arguments of `Rp2040Board`."""
    from microwamp_rig.rp2040 import Rp2040Board

    return partial(Rp2040Board, **_emulation(pytestconfig))


@pytest.fixture(scope="session")
def rp2040_machine(pytestconfig: pytest.Config) -> Callable[..., Machine]:
    """The same without an event loop: the arguments of `Machine`."""
    from microwamp_rig.rp2040 import Machine

    return partial(Machine, **_emulation(pytestconfig))


def _emulation(config: pytest.Config) -> dict[str, Any]:
    return {"firmware": config.getoption("--firmware"), "seed": config.getoption("--seed")}


@pytest.fixture(scope="session")
def pico(
    pytestconfig: pytest.Config, rp2040: Callable[..., Rp2040Board]
) -> Callable[..., Rp2040Board | RealBoard]:
    """Makes the board under test: pico(program, line="uart", files=, env=, baud=, on_line=,
    keep=). Skips a test that needs a UART where no --uart was given."""
    console: str | None = pytestconfig.getoption("--console")
    uart: str | None = pytestconfig.getoption("--uart")

    def make(
        program: Path | str | None = None,
        line: Literal["uart", "console"] = "uart",
        **options: Any,
    ) -> Rp2040Board | RealBoard:
        if console is None:
            ports = {"uart": None, "console": None, line: "pty"}
            if line == "console":
                env = options.get("env") or {}
                options["env"] = {"MICROWAMP_URL": "serial:", **env}
            return rp2040(program, **ports, **options)
        from microwamp_rig.real import RealBoard

        if line == "uart" and uart is None:
            pytest.skip("needs --uart PORT, an adapter at the board's UART0")
        return RealBoard(program, console=console, uart=uart, line=line, **options)

    return make


@pytest.fixture(scope="session")
def crossbar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrossbarNode]:
    """A crossbar.io node for the whole run (microwamp_rig.crossbar)."""
    from microwamp_rig.crossbar import CrossbarNode

    with CrossbarNode(tmp_path_factory.mktemp("crossbar")) as node:
        yield node


@pytest.fixture
def own_crossbar(tmp_path: Path) -> Iterator[CrossbarNode]:
    """A node for one test alone, to be stopped, killed and started; not started yet."""
    from microwamp_rig.crossbar import CrossbarNode

    node = CrossbarNode(tmp_path)
    try:
        yield node
    finally:
        node.kill()
