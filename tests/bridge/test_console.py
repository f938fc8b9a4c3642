"""Text of a device as lines for a terminal and a log."""

from __future__ import annotations

import random

from microwamp.bridge.console import LINE_MAX, Lines


def lines(*pieces: bytes) -> list[str]:
    """What comes out of octets in these pieces."""
    found: list[str] = []
    one = Lines(found.append)
    for octets in pieces:
        one.feed(octets)
    return found


def test_lines_end_with_any_line_end_and_empty_ones_are_left_out():
    assert lines(b"one\ntwo\r\nthree\rfour\n\n\r\n   \nfive\n") == [
        "one",
        "two",
        "three",
        "four",
        "five",
    ]


def test_a_line_in_pieces_comes_when_it_is_whole():
    found: list[str] = []
    one = Lines(found.append)
    for octets in (b"Trace", b"back (most ", b"recent call last):\r", b"\n  File"):
        one.feed(octets)
    assert found == ["Traceback (most recent call last):"]
    one.feed(b' "main.py"\n')
    assert found[1:] == ['  File "main.py"']


def test_characters_are_not_torn_between_pieces():
    text = "Größe 21 °C 温度\n"
    octets = text.encode()
    for at in range(len(octets)):
        assert lines(octets[:at], octets[at:]) == [text[:-1]], at
    assert lines(*(bytes((x,)) for x in octets)) == [text[:-1]]


def test_a_line_without_end_comes_in_parts():
    found = lines(b"x" * (3 * LINE_MAX + 5))
    assert found == ["x" * LINE_MAX] * 3
    assert lines(b"x" * (3 * LINE_MAX + 5), b"\n") == ["x" * LINE_MAX] * 3 + ["xxxxx"]
    assert lines(b"x" * LINE_MAX, b"\n") == ["x" * LINE_MAX]


def test_parts_do_not_tear_characters():
    text = "温" * 1000
    for before in ("", "x", "xy"):
        octets = (before + text).encode()
        for size in (len(octets), 700, 999, 1):
            pieces = [octets[n : n + size] for n in range(0, len(octets), size)]
            assert "".join(lines(*pieces, b"\n")) == before + text, (before, size)


def test_a_device_that_never_ends_a_line_costs_no_memory():
    found: list[str] = []
    one = Lines(found.append)
    for _ in range(200):
        one.feed(b"y" * 777)
        assert len(one._rest) <= LINE_MAX
    assert sum(map(len, found)) + len(one._rest) == 200 * 777
    one = Lines(found.append)
    for _ in range(200):
        one.feed(b"\x80" * 777)
        assert len(one._rest) <= LINE_MAX


def test_noise_is_counted_and_not_shown():
    found: list[str] = []
    one = Lines(found.append)
    noise = random.Random(1).randbytes(500).replace(b"\n", b"").replace(b"\r", b"")
    one.feed(noise + b"\n" + b"boot ok\n" + b"\x00\x00\x00\n")
    assert found == ["boot ok"]
    assert one.noise == len(noise) + 3


def test_a_few_wrong_octets_do_not_hide_a_line():
    assert lines(b"\xffrst:0x1 (POWERON_RESET)\xfe\n") == ["�rst:0x1 (POWERON_RESET)�"]


def test_escape_sequences_do_not_reach_the_terminal():
    found = lines(
        b"\x1b[2J\x1b[31mAll your screen\x1b[0m are belong to us\n",
        b"a title\x1b]0;evil\x07 and more text than that\n",
        "C1 \x9b2J controls, and a right-to-left \u202e override\n".encode(),
    )
    assert len(found) == 3
    for line in found:
        assert line.isprintable(), line
    assert found[0] == "All your screen are belong to us"


def test_tabs_become_blanks():
    assert lines(b"a\tb\tc\n") == ["a b c"]
