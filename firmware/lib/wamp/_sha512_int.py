"""SHA-512 (FIPS 180-4) on plain integers, right on any port that has long ones; wamp.sha512 uses
it where there is nothing faster."""


def plain(data, start, rounds):
    """Generator; the digest, 64 octets, of padded data; start and rounds: the constants as octets.

    It yields every 16 rounds, 10 ms of an RP2040.
    """
    mask = (1 << 64) - 1
    state = [int.from_bytes(start[i : i + 8], "big") for i in range(0, 64, 8)]
    for offset in range(0, len(data), 128):
        w = [int.from_bytes(data[i : i + 8], "big") for i in range(offset, offset + 128, 8)]
        a, b, c, d, e, f, g, h = state
        for i in range(80):
            if not i & 15:
                yield
            n = i & 15
            if i > 15:
                # The message schedule, in a ring of 16. A word written twice side by side makes
                # a rotation one shift.
                x = w[i + 1 & 15]
                y = w[i + 14 & 15]
                x2 = x | x << 64
                y2 = y | y << 64
                w[n] = (
                    w[n]
                    + w[i + 9 & 15]
                    + ((x2 >> 1 ^ x2 >> 8 ^ x >> 7) & mask)
                    + ((y2 >> 19 ^ y2 >> 61 ^ y >> 6) & mask)
                ) & mask
            x = e | e << 64
            h += ((x >> 14 ^ x >> 18 ^ x >> 41) & mask) + (g ^ e & (f ^ g)) + w[n]
            h += int.from_bytes(rounds[8 * i : 8 * i + 8], "big")
            x = a | a << 64
            x = ((x >> 28 ^ x >> 34 ^ x >> 39) & mask) + (a & b | c & (a | b))
            h, g, f, e, d, c, b, a = g, f, e, d + h & mask, c, b, a, h + x & mask
        state = [(x + y) & mask for x, y in zip(state, (a, b, c, d, e, f, g, h))]
    return b"".join([x.to_bytes(8, "big") for x in state])
