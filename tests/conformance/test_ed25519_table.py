"""The fixed-base table of Ed25519 is what its generator writes."""

import runpy
from pathlib import Path

from wamp import _ed25519_copies, _ed25519_table

TOOL = Path(__file__).parents[2] / "firmware" / "tools" / "gen_ed25519_table.py"


def test_the_table_is_what_the_generator_writes() -> None:
    tool = runpy.run_path(str(TOOL))
    tables = (_ed25519_table.TABLE, *_ed25519_copies.COPIES)
    assert tool["table"]() == b"".join(tables)


def test_the_modules_are_what_the_generator_writes() -> None:
    tool = runpy.run_path(str(TOOL))
    for name, text in tool["texts"]().items():
        assert (tool["FOLDER"] / name).read_text(encoding="ascii") == text, name
