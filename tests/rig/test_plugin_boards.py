"""The plugin's fixtures and options for boards, as a user's own tests see them."""

import pytest

from microwamp_rig import emulate


def test_fixtures_make_boards_with_the_users_firmware_seed_and_program(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeini("[pytest]\nfilterwarnings = error")
    pytester.makepyfile("""
import asyncio
import pytest

PROGRAM = '''
import os
from rig_env import getenv
print("ready", getenv("MICROWAMP_URL"), os.urandom(4).hex())
'''

async def test_uart(pico):
    async with pico(PROGRAM) as board:
        await board.expect("ready serial:0.tx=0&rx=1&baud=921600 [0-9a-f]{8}")
        assert board.machine.seed == 7
        assert board.port.startswith("/dev/")

@pytest.mark.emulated_time
async def test_console(pico):
    loop = asyncio.get_running_loop()
    async with pico(PROGRAM, line="console") as board:
        await board.expect("ready serial: ")
        begin, emulated = loop.time(), board.emulated_ms
        await asyncio.sleep(0.2)
        assert abs(board.emulated_ms - emulated - 200) < 1
        assert abs(loop.time() - begin - 0.2) < 0.001
        assert board.console_port.startswith("/dev/")

def test_machine(rp2040_machine):
    machine = rp2040_machine()
    assert machine.seed == 7
""")
    result = pytester.runpytest_subprocess("--seed", "7", "-p", "no:cacheprovider", timeout=120)
    result.assert_outcomes(passed=3)
    result = pytester.runpytest_subprocess(
        "--firmware", "none.uf2", "-p", "no:cacheprovider", "-k", "machine", timeout=60
    )
    result.assert_outcomes(errors=0, failed=1)
    result.stdout.fnmatch_lines(["*there is no firmware at none.uf2: build it with*"])


def test_dual_file_on_the_emulated_board(pytester: pytest.Pytester) -> None:
    pytester.makefile(".ini", pytest="[pytest]\nmicrowamp_dual = core\nfilterwarnings = error")
    folder = pytester.mkdir("core")
    (folder / "helper.py").write_text("NAME = 'rp2'\n")
    (folder / "test_it.py").write_text("""
import sys
from helper import NAME
def test_where():
    print("on", sys.platform)
    assert sys.platform == NAME
def test_fails():
    assert sys.platform == "linux"
async def test_waits():
    import asyncio
    await asyncio.sleep(5)
""")
    result = pytester.runpytest_subprocess(
        "-v", "-s", "--board", "rp2040", "-p", "no:cacheprovider", timeout=120
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "core/test_it.py::test_where[[]rp2040] PASSED*",
            '*File "/script/test_it.py", line 8, in test_fails*',
            '    assert sys.platform == "linux"',
            "AssertionError:*",
        ]
    )


@pytest.mark.parametrize(
    "source, status, output",
    [
        ("print('hello'); import sys; print(sys.argv[1:])", 0, ["hello", "['a', 'b']"]),
        ("import sys; sys.exit(3)", 3, []),
        ("1 / 0", 1, ["Traceback (most recent call last):", "ZeroDivisionError: divide by zero"]),
    ],
)
def test_script_on_the_emulated_board(tmp_path, capfdbinary, source, status, output) -> None:
    script = tmp_path / "script.py"
    script.write_text(source)
    assert emulate.run(script, ["a", "b"], None, 0) == status
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert [line for line in lines if not line.startswith("  ")] == output
