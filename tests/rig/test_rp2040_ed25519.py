"""Signatures on the emulated RP2040, with the accelerator that is frozen into its firmware."""

import random

from emulated import boot
from nacl.signing import SigningKey

COUNT = 20

PROGRAM = """
from binascii import hexlify, unhexlify
from wamp import ed25519

print("by", ed25519._curve.__name__)
for seed, public, message in {rows}:
    signature = ed25519.run(
        ed25519.sign(unhexlify(seed), unhexlify(public), unhexlify(message))
    )
    print("signed", hexlify(signature).decode())
public, message, signature = [unhexlify(text) for text in {verified}]
print("verified", ed25519.run(ed25519.verify(public, message, signature)))
print("and", ed25519.run(ed25519.verify(public, message + b"x", signature)))
print("the end")
"""


def test_signatures_are_right():
    source = random.Random(2040)
    rows, right = [], []
    for _ in range(COUNT):
        key = SigningKey(source.randbytes(32))
        message = source.randbytes(32)
        rows.append((key.encode().hex(), key.verify_key.encode().hex(), message.hex()))
        right.append(key.sign(message).signature.hex())
    verified = (rows[0][1], rows[0][2], right[0])
    _, console = boot(PROGRAM.format(rows=rows, verified=verified))
    text = console.wait("the end", 5000)
    assert "by wamp._ed25519_fast" in text
    assert [line[7:] for line in text.split("\r\n") if line.startswith("signed ")] == right
    assert "verified True" in text and "and False" in text
