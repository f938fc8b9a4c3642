"""MicroPython's end of the line with each octet of a conversation the last: all of them, where
tests/faults/test_micropython_under_fire.py has a sample."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

FAULTS = Path(__file__).parents[1] / "faults"
pytestmark = pytest.mark.hil


@pytest.mark.emulated
@pytest.mark.parametrize(
    "name", ["unplugged", "bridge_killed", "router_killed", "handed_over", "erased"]
)
def test_every_octet(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FAULTS))
    under_fire = importlib.import_module("test_micropython_under_fire")
    (fault,) = (one for one in under_fire.FAULTS if one[0].__name__ == name)
    under_fire.run(tmp_path, fault, 1.0)
