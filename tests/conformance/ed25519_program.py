"""Signatures of wamp.ed25519 over keys and messages from a seed, digested; on any interpreter.

ed25519_program.py SEED COUNT prints `digest COUNT HEX`: SHA-256 over the seeds, public keys and
signatures. What the numbers are is in `cases`, which the test on CPython uses too.
"""

import sys
from binascii import hexlify
from hashlib import sha256


def cases(seed, count):
    """(private key, message) for `count` cases: octets from a chain of SHA-256."""
    state = sha256(b"ed25519 %d" % seed).digest()
    for n in range(count):
        key = sha256(state + b"key").digest()
        state = sha256(state + b"next").digest()
        yield key, (state + key)[: n % 65]


def main(seed, count):
    """Print the digest."""
    from wamp import ed25519

    total = sha256()
    for key, message in cases(seed, count):
        public = ed25519.run(ed25519.public_key(key))
        signature = ed25519.run(ed25519.sign(key, public, message))
        total.update(key + public + signature)
    print("digest", count, hexlify(total.digest()).decode())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
