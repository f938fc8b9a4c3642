"""What the tests of deploy and provision share: commands, a few files for the library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flashboard import FlashBoard, files

from microwamp import boards, cli
from microwamp.boards import deployment, settings
from microwamp.boards.remote import Remote

FEW = {
    "/lib/wamp/__init__.mpy": boards.device_files(None)["/lib/wamp/__init__.mpy"],
    "/lib/wamp/errors.mpy": boards.device_files(None)["/lib/wamp/errors.mpy"],
    "/lib/wampapp/__init__.py": b"import os\n\n\ndef main():\n"
    b"    if 'safe_mode' not in os.listdir('/'):\n        print('application')\n",
}


def deploy(board: FlashBoard, force: bool = False, **given: Any) -> deployment.Outcome:
    with Remote(board.port, wait_s=60) as remote:
        facts = remote.facts()
        own = {deployment.CONFIG: settings.merge(remote, facts, {"key": None, **given})}
        return deployment.deploy(
            remote, own, facts=facts, force=force, progress=lambda done, total, path: None
        )


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = cli.main(words)
    out, err = capsys.readouterr()
    assert "internal error" not in err, err
    return status, out, err


def expected() -> dict[str, bytes]:
    return {**FEW, "/main.py": boards.main_program()}


def check_whole(flash: Path, more: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    there = files(flash)
    for path, octets in expected().items():
        assert there[path] == octets, path
    assert json.loads(there["/wamp.json"])["key"] is None
    assert set(there) == {*expected(), "/wamp.json", *more}
