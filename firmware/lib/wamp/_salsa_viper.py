"""Salsa20's core in viper, for ports with 32-bit words; wamp.cryptobox checks it before use.

mpy-cross compiles it for one processor only, as wamp._sha512_viper.
"""
# ruff: noqa: F821 - ptr8, ptr32 and uint are words of the viper compiler

from ._salsa_int import STEPS as _STEPS

try:
    import micropython
except ImportError:  # CPython, where tools look at this module but nothing runs it

    class micropython:
        viper = staticmethod(lambda function: function)


@micropython.viper
def core(state, out, feed: int):
    s = ptr32(state)
    x = ptr32(out)
    t = ptr8(_STEPS)
    i: int = 0
    while i < 16:
        x[i] = s[i]
        i += 1
    n: int = 0
    while n < 10:
        i = 0
        while i < 128:
            v = uint(x[t[i + 1]]) + uint(x[t[i + 2]])
            r = uint(t[i + 3])
            x[t[i]] = uint(x[t[i]]) ^ (v << r | v >> (uint(32) - r))
            i += 4
        n += 1
    if feed:
        i = 0
        while i < 16:
            x[i] = uint(x[i]) + uint(s[i])
            i += 1


@micropython.viper
def mix(target, at: int, block, start: int, count: int):
    t = ptr8(target)
    b = ptr8(block)
    i: int = 0
    while i < count:
        t[at + i] ^= b[start + i]
        i += 1
