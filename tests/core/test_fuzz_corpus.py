"""What the fuzzer kept, on every interpreter: octets that reach each part of the code."""

from binascii import unhexlify

import fuzz


def cases(target):
    """The octets checked in for a target (tests/fuzz/run.py writes them)."""
    folder = __file__.rpartition("/")[0] or "."
    with open(folder + "/corpus/" + target + ".txt") as file:
        return [unhexlify(line.strip()) for line in file]


def check(target):
    found = cases(target)
    assert len(found) > 10, len(found)
    for data in found:
        try:
            fuzz.TARGETS[target](data)
        except Exception as e:
            print(target, data)
            raise e


def test_cbor():
    check("cbor")


def test_rawsocket():
    check("rawsocket")


def test_message():
    check("message")


def test_sessions():
    check("sessions")


def test_link():
    check("link")
