"""Bounds that all formats share, and what keeps values within them."""

from collections import deque
from typing import Any

# Levels of lists and dictionaries in one message. The device's decoder takes 16, programs on
# hosts seldom use 20; what is deeper would exhaust the stack of whoever walks the value next.
DEPTH = 64

# Up to here a dictionary's keys may be numbers. Numbers that fall into one slot of a dict make
# building it quadratic, and their hashes, unlike those of text, are not seeded: the 5,000 that
# fit take 0.4 s, four times as many 2.4 s, and a message of 16 MiB would take hours.
NUMBER_KEYS_OCTETS = 65_536

# CPython refuses to print integers of more than 4300 digits; an RSA modulus still fits.
DIGITS = 1300


# What is no container, and what is one.
_SCALARS = frozenset((int, str, float, bool, type(None), bytes))
CONTAINERS = (list, dict, tuple, set, frozenset, deque)


def too_deep(value: Any, levels: int = DEPTH - 1) -> bool:
    """Whether a container holds more than that many levels of containers below itself."""
    items = value.values() if isinstance(value, dict) else value
    if not _SCALARS.issuperset(map(type, items)):
        for item in items:
            if isinstance(item, CONTAINERS) and (not levels or too_deep(item, levels - 1)):
                return True
    return False
