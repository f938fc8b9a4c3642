"""Salsa20's core (D. J. Bernstein, "The Salsa20 family of stream ciphers") on plain integers."""

from struct import pack_into, unpack

# A double round: which word changes, by the sum of which two, rotated by how much.
STEPS = bytes(
    [
        number
        for a, b, c, d in (
            (0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11),
            (0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14),
        )
        for step in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18))
        for number in step
    ]
)  # fmt: skip

_MASK = 0xFFFFFFFF


def core(state, out, feed):
    """Twenty rounds of `state`, 16 words low octet first, into `out`; feed: add the state."""
    start = unpack("<16I", state)
    x = list(start)
    steps = STEPS
    for _ in range(10):
        for i in range(0, 128, 4):
            v = x[steps[i + 1]] + x[steps[i + 2]] & _MASK
            r = steps[i + 3]
            x[steps[i]] ^= v << r & _MASK | v >> 32 - r
    if feed:
        for i in range(16):
            x[i] = x[i] + start[i] & _MASK
    pack_into("<16I", out, 0, *x)


def mix(target, at, block, start, count):
    """XOR `count` octets of `block` from `start` into `target` at `at`."""
    for i in range(count):
        target[at + i] ^= block[start + i]
