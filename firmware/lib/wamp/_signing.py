"""wamp.ed25519 for the time of a login: its code and table are 13 kB of RAM where they come from a
file system, and a device signs once in a session.

Where a program has imported wamp.ed25519 itself, and on CPython, it stays.
"""

import sys

# In an order in which each imports little else: 10 to 16 ms of an RP2040 from flash.
_FIRST = ("_sha512_viper", "sha512", "_ed25519_table", "_ed25519_inverse", "_ed25519_thumb")
_FAST = ("_ed25519_fast",)
_PLAIN = ("_ed25519_copies", "_ed25519_int")
_CHECKING = ("_ed25519_numbers", "_ed25519_power", "_ed25519_verify")


def load(checking=False):
    """Generator; returns (wamp.ed25519, whether it is to be unloaded).

    checking: what `verify` needs, too.
    """
    package = sys.modules["wamp"]
    passing = sys.implementation.name == "micropython" and "wamp.ed25519" not in sys.modules
    if passing:
        for part in _FIRST:
            try:
                found = getattr(package, part, None)  # not all are everywhere; wamp.ed25519 knows
            except (SyntaxError, ValueError):
                found = None  # for another processor, or no code generator here
            yield
        for part in (_FAST if found else _PLAIN) + (_CHECKING if checking else ()):
            getattr(package, part, None)
            yield
    from . import ed25519

    return ed25519, passing


def unload(passing):
    """Drop what `load` has loaded, unless it is to stay."""
    if passing:
        package = sys.modules["wamp"]
        for part in _FIRST + _FAST + _PLAIN + _CHECKING + ("ed25519",):
            if sys.modules.pop("wamp." + part, None) is not None:
                delattr(package, part)
