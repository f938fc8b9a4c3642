"""The comparison of sessions with autobahn: what it computes, and that each client is measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "session"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import run

    yield run
    del sys.modules["run"]


def figures(run, **worse: float):
    """Figures that meet every goal but those in `worse`, as shares or as they are."""
    names = {name.replace(" ", "_"): name for name in (*run.GOALS, *run.LIMITS)}
    wrong = {names[name]: value for name, value in worse.items()}
    found = {who: dict.fromkeys(names.values(), 100.0) for who in run.CLIENTS}
    for name in run.GOALS:
        found["microwamp"][name] = 100.0 * wrong.get(name, 0.5)
    for name in run.LIMITS:
        found["microwamp"][name] = wrong.get(name, 10.0)
    return {**found, "import microwamp ms": 1.0}


def test_goals(run, capsys):
    assert run.table(figures(run)) == []
    assert "call sequential" in capsys.readouterr().out
    assert run.table(figures(run, call_pipelined=0.61)) == ["call pipelined"]
    assert run.table(figures(run, publish_sequential=0.96, resident_MB=36)) == [
        "publish sequential",
        "resident MB",
    ]
    assert run.table(figures(run, import_ms=60.1)) == ["import ms"]


def test_all_of_it_in_its_smallest_setting(run, tmp_path, monkeypatch, capsys):
    """Every client joins crossbar and is measured; the figures come whole from one run."""
    path = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["run.py", "--quick", "--json", str(path)])
    assert run.main() == 0
    found = json.loads(path.read_text())
    for client in run.CLIENTS:
        assert set(found[client]) == {*run.GOALS, *run.LIMITS}
        assert all(value > 0 for value in found[client].values())
    recorded = json.loads((BENCH / "figures.json").read_text())
    assert {k: set(v) if isinstance(v, dict) else type(v) for k, v in found.items()} == {
        k: set(v) if isinstance(v, dict) else type(v) for k, v in recorded.items()
    }
    assert run.table(recorded) == []
