"""Stalls stop what runs below a command, and let it go on."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from microwamp_rig import stalls

# Ends with 7 when it and its child have seen the time jump.
PROGRAM = """
import os, sys, time
def jumps():
    last = time.monotonic()
    while True:
        time.sleep(0.001)
        now = time.monotonic()
        if now - last > {jump}:
            return
        last = now
child = os.fork()
jumps()
if child:
    os.waitpid(child, 0)
    sys.exit(7)
"""


@pytest.mark.parametrize("everything", [False, True])
def test_both_processes_stand_still_and_go_on(
    monkeypatch: pytest.MonkeyPatch, everything: bool
) -> None:
    monkeypatch.setattr(stalls, "ALL_BETWEEN_S", (0.1, 0.2))
    monkeypatch.setattr(stalls, "ALL_S", (0.2, 0.3))
    command = [sys.executable, "-c", PROGRAM.format(jump=0.15)]
    assert stalls.run(command, 3, everything) == 7


def test_a_tree_is_found_and_one_that_is_gone_is_no_error() -> None:
    tree = "import subprocess as s, sys; s.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", tree], stdin=subprocess.PIPE) as child:
        while len(found := stalls.descendants(child.pid)) < 2:
            assert child.poll() is None
        assert found[0] == child.pid
        child.communicate(b"\n", timeout=60)
    assert stalls.descendants(child.pid) == [child.pid]
    stalls.stall(child.pid, random.Random(1), everything=False)


def test_bad_input(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        stalls.main([])
    assert "which command?" in capfd.readouterr().err
    assert stalls.main(["/nonexistent"]) == 127
    assert capfd.readouterr().err == "/nonexistent: No such file or directory\n"
