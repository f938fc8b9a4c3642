"""Deploying and provisioning, by the commands, on a board with a flash of its own.

Most tests put a few small files on it instead of the library: what is tried is the way there.
"""

from __future__ import annotations

import contextlib
import json
import sys

import pytest
from deploying import FEW, check_whole, deploy, run
from flashboard import FlashBoard, files
from test_application import image

import wamp
from microwamp.boards import deployment
from microwamp.boards.remote import Remote


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our boards are back after a reset at once, or never."""
    monkeypatch.setattr("microwamp.boards.remote._BACK_S", 1.0)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "device_files", lambda arch: FEW)


# -- only what changed ----------------------------------------------------------------------------


@pytest.mark.usefixtures("few")
def test_only_what_is_wrong_is_written(tmp_path):
    flash = tmp_path / "flash"
    with FlashBoard(flash) as board:
        first = deploy(board)
        assert (first.written, first.kept) == (5, 0)
        check_whole(flash)
        again = deploy(board)
        assert (again.written, again.removed, again.kept, again.octets) == (0, 0, 5, 0)
    # A file half copied, one of an older version, a source that would hide its bytecode, and what
    # a power cut leaves.
    damaged = {
        **files(flash),
        "/lib/wamp/errors.mpy": b"M\x06",
        "/lib/wamp/old.mpy": b"old",
        "/lib/wamp/errors.py": b"1/0\n",
        "/lib/wamp/__init__.mpy.new": b"M",
        "/lib/other/mine.py": b"",
    }
    image(flash, damaged)
    with FlashBoard(flash) as board:
        repaired = deploy(board)
        # `image` brought the true library too, which is none of the few.
        assert repaired.written == 1 and repaired.kept == 4 and repaired.removed >= 3
    check_whole(flash, {"/lib/other/mine.py"})


@pytest.mark.usefixtures("few")
def test_progress_is_drawn_on_a_terminal_only(tmp_path, capsys, monkeypatch):
    with FlashBoard(tmp_path / "flash") as board:
        status, _, err = run(capsys, "deploy", board.port)
        assert (status, err) == (0, "")
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        run(capsys, "deploy", board.port, "--realm", "other")
        status, out, err = run(capsys, "deploy", board.port, "--realm", "third", "--json")
        assert (status, err) == (0, "") and json.loads(out)["written"] == 1
        with Remote(board.port) as remote:
            remote.exec("import os\nos.remove('/lib/wamp/errors.mpy')\nos.remove('/wamp.json')")
        status, _, err = run(capsys, "deploy", board.port)
    assert status == 0
    drawn = err.split("\r")[1:]
    assert drawn[-1].startswith("[############################] 100 % ")
    assert drawn[-1].endswith("\n") and len(drawn) > 1
    shares = [int(one.split("]")[1].split()[0]) for one in drawn]
    assert shares == sorted(shares) and shares[0] < 100


@pytest.mark.usefixtures("few")
def test_settings_that_are_not_given_stay(tmp_path):
    flash = tmp_path / "flash"
    with FlashBoard(flash) as board:
        deploy(board, prefix="org.lab.", realm="one")
        deploy(board, realm="two")
    assert json.loads(files(flash)["/wamp.json"]) == {
        "key": None,
        "prefix": "org.lab.",
        "realm": "two",
        "url": "serial:",
    }


# -- cables and power -----------------------------------------------------------------------------


@pytest.mark.usefixtures("few")
def test_cable_pulled_at_every_step_and_gone_on(tmp_path):
    flash = tmp_path / "whole"
    with FlashBoard(flash) as board:
        total = deploy(board).sent
    seen = set()
    for pull in range(100, total, total // 16):
        flash = tmp_path / f"flash{pull}"
        with FlashBoard(flash, pull=pull) as board, pytest.raises(wamp.TransportError):
            deploy(board)
        with FlashBoard(flash) as board:
            board.wait(">>> ")
            if "application" in board.text:
                check_whole(flash)  # half of it is never started
            rest = deploy(board)
            board.wait("application")
        check_whole(flash)
        seen.add(rest.written)
    assert len(seen) > 3, "resumed from several states"


@pytest.mark.usefixtures("few")
def test_power_cut_at_every_write_of_a_deploy(tmp_path):
    flash = tmp_path / "flash"
    for cut in range(2, 400, 9):
        flash.unlink(missing_ok=True)
        with FlashBoard(flash, cut=cut) as board:
            with contextlib.suppress(wamp.TransportError, wamp.ConfigurationError):
                deploy(board)
                break
        with FlashBoard(flash) as board:
            board.wait(">>> ")
            deploy(board)
            board.wait("application")
        check_whole(flash)
    assert 30 < cut < 395, "the power never held"


# -- whose main.py --------------------------------------------------------------------------------

OWN = b"print('my own program')\nwhile True:\n    pass\n"


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("pull", [0, 6000])
def test_a_main_program_of_ones_own_is_kept_and_out_of_the_way_meanwhile(tmp_path, pull):
    flash = tmp_path / "flash"
    with FlashBoard(flash) as board:
        with Remote(board.port) as remote:
            remote.exec(f"f = open('/main.py', 'wb')\nf.write({OWN!r})\nf.close()\n")
            remote.reset()
        board.wait("my own program")
    if pull:
        with FlashBoard(flash, pull=pull) as board, pytest.raises(wamp.TransportError):
            deploy(board)
        with FlashBoard(flash) as board:
            board.wait(">>> ")
            assert "my own program" not in board.text
        assert files(flash)["/main.py.parked"] == OWN
    with FlashBoard(flash) as board:
        outcome = deploy(board)
        board.wait("my own program")
    assert "the board's own main.py is kept" in outcome.notes[0]
    there = files(flash)
    assert there["/main.py"] == OWN
    assert not {"/main.py.parked", "/safe_mode"} & set(there)


WATCHED = b"""
import machine
print('watched')
dog = machine.WDT(timeout=1000)
while True:
    pass
