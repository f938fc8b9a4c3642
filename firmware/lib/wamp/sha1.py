"""SHA-1 (FIPS 180-4) on plain integers, for ports whose hashlib has none; TOTP alone uses it."""


class sha1:
    """As hashlib's: the digest of `data`, octets. 5 ms a block of 64 octets on an RP2040."""

    def __init__(self, data):
        length = len(data)
        data = data + b"\x80" + bytes(-(length + 9) % 64) + (8 * length).to_bytes(8, "big")
        state = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
        for offset in range(0, len(data), 64):
            state = _block(state, data[offset : offset + 64])
        self._state = state

    def digest(self):
        """20 octets."""
        return b"".join([word.to_bytes(4, "big") for word in self._state])


def _block(state, data):
    mask = 0xFFFFFFFF
    w = [int.from_bytes(data[i : i + 4], "big") for i in range(0, 64, 4)]
    a, b, c, d, e = state
    for i in range(80):
        n = i & 15
        if i > 15:
            word = w[n] ^ w[n - 3] ^ w[n - 8] ^ w[n - 14]
            w[n] = (word << 1 | word >> 31) & mask
        if i < 20:
            e += (d ^ b & (c ^ d)) + 0x5A827999
        elif i < 40:
            e += (b ^ c ^ d) + 0x6ED9EBA1
        elif i < 60:
            e += (b & c | d & (b | c)) + 0x8F1BBCDC
        else:
            e += (b ^ c ^ d) + 0xCA62C1D6
        e += (a << 5 | a >> 27) + w[n]
        a, b, c, d, e = e & mask, a, (b << 30 | b >> 2) & mask, c, d
    return [x + y & mask for x, y in zip(state, (a, b, c, d, e))]
