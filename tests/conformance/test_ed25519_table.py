"""The fixed-base table of Ed25519 is what its generator writes."""

import runpy
from pathlib import Path

from wamp import _ed25519_table

TOOL = Path(__file__).parents[2] / "firmware" / "tools" / "gen_ed25519_table.py"


def test_the_table_is_what_the_generator_writes() -> None:
    tool = runpy.run_path(str(TOOL))
    assert tool["table"]() == _ed25519_table.TABLE


def test_the_module_is_what_the_generator_writes() -> None:
    tool = runpy.run_path(str(TOOL))
    assert tool["MODULE"].read_text(encoding="ascii") == tool["module_text"]()
