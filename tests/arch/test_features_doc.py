"""docs/features.md says what is so: the announced features, and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

from wamp import joining

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    part = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_announced_features_are_those_of_hello() -> None:
    told = {role: set(re.findall(r"`(\w+)`", features)) for role, features in rows("Announced")}
    assert told == {role: set(names) for role, names in joining.FEATURES.items()}


def test_every_file_exists() -> None:
    files = re.findall(r"`([\w/]+\.py)`", TEXT)
    assert len(files) > 40
    assert not [name for name in files if not (ROOT / "tests" / name).is_file()]


def test_what_is_had_is_shown() -> None:
    for feature, have, shown in rows("Features"):
        assert bool(shown) == (not have.startswith("no:") or "refused" in have), feature
