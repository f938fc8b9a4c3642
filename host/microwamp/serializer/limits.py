"""Bounds that all formats share, and what keeps values within them."""

from typing import Any

from wamp.errors import RemoteProtocolError

# Levels of lists and dictionaries in one message. The device's decoder takes 16, programs on
# hosts seldom use 20; what is deeper would exhaust the stack of whoever walks the value next.
DEPTH = 64

# Up to here a dictionary's keys may be numbers. Numbers that fall into one slot of a dict make
# building it quadratic, and their hashes, unlike those of text, are not seeded: the 7,000 that
# fit take 0.2 s, the 1.8 million of a 16 MiB message would take hours.
NUMBER_KEYS_OCTETS = 65_536

# CPython refuses to print integers of more than 4300 digits; an RSA modulus still fits.
DIGITS = 1300


def check_depth(value: Any, what: str) -> None:
    """Raises RemoteProtocolError for nesting beyond DEPTH; level by level, without recursion."""
    level = [value]
    for _ in range(DEPTH + 1):
        below: list[Any] = []
        for item in level:
            if type(item) is list:
                below += [x for x in item if type(x) is list or type(x) is dict]
            elif type(item) is dict:
                below += [x for x in item.values() if type(x) is list or type(x) is dict]
        if not below:
            return
        level = below
    raise RemoteProtocolError(f"{what}: nested deeper than {DEPTH} levels")
