"""A short run of the fuzzer on each target: the same cases each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import host
import pytest

RUN = Path(__file__).with_name("run.py")
TARGETS = ("cbor", "rawsocket", "message", "sessions", "link", "serializers")


def fuzz(target: str, runs: int) -> subprocess.CompletedProcess[str]:
    """Run it with a seed that never changes: the same cases each time."""
    words = [sys.executable, str(RUN), target, "--runs", str(runs)]
    return subprocess.run(words, capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize("target", TARGETS)
def test_short_run(target: str) -> None:
    done = fuzz(target, 3000)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_what_the_fuzzer_kept_of_the_host() -> None:
    cases = (RUN.parent / "corpus" / "serializers.txt").read_text(encoding="utf-8").split()
    assert len(cases) > 200
    for case in cases:
        host.TARGETS["serializers"](bytes.fromhex(case))
