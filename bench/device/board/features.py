"""RAM of what a program takes beside the client: one optional part, whose number is typed.

The host copies the machine while it waits for the number, so each part comes first and alone.
"""

import gc
import sys

import machine
import measure


class _Absent:
    """In place of a module that this port lacks."""

    def __getattr__(self, name):
        return _Absent


def main(label, base, features):
    """label: first part of the figures' names. base: modules that are there already. features:
    (name, modules that it is made of beside those that they import themselves)."""
    for name in ("network", "ssl"):
        try:
            __import__(name)
        except ImportError:
            sys.modules[name] = _Absent()
    for name in base:
        __import__(name)
    _make_room()
    machine.mem32[measure.ENABLE] = measure.USB
    print("WAITING")
    name, modules = features[int(sys.stdin.readline())]
    before = _in_use()
    for module in modules:
        __import__(module)
    measure.figure(f"features.{label}.{name}", _in_use() - before)


def _make_room():
    """A table of modules that grows, by 500 octets, would count for whoever comes next."""
    package = sys.modules["wamp"]
    names = [f"spare_{n}" for n in range(40)]
    for name in names:
        sys.modules[name] = None
        setattr(package, name, None)
    for name in names:
        del sys.modules[name]
        delattr(package, name)


def _in_use():
    gc.collect()
    return gc.mem_alloc()
