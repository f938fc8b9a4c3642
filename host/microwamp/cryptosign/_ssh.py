"""OpenSSH's files of Ed25519 keys, public and private.

Source: OpenSSH's PROTOCOL.key (the private file), RFC 4253 section 6.6 and RFC 8709 (the blobs).
An encrypted file is checked here, and decrypted by the package `cryptography`.
"""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from nacl.signing import SigningKey

from .._text import shown
from ..exception import ConfigurationError

BEGIN = "-----BEGIN OPENSSH PRIVATE KEY-----"
_END = "-----END OPENSSH PRIVATE KEY-----"
_MAGIC = b"openssh-key-v1\0"
_ALGORITHM = b"ssh-ed25519"
# ssh-keygen's default is 24; each takes some 10 ms, and a damaged file could ask for 2^32.
ROUNDS_MAX = 2000


class SshKey(NamedTuple):
    """What such a file holds; seed is None in a public one."""

    seed: bytes | None
    public: bytes
    comment: str


class _Reader:
    """Takes the fields of a blob, in order."""

    def __init__(self, octets: bytes, where: str) -> None:
        self._octets = octets
        self._at = 0
        self._where = where

    def take(self, count: int) -> bytes:
        taken = self._octets[self._at : self._at + count]
        if len(taken) != count:
            raise ConfigurationError(
                f"{self._where} is cut short or damaged: restore it from a copy"
            )
        self._at += count
        return taken

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.number())

    def rest(self) -> bytes:
        return self._octets[self._at :]


def read(text: str, passphrase: str | bytes | None, where: str) -> SshKey:
    """The key in the text of a file; ConfigurationError says what is wrong with `where`."""
    text = text.strip()
    if not text:
        raise ConfigurationError(f"{where} is empty: name the file that holds the key")
    if text.startswith("-----BEGIN"):
        if not text.startswith(BEGIN):
            raise ConfigurationError(
                f"{where} begins with {shown(text.splitlines()[0])}, which is not OpenSSH's form: "
                "convert it with ssh-keygen -p -f FILE, or make an Ed25519 key"
            )
        return _private(text, passphrase, where)
    return _public(text, where)


def _public(text: str, where: str) -> SshKey:
    parts = text.split(None, 2)
    if len(text.splitlines()) != 1 or len(parts) < 2:
        raise ConfigurationError(
            f"{where} is no OpenSSH key: a public one is one line, `ssh-ed25519 AAAA... comment`"
        )
    if parts[0] != "ssh-ed25519":
        raise ConfigurationError(
            f"{where} is of type {shown(parts[0])}, and only ssh-ed25519 will do: make such a key "
            "with ssh-keygen -t ed25519"
        )
    public = _public_blob(_unbase64(parts[1], where), where)
    return SshKey(None, public, parts[2] if len(parts) == 3 else "")


def _private(text: str, passphrase: str | bytes | None, where: str) -> SshKey:
    if not text.endswith(_END):
        raise ConfigurationError(f"{where} has no line {_END}: it is cut short, restore it")
    blob = _unbase64("".join(text[len(BEGIN) : -len(_END)].split()), where)
    if not blob.startswith(_MAGIC):
        raise ConfigurationError(f"{where} does not hold an openssh-key-v1: restore it")
    reader = _Reader(blob[len(_MAGIC) :], where)
    cipher, kdf, kdf_options = reader.string(), reader.string(), reader.string()
    count = reader.number()
    if count != 1:
        raise ConfigurationError(f"{where} holds {count} keys, and one is expected")
    public = _public_blob(reader.string(), where)
    section = reader.string()
    if cipher == b"none" and kdf == b"none" and not kdf_options:
        if reader.rest():
            raise ConfigurationError(f"{where} has octets behind the key: restore it")
        seed, comment = _section(section, public, where)
    else:
        seed, comment = _decrypt(text, kdf, kdf_options, passphrase, where), ""
    if SigningKey(seed).verify_key.encode() != public:
        raise ConfigurationError(
            f"in {where} the public key is not that of the private key: restore the file"
        )
    return SshKey(seed, public, comment)


def _section(section: bytes, public: bytes, where: str) -> tuple[bytes, str]:
    """(seed, comment) of the private section of a file without passphrase."""
    reader = _Reader(section, where)
    if reader.number() != reader.number():
        raise ConfigurationError(f"{where} is damaged, its check numbers differ: restore it")
    algorithm = reader.string()
    if algorithm != _ALGORITHM:
        raise ConfigurationError(
            f"{where} holds a key of type {shown(_ascii(algorithm))}, and only ssh-ed25519 will do"
        )
    copy, secret, comment = reader.string(), reader.string(), reader.string()
    padding = reader.rest()
    # The secret part is seed and public key.
    if copy != public or len(secret) != 64 or secret[32:] != public:
        raise ConfigurationError(f"{where} is damaged, its public keys differ: restore it")
    if len(section) % 8 or padding != bytes(range(1, len(padding) + 1)) or len(padding) > 7:
        raise ConfigurationError(f"{where} is damaged, its padding is wrong: restore it")
    return secret[:32], _ascii(comment)


def _decrypt(
    text: str, kdf: bytes, options: bytes, passphrase: str | bytes | None, where: str
) -> bytes:
    """The seed in a file with passphrase."""
    if kdf != b"bcrypt":
        raise ConfigurationError(
            f"{where} is encrypted with kdf {shown(_ascii(kdf))}, and only bcrypt is known"
        )
    reader = _Reader(options, where)
    reader.string()  # salt
    rounds = reader.number()
    if not 0 < rounds <= ROUNDS_MAX:
        raise ConfigurationError(
            f"{where} asks for {rounds} rounds of bcrypt, and {ROUNDS_MAX} are the most: "
            "ssh-keygen -p -a 100 -f FILE writes it anew"
        )
    if passphrase is None:
        raise ConfigurationError(f"{where} has a passphrase: give it with passphrase=")
    try:
        import bcrypt  # noqa: F401  cryptography needs it for this
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_ssh_private_key
    except ImportError:
        raise ConfigurationError(
            f"{where} has a passphrase, which needs: pip install microwamp[ssh]"
        ) from None
    octets = passphrase.encode() if isinstance(passphrase, str) else passphrase
    try:
        key = load_ssh_private_key(text.encode(), octets)
    except UnsupportedAlgorithm as error:
        raise ConfigurationError(f"{where} is encrypted in an unknown way ({error})") from None
    except (ValueError, TypeError):
        raise ConfigurationError(
            f"{where} cannot be decrypted: the passphrase is wrong, or the file is damaged"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{where} holds no Ed25519 key")
    return key.private_bytes_raw()


def _public_blob(blob: bytes, where: str) -> bytes:
    reader = _Reader(blob, where)
    algorithm = reader.string()
    if algorithm != _ALGORITHM:
        raise ConfigurationError(
            f"{where} holds a key of type {shown(_ascii(algorithm))}, and only ssh-ed25519 will do"
        )
    public = reader.string()
    if len(public) != 32 or reader.rest():
        raise ConfigurationError(f"{where} holds no key of 32 octets: restore it")
    return public


def _unbase64(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigurationError(
            f"{where} is damaged, it is not base64 throughout: restore it"
        ) from None


def _ascii(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")
