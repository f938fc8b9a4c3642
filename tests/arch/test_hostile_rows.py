"""Each of the 88 hostile inputs is tried: the rows that tests name, in tables and docstrings."""

from __future__ import annotations

import ast
import re
from pathlib import Path

CORE = Path(__file__).parents[1] / "core"
FILES = ("test_hostile.py", "test_hostile_session.py", "test_hostile_rest.py")
# Only a host meets them: JSON's way to write octets, and payloads that are decrypted.
HOST_ONLY = {83, 86}
HOST = CORE.parent / "session" / "test_session_hostile.py"


def rows_of_text(text: str) -> set[int]:
    """Those of "Rows 2, 4 to 7 and 82: ..."."""
    found: set[int] = set()
    for numbers in re.findall(r"Rows? ((?:\d+(?:, | and | to )?)+)", text):
        for first, last in re.findall(r"(\d+)(?: to (\d+))?", numbers):
            found |= set(range(int(first), int(last or first) + 1))
    return found


def rows_of_tables(tree: ast.Module) -> set[int]:
    """The first of each tuple in the module's tables."""
    found: set[int] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            for row in node.value.elts:
                if isinstance(row, ast.Tuple) and isinstance(row.elts[0], ast.Constant):
                    number = row.elts[0].value
                    if type(number) is int:
                        found.add(number)
    return found


def rows(path: Path) -> tuple[set[int], set[int]]:
    """Rows in the tables of a file; rows in the docstrings of its tests."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told: set[int] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test_"):
                told |= rows_of_text((ast.get_docstring(node) or "").replace("\n", " "))
    return rows_of_tables(tree), told


def test_every_row_has_a_test() -> None:
    found: set[int] = set()
    for name in FILES:
        tables, told = rows(CORE / name)
        found |= tables | told
    assert set(range(1, 89)) - found == HOST_ONLY
    assert rows(HOST)[1] == HOST_ONLY


def test_docstrings_name_no_row_that_only_a_range_covers() -> None:
    """A table that a test walks says itself which rows it has: "Rows 22 to 73" adds none."""
    tables, _ = rows(CORE / "test_hostile.py")
    alone: set[int] = set()
    for name in FILES[1:]:
        alone |= rows(CORE / name)[1]
    single = {1, 3, 8}  # tests of test_hostile.py that walk no table
    assert set(range(1, 89)) - tables - alone - single == HOST_ONLY


def test_rows_are_read_from_text() -> None:
    text = "Rows 2, 4 to 7: x. Row 14: y; Rows 9 and 82"
    assert rows_of_text(text) == {2, 4, 5, 6, 7, 9, 14, 82}
