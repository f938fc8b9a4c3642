"""Where sessions, logins and keys differ from autobahn 26.10.2 on purpose: what each side does.

The rows are those of docs/host-api.md, sections 5 and 6. Both sides are asked in the same words
(session_differences.py), so that a test fails when either changes; what takes a real connection
stands in SHOWN, with the test that shows our side.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from microwamp_rig.crossbar import program

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("session_differences.py")

# row: (question, autobahn's answer, ours)
ASKED: dict[str, tuple[str, Any, Any]] = {
    "requests under way when a session ends": (
        "requests_under_way_when_a_session_ends",
        "waits",
        "TransportLost",
    ),
    "cancelling a call's future": ("cancelling_a_calls_future", {}, {"mode": "killnowait"}),
    "`CallOptions.timeout`": ("calloptions_timeout", [1, False], [None, True]),
    "interrupted endpoint": (
        "interrupted_endpoint",
        ["wamp.error.runtime_error"],
        ["wamp.error.canceled"],
    ),
    "revocation (UNREGISTERED, UNSUBSCRIBED with 0)": ("revocation", True, False),
    "calls in parts": ("calls_in_parts", False, True),
    "ERROR of an encrypted call": (
        "error_of_an_encrypted_call",
        ["wamp.error.runtime_error", True],
        ["wamp.error.runtime_error", False],
    ),
    "GOODBYE or HELLO unanswered": ("goodbye_or_hello_unanswered", 0, 1),
    "result None": ("result_none", [[None]], []),
    "wrong keywords, keys, files": (
        "wrong_keywords_keys_files",
        ["ValueError", "ValueError", "ValueError", "FileNotFoundError"],
        ["ConfigurationError"] * 4,
    ),
    "`on_challenge`": ("on_challenge", "value", "coroutine"),
    "`sign`, `sign_challenge`": (
        "sign_sign_challenge",
        ["future", "future"],
        ["coroutine", "coroutine"],
    ),
    "`wampcra` without iterations or keylen": (
        "wampcra_without_iterations_or_keylen",
        "KeyError",
        "answered",
    ),
    "router's nonce in SCRAM": ("routers_nonce_in_scram", "answered", "RemoteProtocolError"),
    "`scram` with `pbkdf2`": ("scram_with_pbkdf2", "ValueError", "answered"),
    "key files that others can read": (
        "key_files_that_others_can_read",
        True,
        "ConfigurationError",
    ),
    "raw keys in `from_keyfile`, encrypted SSH files": (
        "raw_keys_in_from_keyfile_encrypted_ssh_files",
        "ValueError",
        True,
    ),
    "a `Key` with both halves of a pair": (
        "a_key_with_both_halves_of_a_pair",
        "AssertionError",
        "accepted",
    ),
    "a key without the private half of this side": (
        "a_key_without_the_private_half_of_this_side",
        "in clear",
        "LocalProtocolError",
    ),
    "the URI in a payload": (
        "the_uri_in_a_payload",
        "left to the session: com.example.p",
        "ApplicationError",
    ),
}

# row: the test of our side
SHOWN = {
    "Component after a deliberate leave": (
        "session/test_component.py",
        "test_component_ends_after_a_deliberate_leave_and_after_stop",
    ),
    "Component that gives up": (
        "session/test_component.py",
        "test_component_that_never_connected_says_so",
    ),
    "effort that a router asks for": (
        "conformance/test_auth_api.py",
        "test_wampcra_challenges_of_a_hostile_router",
    ),
    "Ethereum keys, security modules": (
        "conformance/test_securitymodule.py",
        "test_ethereum_keys",
    ),
    "`sign` and `recover` of an Ethereum key": (
        "conformance/test_ethereum_keys.py",
        "test_against_eth_account",
    ),
    "`verify_typed_data`": (
        "conformance/test_ethereum_keys.py",
        "test_the_example_of_eip_712",
    ),
    "typed data with fields that no type has": (
        "conformance/test_ethereum_keys.py",
        "test_fields_that_do_not_fit",
    ),
    "both dialects of SCRAM at once": (
        "cli/test_cli_failures.py",
        "test_logins_at_crossbar",
    ),
}


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    """What both sides answer, by who is asked."""
    found = {}
    pythons = {"autobahn": str(program().with_name("python")), "microwamp": sys.executable}
    for who, python in pythons.items():
        done = subprocess.run(
            [python, str(SCRIPT), who],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "PYTHONPATH": ""},
        )
        assert done.returncode == 0 and done.stdout, done.stderr[-2000:]
        found[who] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("row", ASKED)
def test_what_both_do(row, answers):
    question, theirs, ours = ASKED[row]
    assert theirs != ours
    assert answers["autobahn"][question] == theirs
    assert answers["microwamp"][question] == ours


def test_every_question_is_of_a_row(answers):
    asked = {question for question, _, _ in ASKED.values()}
    assert asked == set(answers["microwamp"]) == set(answers["autobahn"])


@pytest.mark.parametrize("row", SHOWN)
def test_what_shows_the_others(row):
    path, name = SHOWN[row]
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert name in [one.name for one in functions]


def test_the_document_lists_the_same_rows():
    """A row that is added there has its question, or its test, here."""
    text = (ROOT / "docs" / "host-api.md").read_text(encoding="utf-8")
    rows = []
    for head in ("## 5. Sessions", "## 6. Logins"):
        section = text.split(head, 1)[1].split("\n## ", 1)[0]
        for line in section.splitlines():
            if line.startswith("| ") and not line.startswith("| difference |"):
                cells = [cell.strip() for cell in line.strip("|").split("|")]
                assert len(cells) == 4 and all(cells), line
                rows.append(cells[0])
    assert len(rows) == len(set(rows))
    assert set(rows) == {*ASKED, *SHOWN}
