"""wamp.ed25519 and wamp.kdf against C libraries, on random and on extreme inputs."""

import hashlib
import hmac
import random
import subprocess

import ed25519_program
import nacl.bindings
import pytest
from nacl.signing import SigningKey

from microwamp_rig import micropython
from wamp import _sha512_int, auth, ed25519, kdf, sha512

ROUNDS = 10_000

EXTREME = (
    [bytes([octet]) * 32 for octet in (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)]
    + [(1 << bit).to_bytes(32, "little") for bit in range(0, 256, 17)]
    + [((1 << 256) - 1 - (1 << bit)).to_bytes(32, "little") for bit in range(5, 256, 31)]
)


def check(seed: bytes, message: bytes) -> None:
    theirs = SigningKey(seed)
    public = ed25519.run(ed25519.public_key(seed))
    assert public == theirs.verify_key.encode(), seed.hex()
    signature = ed25519.run(ed25519.sign(seed, public, message))
    assert signature == theirs.sign(message).signature, (seed.hex(), message.hex())


def test_random_keys_and_messages() -> None:
    source = random.Random(8032)
    for _ in range(ROUNDS):
        check(source.randbytes(32), source.randbytes(source.choice((0, 1, 32, 63, 64, 200))))


@pytest.mark.parametrize("port", ["unix", "unix32"])
def test_a_thousand_keys_and_messages_on_micropython(port: str) -> None:
    """Public keys and signatures by the same program there and, from PyNaCl, here."""
    seed, count = 1, 1000
    total = hashlib.sha256()
    for key, message in ed25519_program.cases(seed, count):
        theirs = SigningKey(key)
        total.update(key + theirs.verify_key.encode() + theirs.sign(message).signature)
    done = subprocess.run(
        [*micropython.command(port), ed25519_program.__file__, str(seed), str(count)],
        env=micropython.environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout.strip() == f"digest {count} {total.hexdigest()}"


def test_random_keys_and_messages_verified() -> None:
    """Right signatures are right, and wrong in one bit they are wrong, as PyNaCl has it."""
    source = random.Random(8033)
    for _ in range(100):
        theirs = SigningKey(source.randbytes(32))
        public = theirs.verify_key.encode()
        message = source.randbytes(source.choice((0, 1, 32, 64)))
        signature = theirs.sign(message).signature
        assert ed25519.run(ed25519.verify(public, message, signature)) is True
        wrong = bytearray(signature)
        wrong[source.randrange(64)] ^= 1 << source.randrange(8)
        assert ed25519.run(ed25519.verify(public, message, bytes(wrong))) is False


def test_extreme_seeds() -> None:
    for seed in EXTREME:
        for message in (b"", bytes(32), b"\xff" * 32, seed):
            check(seed, message)


def test_random_and_extreme_multiples_of_the_base_point() -> None:
    source = random.Random(25519)
    order = 2**252 + 27742317777372353535851937790883648493
    scalars = [1 << bit for bit in range(252)] + [order - (1 << bit) for bit in range(252)]
    scalars += [(1 << bit) - 1 for bit in range(1, 253)]
    scalars += [source.randrange(1, order) for _ in range(200)]
    for scalar in scalars:
        theirs = nacl.bindings.crypto_scalarmult_ed25519_base_noclamp(
            scalar.to_bytes(32, "little")
        )
        assert ed25519.run(ed25519._curve.base_times(ed25519._columns(scalar))) == theirs, scalar


def test_pynacl_as_the_signer_of_a_login() -> None:
    key = SigningKey(bytes(range(32)))
    ours = auth.Cryptosign(bytes(range(32)))
    theirs = auth.Cryptosign(
        None, key.verify_key.encode(), sign=lambda message: key.sign(message).signature
    )
    for challenge in ("00" * 32, "Ff" * 32, "0123456789abcdef" * 4):
        extra = {"challenge": challenge}
        assert ed25519.run(ours.challenge(extra)) == ed25519.run(theirs.challenge(extra))


def test_plain_sha512() -> None:
    source = random.Random(512)
    for length in range(400):
        data = source.randbytes(length)
        assert (
            ed25519.run(_sha512_int.plain(sha512._padded(data), sha512._START, sha512._ROUNDS))
            == hashlib.sha512(data).digest()
        ), length


def test_kdf() -> None:
    source = random.Random(2104)
    for length in range(140):
        key = source.randbytes(length)
        data = source.randbytes(source.randrange(200))
        assert kdf.hmac_sha256(key, data) == hmac.digest(key, data, "sha256"), length
        iterations, size = source.randrange(1, 40), source.randrange(1, 100)
        ours = ed25519.run(kdf.pbkdf2_sha256(key, data, iterations, size))
        assert ours == hashlib.pbkdf2_hmac("sha256", key, data, iterations, size), length
