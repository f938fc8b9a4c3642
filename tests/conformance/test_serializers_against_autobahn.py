"""Unusual octets and values side by side with autobahn 26.10.2 (the router's environment has it).

Where we differ on purpose stands in DIFFERENCES and in docs/serializers.md: each with what
autobahn does, so that a test fails when that changes. Everything else is equal. Ordinary messages
are in test_serializer_interop.py.
"""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest
from serializer_cases import Outcomes, run

from microwamp import message, serializer
from microwamp_rig.crossbar import program

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "serializers.md"
REFUSED = "RemoteProtocolError"
THEIRS_REFUSED = "ProtocolError"
UNSENT = "SerializationError"
CALL = b'[48,1,{},"a.b",['.hex()

# Row of the document: its cases, with autobahn's outcome and ours. An outcome is the name of an
# exception, or what comes out; None: whatever value the octets stand for.
DIFFERENCES: dict[str, dict[str, tuple[str | None, str | None]]] = {
    "batched JSON": {
        "batched JSON": (CALL + "315d5d18", CALL + "315d5d1e"),
        "0x1E in batched JSON": (THEIRS_REFUSED, "[[1]]"),
    },
    "an empty batch": {"an empty batch": ("[]", REFUSED)},
    "octets after a CBOR or UBJSON value": {
        "octets after a value in CBOR": ("[[1]]", REFUSED),
        "octets after a value in UBJSON": ("[[1]]", REFUSED),
    },
    "NaN and infinity in JSON": {
        "NaN in JSON": ("[[nan]]", REFUSED),
        "infinity in JSON": (CALL + b"Infinity]]".hex(), UNSENT),
    },
    "text that starts with U+0000, in JSON": {
        "text that starts with U+0000 in JSON": (CALL + rb'"\u0000AAEC"]]'.hex(), UNSENT),
    },
    "U+0000 before what is not base64, in JSON": {
        "U+0000 and no base64 in JSON": ("[[b'']]", REFUSED),
        "U+0000 and too much padding in JSON": (r"[[b'\x00\x01\x02']]", REFUSED),
    },
    "half a surrogate pair in JSON": {
        "half a surrogate pair in JSON": (r"[['\ud800']]", REFUSED),
    },
    "`0xyz` with `use_binary_hex_encoding`": {
        "0xyz with use_binary_hex_encoding": (THEIRS_REFUSED, "[['0xyz']]"),
    },
    "more than 64 levels": {
        f"65 levels in {name}": (None, REFUSED)
        for name in ("JSON", "MessagePack", "CBOR", "UBJSON")
    },
    "integers of more than 64 bits in BJData": {
        "an integer in decimal digits in UBJSON": ("[[Decimal('123')]]", "[[123]]"),
    },
    "typed arrays of UBJSON": {
        "a typed array in UBJSON": ("[[array([1, 2], dtype=uint8)]]", "[[[1, 2]]]"),
    },
    "undefined in CBOR": {"undefined in CBOR": ("[[undefined]]", "[[None]]")},
    "unknown tags of CBOR": {
        "an unknown tag in CBOR": ("[[CBORTag(55798, (1,))]]", "[[[1]]]"),
    },
    "CBOR with the tag that says so": {
        "CBOR that says it is CBOR": (THEIRS_REFUSED, "[[1]]"),
    },
    "tags of CBOR that programs or references hide in": {
        "a big float in CBOR": ("[[Decimal('1.5')]]", REFUSED),
        "a regular expression in CBOR": ("[[re.compile('a')]]", REFUSED),
        "values by reference in CBOR": ("[[[[], []]]]", REFUSED),
        "strings by reference in CBOR": ("[[['aaa', 'aaa']]]", REFUSED),
    },
    "numbers as keys": {
        "numbers as keys in MessagePack": (THEIRS_REFUSED, "[[{1: 2}]]"),
        "many numbers as keys in CBOR": (None, REFUSED),
    },
    "values that a format does not have": {"a value without a format": ("TypeError", UNSENT)},
    "FlatBuffers": {"batched FlatBuffers": ("AssertionError", "flatbuffers.batched")},
    "an unknown serializer id": {
        "an unknown serializer id": ("RuntimeError", "ValueError"),
        "an id with .batched twice": ("json.batched", "ValueError"),
    },
}
CASES = [
    pytest.param(case, *outcomes, id=case)
    for cases in DIFFERENCES.values()
    for case, outcomes in cases.items()
]
OURS = run(serializer, message)


@pytest.fixture(scope="module")
def theirs() -> Outcomes:
    python = program().with_name("python")
    done = subprocess.run(
        [str(python), str(HERE / "serializer_cases.py")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: Outcomes = ast.literal_eval(done.stdout)
    assert list(found) == list(OURS)
    return found


def is_as(outcome: str, expected: str | None) -> bool:
    return outcome.startswith("[[") if expected is None else outcome == expected


@pytest.mark.parametrize("case, its, own", CASES)
def test_differences_are_as_documented(
    theirs: Outcomes, case: str, its: str | None, own: str | None
) -> None:
    assert is_as(theirs[case], its), theirs[case]
    assert is_as(OURS[case], own), OURS[case]
    assert theirs[case] != OURS[case]


def test_all_else_is_equal(theirs: Outcomes) -> None:
    differ = {case for cases in DIFFERENCES.values() for case in cases}
    equal = {case for case in OURS if case not in differ}
    assert {case: OURS[case] for case in equal} == {case: theirs[case] for case in equal}
    assert len(equal) >= 14 and "statistics" in equal


def test_the_document_lists_them_all() -> None:
    section = DOCUMENT.read_text(encoding="utf-8").split("## Where we differ", 1)[1]
    listed = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
    assert sorted(listed) == sorted(["what", *DIFFERENCES])
