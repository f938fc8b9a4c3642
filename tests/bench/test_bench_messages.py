"""The comparison with autobahn: what it computes, and that both sides can be asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "messages"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import run

    yield run
    del sys.modules["run"]


ROW = {
    "microwamp": {"write": 10.0, "read": 30.0, "octets": 7},
    "autobahn": {"write": 30.0, "read": 30.0, "octets": 7},
}


def test_ratios(run):
    assert [run.ratio(ROW, what) for what in ("write", "read", "both")] == [3.0, 1.0, 1.5]
    assert run.mean([1.0, 4.0]) == 2.0


@pytest.mark.parametrize(
    "times, missed", [((10, 10), ""), ((30, 30), "goal 1.5"), ((1, 12.9), "none below")]
)
def test_goals(run, capsys, times, missed):
    """A mean below the goal is missed, and so is one message that is far behind the others."""
    rows = {}
    for number, message in enumerate(run.MESSAGES):
        took = float(times[number % 2])
        rows[message] = {
            "microwamp": {"write": took, "read": took, "octets": 7},
            "autobahn": {"write": 20.0, "read": 20.0, "octets": 7},
        }
    imports = {side: dict.fromkeys(run.CLASSES, 1.0) for side in ("microwamp", "autobahn")}
    found = run.table({"cbor": rows}, imports)
    assert bool(found) is bool(missed) and missed in " ".join(found)
    assert "Publish" in capsys.readouterr().out


def test_imports_have_a_goal(run):
    imports = {"microwamp": dict.fromkeys(run.CLASSES, 61.0)}
    imports["autobahn"] = imports["microwamp"]
    assert len(run.table({}, imports)) == len(run.CLASSES)


@pytest.mark.parametrize("side", ["microwamp", "autobahn"])
def test_every_message_in_every_serializer(run, side):
    worker = run.Worker(side)
    try:
        for serializer in run.SERIALIZERS:
            for message in run.MESSAGES:
                for operation in ("write", "read"):
                    took, octets = worker.ask(serializer, message, operation, 1)
                    assert took > 0 and octets > 20
    finally:
        worker.close()
    assert worker.process.returncode == 0


def test_lines_are_counted(run):
    for part, row in run.lines().items():
        assert row["by hand"] > 0 and row["autobahn"] > 0, part
    assert row["generated"] == 0 < run.lines()["messages and checks"]["generated"]
