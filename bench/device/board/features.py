"""RAM of what a program takes beside the client: each optional part alone, then dropped."""

import gc
import sys

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
    for name, modules in features:
        measure.figure(f"features.{label}.{name}", _cost(modules))


def _cost(modules):
    known = set(sys.modules)
    before = _in_use()
    for name in modules:
        __import__(name)
    cost = _in_use() - before
    for name in set(sys.modules) - known:
        del sys.modules[name]
        package, _, part = name.rpartition(".")
        if package:
            delattr(sys.modules[package], part)
    return cost


def _in_use():
    gc.collect()
    gc.collect()
    return gc.mem_alloc()
