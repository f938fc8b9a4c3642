"""Asks autobahn's serializers: all questions at once, to autobahn_peer.py in crossbar's venv."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from octets_in_json import into, out

from microwamp_rig.crossbar import program

SCRIPT = Path(__file__).with_name("autobahn_peer.py")
KEYS = SCRIPT.with_name("autobahn_keys.py")


def ask_keys(*questions: tuple[Any, ...]) -> list[Any]:
    """What autobahn's keys answer to (operation, argument, ...); see autobahn_keys.py.

    A text that begins with "error: " where it raises.
    """
    answers = ask(questions, KEYS)
    return [a["value"] if "value" in a else f"error: {a['error']}" for a in answers]


def ask(questions: Iterable[Any], script: Path = SCRIPT) -> list[dict[str, Any]]:
    """The answers to all questions, in their order; see autobahn_peer.py for both."""
    lines = "".join(json.dumps(out(question)) + "\n" for question in questions)
    done = subprocess.run(
        [str(program().with_name("python")), str(script)],
        input=lines,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": ""},
    )
    answers = [into(json.loads(line)) for line in done.stdout.splitlines()]
    assert len(answers) == lines.count("\n"), done.stderr[-2000:]
    return answers
