"""Programs as child processes: waiting for what they print, and ending them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from microwamp_rig.program import Program, ProgramError, microwamp

TALKS = """
import json, sys, time
print("one")
print("two", file=sys.stderr, flush=True)
print(json.dumps({"event": "joined", "realm": "a"}))
print("[1]")
print(json.dumps({"event": "joined", "realm": "b"}), flush=True)
time.sleep(float(sys.argv[1]))
sys.exit(7)
"""


def talks(seconds: float) -> Program:
    return Program([sys.executable, "-c", TALKS, str(seconds)])


def test_lines_come_in_order_and_expect_goes_forward():
    with talks(0) as program:
        assert program.wait() == 7
        assert not program.running
        assert sorted(program.lines[:2]) == ["one", "two"]
        assert program.expect("t(wo)")[1] == "wo"
        with pytest.raises(ProgramError, match=r"ended, no line like 'two' \(exit status 7\)"):
            program.expect("two")


def test_events_are_found_among_all_lines():
    with talks(60) as program:
        assert program.event("joined", realm="b") == {"event": "joined", "realm": "b"}
        assert program.event("joined")["realm"] == "a"
        assert [one["realm"] for one in program.events("joined")] == ["a", "b"]
        with pytest.raises(ProgramError, match="no event left .* in time(?s:.*)  two"):
            program.event("left", timeout_s=0.2)
        with pytest.raises(ProgramError, match="still running after 0.1 s"):
            program.wait(0.1)
        assert program.running


def test_the_end_is_sure():
    deaf = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint(1, flush=True)\n"
    with Program([sys.executable, "-c", deaf + "time.sleep(60)"]) as program:
        program.expect("1")
        program.terminate()
        assert program.stop(timeout_s=0.2) == -9
    with talks(60) as program:
        program.expect("one")
        assert program.stop() == -15
    with talks(60) as program:
        pid = program.pid
    assert not Path(f"/proc/{pid}").exists()
    program.kill()


def test_a_program_that_cannot_be_started_says_so():
    with Program([Path("/nowhere/program")]) as program:
        assert program.wait() != 0
        assert any("No such file" in line for line in program.lines)


def test_descriptors_and_variables_are_passed():
    reader, writer = os.pipe()
    code = "import os, sys; os.write(int(sys.argv[1]), os.environ['WORD'].encode())"
    environment = {**os.environ, "WORD": "hello"}
    with Program(
        [sys.executable, "-c", code, str(writer)], env=environment, pass_fds=[writer]
    ) as program:
        assert program.wait() == 0
    os.close(writer)
    assert os.read(reader, 100) == b"hello"
    os.close(reader)


def test_the_command():
    with microwamp("--version") as program:
        program.expect("^microwamp [0-9.]+$")
        assert program.wait() == 0
