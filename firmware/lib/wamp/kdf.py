"""HMAC (RFC 2104) and PBKDF2 (RFC 8018, section 5.2) on hashlib.sha256."""

from hashlib import sha256

# An iteration takes 0.45 ms on an RP2040: about 7 ms from one yield to the next.
_ITERATIONS_PER_STEP = 16


def hmac_sha256(key, data):
    """The authentication code, 32 octets, of `data` under `key`, both octets of any length."""
    inner, outer = _pads(key)
    return sha256(outer + sha256(inner + data).digest()).digest()


def hmac_sha1(key, data):
    """The same with SHA-1, 20 octets, for TOTP."""
    try:
        from hashlib import sha1
    except ImportError:  # ports without TLS
        from .sha1 import sha1
    inner, outer = _pads(sha1(key).digest() if len(key) > 64 else key)
    return sha1(outer + sha1(inner + data).digest()).digest()


def pbkdf2_sha256(password, salt, iterations, length):
    """Generator; returns `length` octets derived from the octets `password` and `salt`.

    It yields None every 16 iterations, 7 ms of RP2040 time. The time grows with iterations (at
    least 1) times length: whoever takes them from a peer limits both first.
    """
    # hashlib's objects cannot be copied on MicroPython, so each iteration hashes the pads anew.
    inner, outer = _pads(password)
    number = int.from_bytes
    derived = b""
    block = 0
    turn = 0
    while len(derived) < length:
        block += 1
        u = sha256(inner + salt + block.to_bytes(4, "big")).digest()
        u = sha256(outer + u).digest()
        total = number(u, "big")
        for _ in range(iterations - 1):
            turn += 1
            if turn == _ITERATIONS_PER_STEP:
                turn = 0
                yield
            u = sha256(outer + sha256(inner + u).digest()).digest()
            total ^= number(u, "big")
        derived += total.to_bytes(32, "big")
    return derived[:length]


def _pads(key):
    if len(key) > 64:
        key = sha256(key).digest()
    key = key + bytes(64 - len(key))
    return bytes([octet ^ 0x36 for octet in key]), bytes([octet ^ 0x5C for octet in key])
