"""The plugin itself, by files that pass, fail, crash, hang and end early on the unix port."""

import subprocess
import sys
from pathlib import Path

import pytest

import microwamp_rig
from microwamp_rig import micropython

INI = """
[pytest]
microwamp_dual = core
microwamp_dual_timeout = 2
filterwarnings = error
"""


@pytest.fixture
def dual(pytester: pytest.Pytester):
    """Runs pytest in a process of its own on one file core/test_it.py; returns the result."""

    def run(source: str, *args: str) -> pytest.RunResult:
        pytester.makefile(".ini", pytest=INI)
        folder = pytester.mkdir("core")
        (folder / "test_it.py").write_text(source)
        # The 32-bit port is there or not: these tests count, so they say what they want.
        boards = ["--board", "cpython", "--board", "unix"]
        if any(word.startswith("--board") for word in args):
            boards = []
        quiet = ("-v", "-p", "no:cacheprovider")
        return pytester.runpytest_subprocess(*quiet, *boards, *args, timeout=60)

    return run


def test_passing_file_runs_on_both_in_the_order_of_the_source(dual):
    result = dual("""
import sys
def test_z(): pass
async def test_a():
    import asyncio
    await asyncio.sleep(0)
def test_where(): print("on", sys.implementation.name)
""")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(
        [
            "core/test_it.py::test_z[[]cpython] PASSED*",
            "core/test_it.py::test_a[[]cpython] PASSED*",
            "core/test_it.py::test_where[[]cpython] PASSED*",
            "core/test_it.py::test_z[[]unix] PASSED*",
            "core/test_it.py::test_a[[]unix] PASSED*",
            "core/test_it.py::test_where[[]unix] PASSED*",
        ]
    )


def test_failure_on_the_device_alone_shows_its_traceback_with_source_lines(dual):
    result = dual("""
import sys
def check(name):
    assert name == "cpython", name
def test_good(): pass
def test_bad(): check(sys.implementation.name)
async def test_bad_too(): check(sys.implementation.name)
""")
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*test_bad[[]unix] FAILED*",
            "*test_bad_too[[]unix] FAILED*",
            '  File "*test_it.py", line 4, in check',
            '    assert name == "cpython", name',
            "AssertionError: micropython",
        ]
    )


def test_exit_in_a_test_is_a_failure_of_that_test(dual):
    result = dual("import sys\ndef test_it(): sys.exit(0)\ndef test_next(): pass\n")
    result.assert_outcomes(passed=2, failed=2)


def test_crash_fails_the_test_it_happened_in_and_those_after_it(dual):
    result = dual(
        """
import os, sys
def test_first(): pass
def test_crash():
    print("last words")
    os.system("kill -SEGV $PPID")
def test_after(): pass
""",
        "--board=unix",
    )
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*test_first[[]unix] PASSED*",
            "*the interpreter ended with status -11, in this test*",
            "last words",
            "*the interpreter ended with status -11, in test_crash; this test was not run*",
        ]
    )


def test_end_before_done_fails_the_last_test(dual):
    """Every test has its `ok`, but the interpreter died before it said so."""
    result = dual(
        """
import os, sys
def test_first(): pass
def test_last():
    print("ok test_last")
    os.system("kill -KILL $PPID")
""",
        "--board=unix",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*the interpreter ended with status -9, after the last test*"])


@pytest.mark.parametrize("body", ["\n while True: pass", "import time; time.sleep(9)"])
def test_hang_is_ended_and_named(dual, body):
    result = dual(f"def test_hang(): {body}\ndef test_after(): pass\n", "--board=unix")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*still running after 2 s, killed, in this test*",
            "*still running after 2 s, killed, in test_hang; this test was not run*",
        ]
    )


def test_coroutine_that_never_ends_is_ended_by_the_runner(tmp_path):
    """On the device itself, by the runner's own limit (here shortened): the next test is run."""
    runner = Path(microwamp_rig.__path__[0])
    script = tmp_path / "main.py"
    script.write_text("""
import asyncio, run_tests
run_tests.LIMIT_S = 0.1
async def wait():
    await asyncio.Event().wait()
async def good():
    await asyncio.sleep(0)
print(run_tests.call(wait))
print("next:", repr(run_tests.call(good)))
""")
    result = micropython.run(script, paths=[runner], timeout_s=60)
    assert result.returncode == 0
    assert "TimeoutError" in result.stdout
    assert "next: ''" in result.stdout


def test_import_error_fails_every_test(dual):
    result = dual("import abc_does_not_exist\ndef test_it(): pass\n", "--board=unix")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*before the first test*", "ImportError: no module named *"])


def test_selected_tests_only_are_run(dual):
    source = """
def test_a(): print("ran a")
def test_b(): print("ran b")
"""
    result = dual(source, "core/test_it.py::test_b[unix]", "-rP")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["ran b"])
    result.stdout.no_fnmatch_line("ran a")


def test_no_item_without_the_option(pytester: pytest.Pytester):
    """Where the plugin is merely installed it changes nothing."""
    pytester.makepyfile("def test_plain(): pass")
    result = pytester.runpytest_subprocess("-v", "-p", "no:cacheprovider", timeout=60)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*::test_plain PASSED*"])


def test_coroutine_tests_anywhere(pytester: pytest.Pytester):
    pytester.makepyfile("""
import asyncio, pytest
async def test_good(tmp_path): await asyncio.sleep(0)
async def test_raises(): assert await asyncio.sleep(0, 1) == 2
@pytest.mark.timeout(0.1)
async def test_waits(): await asyncio.sleep(30)
async def test_own_timeout_error(): raise TimeoutError("mine")
async def test_lost_exception():
    async def fails(): raise ValueError("nobody heard")
    asyncio.create_task(fails())
    await asyncio.sleep(0.01)
""")
    result = pytester.runpytest_subprocess("-v", "-p", "no:cacheprovider", timeout=60)
    result.assert_outcomes(passed=1, failed=4)
    result.stdout.fnmatch_lines(
        [
            "*::test_good PASSED*",
            "*AssertionError: not done after 0.1 s*",
            "*TimeoutError: mine*",
            "*nobody heard*",
        ]
    )


def test_being_installed_costs_next_to_nothing():
    """Pytest loads the plugin in every project of an environment that has the rig."""
    program = """
import pytest, sys
before = set(sys.modules)
import microwamp_rig.pytest_plugin
print(*sorted(set(sys.modules) - before))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, text=True, stdout=subprocess.PIPE
    ).stdout.split()
    assert loaded == ["microwamp_rig", "microwamp_rig.pytest_plugin"]
