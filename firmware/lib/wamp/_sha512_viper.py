"""The block function of SHA-512 (FIPS 180-4) in viper, for ports with 32-bit words.

A 64-bit word is two `uint`, the high half (h) first. wamp.sha512 imports this only where
sys.maxsize says 32 bits, and checks one block. mpy-cross compiles it for one processor only:
it needs its name (-march=armv6m for the RP2040), also when a manifest freezes the package.
"""
# ruff: noqa: F821 - ptr8, ptr32 and uint are words of the viper compiler

from array import array
from struct import unpack

try:
    import micropython
except ImportError:  # CPython, where tools look at this module but nothing runs it

    class micropython:
        viper = staticmethod(lambda function: function)


def words(octets):
    """The 32-bit words, high octet first in `octets`, as `digest` takes them."""
    return array("I", unpack(">%dI" % (len(octets) // 4), octets))


def digest(padded, start, rounds):
    """The digest, 64 octets, of padded data; start and rounds: the constants as `words`."""
    state = bytearray(start)
    ring = bytearray(128)
    for offset in range(0, len(padded), 128):
        _block(padded, offset, state, rounds, ring)
    _turn(state)
    return bytes(state)


@micropython.viper
def _turn(state):
    """High octet first."""
    s = ptr32(state)
    i: int = 0
    while i < 16:
        x = uint(s[i])
        s[i] = x << 24 | (x & uint(0xFF00)) << 8 | x >> 8 & uint(0xFF00) | x >> 24
        i += 1


@micropython.viper
def _block(padded, offset: int, state, rounds, ring):
    octets = ptr8(padded)
    s = ptr32(state)
    k = ptr32(rounds)
    w = ptr32(ring)
    i: int = 0
    while i < 32:
        w[i] = (
            octets[offset] << 24
            | octets[offset + 1] << 16
            | octets[offset + 2] << 8
            | octets[offset + 3]
        )
        offset += 4
        i += 1
    ah = uint(s[0])
    al = uint(s[1])
    bh = uint(s[2])
    bl = uint(s[3])
    ch = uint(s[4])
    cl = uint(s[5])
    dh = uint(s[6])
    dl = uint(s[7])
    eh = uint(s[8])
    el = uint(s[9])
    fh = uint(s[10])
    fl = uint(s[11])
    gh = uint(s[12])
    gl = uint(s[13])
    hh = uint(s[14])
    hl = uint(s[15])
    one = uint(1)
    i = 0
    while i < 160:
        n: int = i & 31
        th = uint(w[n])
        tl = uint(w[n + 1])
        if i > 31:
            # w[t-16] + sigma0(w[t-15]) + w[t-7] + sigma1(w[t-2]), in a ring of 16
            xh = uint(w[i + 2 & 31])
            xl = uint(w[i + 3 & 31])
            yl = (xl >> 1 | xh << 31) ^ (xl >> 8 | xh << 24) ^ (xl >> 7 | xh << 25)
            tl += yl
            if tl < yl:
                th += one
            th += (xh >> 1 | xl << 31) ^ (xh >> 8 | xl << 24) ^ xh >> 7
            yl = uint(w[i + 19 & 31])
            tl += yl
            if tl < yl:
                th += one
            th += uint(w[i + 18 & 31])
            xh = uint(w[i + 28 & 31])
            xl = uint(w[i + 29 & 31])
            yl = (xl >> 19 | xh << 13) ^ (xh >> 29 | xl << 3) ^ (xl >> 6 | xh << 26)
            tl += yl
            if tl < yl:
                th += one
            th += (xh >> 19 | xl << 13) ^ (xl >> 29 | xh << 3) ^ xh >> 6
            w[n] = th
            w[n + 1] = tl
        # t = w + h + Sigma1(e) + Ch(e, f, g) + k
        tl += hl
        if tl < hl:
            th += one
        th += hh
        yl = (el >> 14 | eh << 18) ^ (el >> 18 | eh << 14) ^ (eh >> 9 | el << 23)
        tl += yl
        if tl < yl:
            th += one
        th += (eh >> 14 | el << 18) ^ (eh >> 18 | el << 14) ^ (el >> 9 | eh << 23)
        yl = gl ^ el & (fl ^ gl)
        tl += yl
        if tl < yl:
            th += one
        th += gh ^ eh & (fh ^ gh)
        yl = uint(k[i + 1])
        tl += yl
        if tl < yl:
            th += one
        th += uint(k[i])
        hh = gh
        hl = gl
        gh = fh
        gl = fl
        fh = eh
        fl = el
        el = dl + tl
        eh = dh + th
        if el < tl:
            eh += one
        # a = t + Sigma0(a) + Maj(a, b, c)
        yl = (al >> 28 | ah << 4) ^ (ah >> 2 | al << 30) ^ (ah >> 7 | al << 25)
        tl += yl
        if tl < yl:
            th += one
        th += (ah >> 28 | al << 4) ^ (al >> 2 | ah << 30) ^ (al >> 7 | ah << 25)
        yl = al & bl | cl & (al | bl)
        tl += yl
        if tl < yl:
            th += one
        th += ah & bh | ch & (ah | bh)
        dh = ch
        dl = cl
        ch = bh
        cl = bl
        bh = ah
        bl = al
        ah = th
        al = tl
        i += 2
    # The ring is free now: it takes the working variables to the loop that adds them.
    w[0] = ah
    w[1] = al
    w[2] = bh
    w[3] = bl
    w[4] = ch
    w[5] = cl
    w[6] = dh
    w[7] = dl
    w[8] = eh
    w[9] = el
    w[10] = fh
    w[11] = fl
    w[12] = gh
    w[13] = gl
    w[14] = hh
    w[15] = hl
    i = 0
    while i < 16:
        tl = uint(s[i + 1])
        yl = uint(w[i + 1])
        th = uint(s[i]) + uint(w[i])
        tl += yl
        if tl < yl:
            th += one
        s[i] = th
        s[i + 1] = tl
        i += 2
