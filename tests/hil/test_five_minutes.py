"""The README's five minutes, and the transcript of them in docs/five-minutes.md.

Stock MicroPython on an emulated Pico, everything else by the commands; in the wall clock's time,
because they are processes of their own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from microwamp_rig import fiveminutes
from microwamp_rig.process import free_ports

ROOT = Path(__file__).parents[2]
STOCK = ROOT / "build" / "RPI_PICO-stock" / "firmware.uf2"


@pytest.mark.hil
@pytest.mark.emulated
@pytest.mark.timeout(1200)
def test_the_transcript_is_what_happens(tmp_path):
    written = (ROOT / "docs" / "five-minutes.md").read_text()
    env = {k: v for k, v in os.environ.items() if not k.startswith("MICROWAMP")}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    steps = fiveminutes.run(
        ROOT / "README.md",
        STOCK,
        tmp_path,
        env=env,
        tcp_port=free_ports(1)[0],
        skip=("pip",),
    )
    found = fiveminutes.document(steps)
    assert fiveminutes.normalised(found) == fiveminutes.normalised(written)
