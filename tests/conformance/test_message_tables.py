"""The host's table of messages against the core's, and the generated code against the table."""

import subprocess
import sys
from pathlib import Path

import core_tables
import pytest
from message_samples import holder, name_of

from microwamp.message._table import FEATURES, PASSTHRU, ROWS, Row

TOOL = Path(__file__).parents[2] / "host" / "tools" / "gen_messages.py"
KINDS = {
    "i": {"id"},
    "z": {"id0"},
    "d": {"dict"},
    "r": {"dict"},
    "s": {"str", "uri", "pattern", "realm"},
    "t": {"code"},
    "a": {"args"},
    "k": {"kwargs"},
}
TYPES = {
    "bool": bool,
    "ids": list,
    "strs": list,
    "match": str,
    "invoke": str,
    "cancel": str,
    "str": str,
    "uri": str,
    "id": int,
    "count": int,
    "positive": int,
}
COMMON = [row for row in ROWS if row.code not in core_tables.HOST_ONLY_MESSAGES]


def test_the_same_messages() -> None:
    assert {row.code for row in COMMON} == set(core_tables.LAYOUT)
    assert len({row.name for row in ROWS}) == len({row.code for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", COMMON, ids=lambda row: row.name)
def test_the_same_elements(row: Row) -> None:
    name, least, elements = core_tables.LAYOUT[row.code]
    assert name == name_of(row)
    ours = [
        part for part in row.elements if (name, part.name) not in core_tables.HOST_ONLY_ELEMENTS
    ]
    assert least == sum(part.required for part in ours)
    names = [core_tables.NAMES.get((name, label), label) for label, _ in elements]
    assert [part.name for part in ours] == names
    for part, (_, kind) in zip(ours, elements, strict=True):
        assert part.kind in KINDS[kind]


@pytest.mark.parametrize("row", COMMON, ids=lambda row: row.name)
def test_options_of_the_core_are_options_here(row: Row) -> None:
    """Every option that a device may send stands here, with the same type, and the reverse.

    Details of what a device receives stand here only: it hands them to its application as they
    come.
    """
    here = {option.key: option for option in row.options}
    there = core_tables.OPTIONS.get(row.code, {})
    if there:
        assert set(here) - set(there) <= core_tables.HOST_ONLY_OPTIONS
    for key, kind in there.items():
        assert key in here, f"{row.name} lacks {key}"
        if here[key] not in PASSTHRU:
            assert TYPES[here[key].kind] is kind, f"{row.name}.{key}"


def test_features_of_the_core_are_features_here() -> None:
    for role, features in core_tables.FEATURES.items():
        assert set(features) <= set(FEATURES[role]), role


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_rows_are_consistent(row: Row) -> None:
    names = [part.name for part in row.elements] + [option.name for option in row.options]
    assert len(names) == len(set(names))
    assert all(part.doc.endswith(".") for part in row.elements)
    assert all(option.doc.endswith(".") for option in row.options)
    assert row.doc.endswith(".")
    assert not row.options or holder(row)
    assert row.passthru == (set(PASSTHRU) <= set(row.options))
    assert row.payload == ("kwargs" in names)
    required = [part.required for part in row.elements]
    assert required == sorted(required, reverse=True)


def test_the_code_is_what_the_generator_writes() -> None:
    found = subprocess.run(
        [sys.executable, str(TOOL), "--check"], capture_output=True, text=True, timeout=60
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_check_sees_a_difference(tmp_path: Path) -> None:
    host = Path(__file__).parents[2] / "host"
    for part in ("tools/gen_messages.py", "microwamp/message/_table.py"):
        copy = tmp_path / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text((host / part).read_text())
    (tmp_path / "microwamp/message/_generated").mkdir()
    (tmp_path / "microwamp/role").mkdir()
    stale = tmp_path / "microwamp/message/_generated/stale.py"
    stale.write_text("")
    tool = [sys.executable, str(tmp_path / "tools/gen_messages.py")]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*tool, *arguments], capture_output=True, text=True, timeout=60)

    assert "call.py" in run("--check").stdout
    assert run().returncode == 0 and not stale.exists()
    assert run("--check").returncode == 0
    published = tmp_path / "microwamp/message/_generated/published.py"
    assert (
        published.read_text() == (host / "microwamp/message/_generated/published.py").read_text()
    )
    published.write_text(published.read_text().replace("17", "18"))
    assert "published.py" in run("--check").stdout
