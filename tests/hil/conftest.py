"""Hardware in the loop: which tests run when, on what, in whose time, and what they cost.

Two tiers: `hil_smoke` is part of every run of pytest, the matrix `hil` runs only when asked for by
`-m` (`make hil` does); otherwise this file deselects it and says so at the end. What only a real
board can show, marked `hardware`, is collected only with --console.

Tests that use a bench are coroutines in the event loop of that bench: one board, booted and
joined, serves many of them. With the emulated board the loop lives in the board's time.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hil_bench import Bench

from microwamp_rig.board import BoardError
from microwamp_rig.boardtime import emulated_time
from microwamp_rig.crossbar import CrossbarNode
from microwamp_rig.pytest_plugin import CPU_SECONDS, run_coroutine
from microwamp_rig.real import RealBoard

SMOKE_BUDGET_S = 400
TIERS = {"hil_smoke": "smoke tier", "hil": "matrix"}
# The emulated board's own tests share the smoke tier's budget.
ALSO_SMOKE = "tests/rig/test_rp2040_"

# name: line, baud rate, router, tier
BENCHES = {
    "uart": ("uart", 921600, "microwamp", "hil_smoke"),
    "console": ("console", 921600, "microwamp", "hil_smoke"),
    "uart-crossbar": ("uart", 921600, "crossbar", "hil"),
    "console-crossbar": ("console", 921600, "crossbar", "hil"),
    "uart-115200": ("uart", 115200, "microwamp", "hil"),
}

_HERE = Path(__file__).parent
_deselected = pytest.StashKey[int]()
_tiers = pytest.StashKey[dict[str, str]]()


# -- which tests run ------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "hil_smoke: on the emulated board or a real one, cheap")
    config.addinivalue_line("markers", "hil: the same, the whole matrix: `make hil`")
    config.addinivalue_line("markers", "benches(name, ...): those that a test runs on")
    config.addinivalue_line("markers", "emulated: only on the emulated board")
    config.addinivalue_line("markers", "hardware: only on a real board")
    if config.getoption("--uart") and not config.getoption("--console"):
        raise pytest.UsageError(
            "--uart (UART=) without --console (CONSOLE=): programs and resets go by way of a real"
            " board's USB console, so its port is needed too"
        )
    config.stash[_deselected] = 0
    config.stash[_tiers] = {}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Asked for folders; a file that is named is collected anyway, and deselected below."""
    if collection_path.name == "test_hardware.py" and not config.getoption("--console"):
        return True
    return None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`bench`: all of BENCHES, or those named by the marker `benches`. The tier of a test is the
    bench's, or the matrix if the test or its file is marked so."""
    if "bench" not in metafunc.fixturenames:
        return
    chosen = metafunc.definition.get_closest_marker("benches")
    names = chosen.args if chosen is not None else tuple(BENCHES)
    whole = metafunc.definition.get_closest_marker("hil") is not None
    metafunc.parametrize(
        "bench",
        [
            pytest.param(name, marks=getattr(pytest.mark, "hil" if whole else BENCHES[name][3]))
            for name in names
        ],
        indirect=True,
        scope="session",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept, matrix, others = [], [], []
    elsewhere = "emulated" if config.getoption("--console") else "hardware"
    whole = "hil" in config.option.markexpr
    for item in items:
        for marker in ("hil", "hil_smoke"):
            if _HERE in item.path.parents and item.get_closest_marker(marker):
                config.stash[_tiers][item.nodeid] = marker
                break
        if item.get_closest_marker(elsewhere):
            others.append(item)
        elif not whole and config.stash[_tiers].get(item.nodeid) == "hil":
            matrix.append(item)
        else:
            kept.append(item)
    config.stash[_deselected] = len(matrix)
    if matrix or others:
        config.hook.pytest_deselected(items=matrix + others)
    items[:] = kept


def pytest_collection_finish(session: pytest.Session) -> None:
    """A port where no board is ends the run with one sentence, rather than each test with one."""
    console = session.config.getoption("--console")
    if console is None or session.config.option.collectonly:
        return
    if any(_HERE in item.path.parents for item in session.items):
        try:
            asyncio.run(RealBoard(console=console).check())
        except BoardError as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    seconds = {name: 0.0 for name in TIERS}
    tests = dict.fromkeys(TIERS, 0)
    for nodeid, used in config.stash[CPU_SECONDS].items():
        tier = config.stash[_tiers].get(nodeid)
        if tier is None and nodeid.startswith(ALSO_SMOKE):
            tier = "hil_smoke"
        if tier is not None:
            seconds[tier] += used
            tests[tier] += 1
    write = terminalreporter.write_line
    for name, title in TIERS.items():
        if tests[name]:
            budget = f" of {SMOKE_BUDGET_S}" if name == "hil_smoke" else ""
            text = f"hardware in the loop, {title}: {tests[name]} tests"
            over = bool(budget) and seconds[name] > SMOKE_BUDGET_S
            write(f"{text}, {seconds[name]:.0f}{budget} CPU-seconds", red=over, yellow=not over)
    if config.stash[_deselected]:
        write(
            f"hardware in the loop, matrix: {config.stash[_deselected]} tests not run: make hil",
            yellow=True,
        )


# -- where they run -------------------------------------------------------------------------------


class Loop:
    """An event loop that outlives a test."""

    def __init__(self, config: pytest.Config) -> None:
        self._stack = ExitStack()
        real = config.getoption("--console") is not None
        self.runner = self._stack.enter_context(asyncio.Runner() if real else emulated_time())

    def close(self) -> None:
        self._stack.close()


class Served:
    """A bench and its loop; replaced by a restarted one after a test that failed."""

    def __init__(self, loop: Loop, bench: Bench) -> None:
        self.loop = loop
        self.bench = bench
        self.broken = False


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, pico: Callable[..., Any]) -> Iterator[Served]:
    """A bench whose board has joined. A test function gets the `Bench` itself."""
    line, baud, router, _ = BENCHES[request.param]
    urls = None
    if router == "crossbar":
        node: CrossbarNode = request.getfixturevalue("crossbar")
        urls = node.auth_url, node.url
    loop = Loop(request.config)
    made = Bench(pico, line, baud, urls)
    try:
        loop.runner.run(made.start())
        yield Served(loop, made)
    finally:
        loop.runner.run(made.close())
        loop.close()


@pytest.fixture
def make_bench(
    request: pytest.FixtureRequest, pico: Callable[..., Any]
) -> Iterator[Callable[..., Bench]]:
    """make_bench(**options): a bench for one test, to be started there; closed at its end."""
    loop = Loop(request.config)
    made: list[Bench] = []

    def make(**options: Any) -> Bench:
        made.append(Bench(pico, **options))
        return made[-1]

    make.runner = loop.runner  # type: ignore[attr-defined]
    try:
        yield make
    finally:
        for one in made:
            loop.runner.run(one.close())
        loop.close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    served = arguments.get("bench")
    if isinstance(served, Served):
        arguments["bench"] = served.bench
        runner = served.loop.runner
        if served.broken:
            runner.run(served.bench.restart())
        served.broken = True
        run_coroutine(lambda: pyfuncitem.obj(**arguments), 300, runner)
        served.broken = served.bench.spent
        return True
    if "make_bench" in arguments:
        runner = arguments["make_bench"].runner
        run_coroutine(lambda: pyfuncitem.obj(**arguments), 300, runner)
        return True
    return None
