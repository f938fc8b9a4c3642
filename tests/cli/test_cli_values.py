"""Words of the command line to values, and values to lines."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from microwamp.cli import values
from wamp.errors import ApplicationError, ConfigurationError

# (word, value)
WORDS: list[tuple[str, Any]] = [
    ("3", 3),
    ("-1.5", -1.5),
    ("true", True),
    ("null", None),
    ('"3"', "3"),
    ("[1, [2]]", [1, [2]]),
    ('{"a": {"b": "c"}}', {"a": {"b": "c"}}),
    ("hello", "hello"),
    ("", ""),
    ("é 😀", "é 😀"),
    ('"\\ud83d\\ude00"', "😀"),
    ("True", "True"),
    ("NaN", "NaN"),
    ("-Infinity", "-Infinity"),
    ("1 2", "1 2"),
    ("12345678901234567890123", 12345678901234567890123),
    ("9" * 5000, "9" * 5000),  # more digits than CPython reads
    ("@hex:00ff", b"\0\xff"),
    ("@hex:00 FF", b"\0\xff"),
    ("@hex:", b""),
    ("@text:3", "3"),
    ("@text:@hex:00", "@hex:00"),
    ("@other", "@other"),
    ('"@hex:00"', "@hex:00"),
    ('"\\u0000AAEC"', b"\0\1\2"),
    ('["\\u0000"]', [b""]),
]

BAD = [
    "@hex:0",
    "@hex:zz",
    "@file:/nowhere/at/all",
    "@file:/",
    "@file:",
    '"\\ud800"',
    '{"\\udfff": 1}',
    "\udcff",
    "@text:\udcff",
    '"\\u0000===="',
    '"\\u0000é"',
    "[" * 200_000,
]

# (value, in a line for people, as JSON)
SHOWN: list[tuple[Any, str, str]] = [
    (None, "null", "null"),
    (True, "true", "true"),
    (1.0, "1.0", "1.0"),
    ("é", '"é"', '"\\u00e9"'),
    ("a\nb", '"a\\nb"', '"a\\nb"'),
    ("\x1b[\x7f\x9b\u202e", '"\\u001b[\\u007f\\u009b\\u202e"', '"\\u001b[\\u007f\\u009b\\u202e"'),
    (b"\0\xff", "@hex:00ff", '"\\u0000AP8="'),
    (bytearray(b"x"), "@hex:78", '"\\u0000eA=="'),
    ([b"x", {"k": b"y"}], '["\\u0000eA==", {"k": "\\u0000eQ=="}]', ""),
    ({1: 2, b"x": 3, None: 4}, '{"1": 2, "@hex:78": 3, "null": 4}', ""),
    (math.inf, "Infinity", "null"),
    ([math.nan], "[NaN]", "[null]"),
    (1 << 14001, '"' + hex(1 << 14001) + '"', ""),
    ((1, 2), "[1, 2]", "[1, 2]"),
    ("\U000e0001", '"\\udb40\\udc01"', ""),
]


def test_words():
    for word, value in WORDS:
        found = values.read(word)
        assert found == value and type(found) is type(value), word[:60]


def test_bad_words():
    for word in BAD:
        with pytest.raises(ConfigurationError) as e:
            values.read(word)
        assert values.safe(str(e.value)) == str(e.value) and len(str(e.value)) < 200, word[:60]


def test_what_looks_like_json_and_is_not_is_text_with_a_warning(
    capsys: pytest.CaptureFixture[str],
):
    for word in ('{"a": tru}', "[1,", " {"):
        assert values.read(word) == word
        assert "is no JSON" in capsys.readouterr().err
    values.read("@text:[")
    values.read("hello {")
    assert capsys.readouterr().err == ""


def test_file(tmp_path: Path):
    path = tmp_path / "octets"
    path.write_bytes(b"\0\1\xff")
    assert values.read(f"@file:{path}") == b"\0\1\xff"
    with path.open("ab") as file:
        file.truncate(1 << 24)
    with pytest.raises(ConfigurationError, match="longer than"):
        values.read(f"@file:{path}")


def test_keywords():
    assert values.keywords(["a=1", "b=x=y", "c=", "d=@hex:00"]) == {
        "a": 1,
        "b": "x=y",
        "c": "",
        "d": b"\0",
    }
    for words in (["a"], ["=1"], ["a=1", "a=2"], ["a=@hex:0"], ["\udcff=1"], [""]):
        with pytest.raises(ConfigurationError):
            values.keywords(words)


def test_lines():
    for value, line, text in SHOWN:
        assert values.plain(value) == line, line
        assert values.plain(value).isprintable(), line
        if text:
            assert values.dumps(value) == text, line
        json.loads(values.dumps(value))
        assert values.dumps(value).isascii() and values.dumps(value).isprintable(), line
    assert values.line((1, "a b", b""), {"k\n": None}) == '1 "a b" @hex: k\\n=null'


def test_what_is_shown_can_be_entered():
    for value in (1, "x", "3", "@hex:00", "", b"\xff", [1, b"x"], {"a": None}, "\0x", "\x1b"):
        if value != "\0x":  # JSON has no other way to write it than that of octets
            assert values.read(values.plain(value)) == value
            assert values.read(values.dumps(value)) == value


def test_errors_are_one_line():
    error = ApplicationError("com.e\x1b", "a\nb", 1, b"x", k="\r")
    assert values.failure(error) == 'com.e\\u001b: a\\nb, 1, @hex:78, k="\\r"'
    assert values.failure(ApplicationError("com.e")) == "com.e"
    assert len(values.failure(ApplicationError("com.e", "x" * 100_000))) < 2000


def test_emit_where_nobody_listens(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    values.emit("x")
    values.note("x")