"""


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("dog_s", [0.4, 3.0])
def test_a_board_in_a_watchdog_loop(tmp_path, capsys, dog_s):
    """It resets before all has been looked at, or in the middle of the first file."""
    flash = tmp_path / "flash"
    with FlashBoard(flash, dog_s=dog_s) as board:
        with Remote(board.port) as remote:
            remote.exec(f"f = open('/main.py', 'wb')\nf.write({WATCHED!r})\nf.close()\n")
            remote.reset()
        board.wait("watched")
        status, out, err = run(capsys, "deploy", board.port, "--anonymous", "--wait", "60")
        assert status == 0, err
        assert "main.py is kept" in out
        starts = board.starts
        board.text = ""
        board.wait("watched")
        assert board.starts >= starts
    there = files(flash)
    assert there["/main.py"] == WATCHED
    assert {path for path in there if path.startswith("/lib/wamp/")} <= set(FEW)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("bite", [3, 4])
def test_a_watchdog_bites_while_main_py_is_parked(tmp_path, capsys, monkeypatch, bite):
    """It resets the board before main.py is renamed, and between that and the marker."""
    monkeypatch.setattr("microwamp.boards.remote._COMMAND_S", 2.0)
    monkeypatch.setattr("microwamp.boards.remote._ANSWER_S", 2.0)
    flash = tmp_path / "flash"
    image(flash, {"/main.py": OWN})
    with FlashBoard(flash, bite=bite) as board:
        board.wait("my own program")
        status, out, err = run(capsys, "deploy", board.port, "--anonymous", "--wait", "60")
        assert status == 0, err
        assert "main.py is kept" in out
        assert board.starts > 3, "it never bit"
    there = files(flash)
    assert there["/main.py"] == OWN
    assert not {"/main.py.parked", "/safe_mode"} & set(there)


@pytest.mark.usefixtures("few")
def test_safe_mode_of_the_users_own_stays(tmp_path):
    flash = tmp_path / "flash"
    with FlashBoard(flash) as board:
        with Remote(board.port) as remote:
            remote.exec("open('/safe_mode', 'w').close()")
        deploy(board)
    check_whole(flash, {"/safe_mode"})
