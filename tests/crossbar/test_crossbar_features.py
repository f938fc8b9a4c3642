"""The client's part of WAMP's advanced profile against crossbar.io, on every interpreter."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from microwamp_rig import micropython
from microwamp_rig.program import Program

PROGRAM = Path(__file__).parents[1] / "programs" / "features.py"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("board", ["cpython", "unix"])
def test_features(board, crossbar):
    command, environment = [sys.executable], dict(os.environ)
    if board == "unix":
        command, environment = micropython.command(board), micropython.environment()
    environment |= {"MICROWAMP_URL": crossbar.url, "TEST_PREFIX": f"com.test.{board}"}
    with Program([*command, PROGRAM], env=environment) as program:
        program.expect("^(all done|failed .*)$", 90)
        assert program.lines[-1] == "all done", "\n".join(program.lines)
        skipped = {line.split()[1] for line in program.lines if line.startswith("skipped")}
        # tests/router/test_router_features.py tries these.
        unable = {"calls_in_parts:", "time_limits:", "history:", "revocation:", "trust:"}
        assert skipped <= unable
