"""CryptosignKey: an Ed25519 key, or its public half."""

from __future__ import annotations

import os
from typing import Any

from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from wamp import keyfile, keys
from wamp.authcryptosign import unhex

from .._text import shown
from ..exception import ConfigurationError, LocalProtocolError
from ..interfaces import ICryptosignKey, ISecurityModule
from ..types import Challenge
from . import _seedphrase, _ssh
from ._challenge import signed_octets

_METHODS = ("cryptosign", "cryptosign-proxy")


class CryptosignKey(ICryptosignKey):
    """An Ed25519 key for signing, or a public one for verifying.

    key: nacl's SigningKey where can_sign, else its VerifyKey. security_module, key_no: where the
    key is kept; while that module is closed or locked, the key does not sign.
    """

    def __init__(
        self,
        key: SigningKey | VerifyKey,
        can_sign: bool,
        security_module: ISecurityModule | None = None,
        key_no: int | None = None,
        comment: str | None = None,
    ) -> None:
        kind = SigningKey if can_sign else VerifyKey
        if not isinstance(key, kind):
            raise LocalProtocolError(
                f"CryptosignKey: key is {shown(key)}, and for can_sign={can_sign} it is to be a "
                f"nacl.signing.{kind.__name__}"
            )
        if comment is not None and not isinstance(comment, str):
            raise LocalProtocolError(f"CryptosignKey: comment is {shown(comment)}, not a text")
        self._key = key
        self._security_module = security_module
        self._key_no = key_no
        self._comment = comment

    def __repr__(self) -> str:
        return f"CryptosignKey(public_key={self.public_key()!r}, can_sign={self.can_sign})"

    @property
    def security_module(self) -> ISecurityModule | None:
        """Where the key is kept; None: it stands alone."""
        return self._security_module

    @property
    def key_no(self) -> int | None:
        """Number of the key in its security module."""
        return self._key_no

    @property
    def comment(self) -> str | None:
        """What people wrote beside it."""
        return self._comment

    @property
    def key_type(self) -> str:
        """`cryptosign`."""
        return "cryptosign"

    @property
    def can_sign(self) -> bool:  # type: ignore[override]  # the reference has it so
        """Whether this is the whole key, not only the public half."""
        return isinstance(self._key, SigningKey)

    def public_key(self, binary: bool = False) -> str | bytes:
        """The public key in 64 hex digits, or in 32 octets."""
        return self.public_octets if binary else self.public_octets.hex()

    @property
    def public_octets(self) -> bytes:
        """The public key, 32 octets."""
        return bytes(self._key.verify_key if isinstance(self._key, SigningKey) else self._key)

    async def sign(self, data: bytes) -> bytes:
        """The signature of the octets, 64 octets."""
        return self.sign_now(data)

    def sign_now(self, data: bytes) -> bytes:
        """`sign` without a coroutine."""
        if not isinstance(self._key, SigningKey):
            raise LocalProtocolError("this is a public key: signing takes the private one")
        if not isinstance(data, bytes):
            raise LocalProtocolError(f"what is to be signed is {shown(data)}, not octets")
        module = self._security_module
        if module is not None and (not module.is_open or module.is_locked):
            state = "locked: unlock" if module.is_open else "closed: open"
            raise LocalProtocolError(f"the security module of this key is {state} it first")
        return self._key.sign(data).signature

    def verify(self, data: bytes, signature: bytes) -> bool:
        """Whether the signature, 64 octets, is this key's for the octets."""
        public = VerifyKey(self.public_octets)
        try:
            public.verify(data, signature)
        except (CryptoError, ValueError, TypeError):
            return False
        return True

    async def recover(self, data: bytes, signature: bytes) -> bytes:
        """LocalProtocolError: an Ed25519 signature does not tell its key."""
        raise LocalProtocolError("an Ed25519 signature does not tell its key: use verify")

    async def sign_challenge(
        self,
        challenge: Challenge,
        channel_id: bytes | None = None,
        channel_id_type: str | None = None,
    ) -> str:
        """The signature for AUTHENTICATE, 192 hex digits: signature, then what was signed.

        channel_id: 32 octets; channel_id_type: `tls-unique` or `tls-exporter`.
        """
        octets = self._asked(challenge, channel_id, channel_id_type)
        return (self.sign_now(octets) + octets).hex()

    def verify_challenge(
        self,
        challenge: Challenge,
        signature: bytes | str,
        channel_id: bytes | None = None,
        channel_id_type: str | None = None,
    ) -> bool:
        """Whether `sign_challenge` of this key gives this signature.

        signature: 192 hex digits, the 96 octets of them, or the 64 of the signature alone.
        """
        octets = self._asked(challenge, channel_id, channel_id_type)
        given = unhex(signature, 96) if isinstance(signature, str) else signature
        if given is None or len(given) not in (64, 96) or given[64:] not in (b"", octets):
            return False
        return self.verify(octets, given[:64])

    @staticmethod
    def _asked(
        challenge: Challenge, channel_id: bytes | None, channel_id_type: str | None
    ) -> bytes:
        if not isinstance(challenge, Challenge) or challenge.method not in _METHODS:
            raise LocalProtocolError(
                f"a Challenge of {' or '.join(_METHODS)} expected, not {shown(challenge)}"
                if not isinstance(challenge, Challenge)
                else f"a challenge of {shown(challenge.method)} is not for a cryptosign key"
            )
        return signed_octets(challenge.extra, channel_id, channel_id_type)

    @classmethod
    def from_bytes(cls, key: bytes, comment: str | None = None) -> CryptosignKey:
        """From a private key, 32 octets."""
        return cls(SigningKey(_octets(key, "private")), True, comment=comment)

    @classmethod
    def from_pubkey(cls, pubkey: bytes, comment: str | None = None) -> CryptosignKey:
        """From a public key, 32 octets."""
        return cls(VerifyKey(_octets(pubkey, "public")), False, comment=comment)

    @classmethod
    def from_file(cls, filename: str, comment: str | None = None) -> CryptosignKey:
        """From a file of the 32 octets of a private key and nothing else.

        ConfigurationError: it is not such a file, or others may read it.
        """
        octets = keyfile.read_octets(_path(filename))
        if len(octets) != 32:
            raise ConfigurationError(
                f"key file {filename} has {len(octets)} octets, and a raw key has 32: read other "
                "kinds with from_keyfile or from_ssh_file"
            )
        return cls.from_bytes(octets, comment)

    @classmethod
    def from_keyfile(cls, keyfile: str) -> CryptosignKey:
        """From a key file (wamp.keyfile), private, or public: then without the private key.

        ConfigurationError: it is no such file, is inconsistent, or others may read a private one.
        """
        seed, public = keys.read_any_key(_path(keyfile))
        return cls.from_pubkey(public) if seed is None else cls.from_bytes(seed)

    @classmethod
    def from_ssh_file(cls, filename: str, passphrase: str | bytes | None = None) -> CryptosignKey:
        """From a file of OpenSSH, private or public; encrypted ones need the extra `ssh`.

        ConfigurationError: it is no such file, the passphrase is wrong, or others may read it.
        """
        where = f"SSH key file {filename}"
        private = keyfile.read_octets(_path(filename), owned=False).lstrip().startswith(b"-----")
        try:
            text = keyfile.read_octets(filename, owned=private).decode("utf-8")
        except UnicodeError:
            raise ConfigurationError(f"{where} is not text: name a key file of OpenSSH") from None
        return cls._of_ssh(_ssh.read(text, passphrase, where))

    @classmethod
    def from_ssh_bytes(cls, key_data: str, passphrase: str | bytes | None = None) -> CryptosignKey:
        """From the text of such a file."""
        if not isinstance(key_data, str):
            raise LocalProtocolError(f"key_data is {shown(key_data)}, not a text")
        return cls._of_ssh(_ssh.read(key_data, passphrase, "the SSH key"))

    @classmethod
    def _of_ssh(cls, found: _ssh.SshKey) -> CryptosignKey:
        if found.seed is None:
            return cls.from_pubkey(found.public, found.comment)
        return cls.from_bytes(found.seed, found.comment)

    @classmethod
    def from_seedphrase(cls, seedphrase: str, index: int = 0) -> CryptosignKey:
        """From a BIP-39 seed phrase, account m/44'/655'/0'/0/index; needs the extra `bip39`."""
        return cls.from_bytes(_seedphrase.seed_of(seedphrase, index))


def _octets(key: Any, which: str) -> bytes:
    if not isinstance(key, bytes) or len(key) != 32:
        # A text may be the key itself, in hexadecimal: it is not shown.
        found = "a text" if isinstance(key, str) else shown(key)
        raise ConfigurationError(f"a {which} key is 32 octets, not {found}")
    return key


def _path(name: Any) -> str:
    if not isinstance(name, str | os.PathLike):
        raise LocalProtocolError(f"a path is a text, not {shown(name)}")
    return os.fspath(name)
