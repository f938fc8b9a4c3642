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
    _make_room()
    for name, modules in features:
        measure.figure(f"features.{label}.{name}", _cost(modules))


def _make_room():
    """Tables of modules that grow would count for whoever comes last."""
    package = sys.modules["wamp"]
    names = [f"spare_{n}" for n in range(80)]
    for name in names:
        sys.modules[name] = None
        setattr(package, name, None)
    for name in names:
        del sys.modules[name]
        delattr(package, name)


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
    _scrub(12)
    gc.collect()
    return gc.mem_alloc()


def _scrub(depth):
    """Overwrite what earlier calls left on the stack: the collector takes it for references."""
    a = b = c = d = e = f = g = h = i = j = k = l = m = n = o = p = None  # noqa: E741
    if depth:
        _scrub(depth - 1)
    return a or b or c or d or e or f or g or h or i or j or k or l or m or n or o or p
