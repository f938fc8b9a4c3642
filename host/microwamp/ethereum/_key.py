"""EthereumKey: a key on secp256k1, or the address of one."""

from __future__ import annotations

import os
from typing import Any

from wamp import keyfile
from wamp.authcryptosign import unhex

from .._text import shown
from ..cryptosign import _seedphrase
from ..exception import ConfigurationError, LocalProtocolError
from ..interfaces import IEthereumKey, ISecurityModule
from . import _curve, _typed

# What key files call it; crossbar's and autobahn's tools do.
_PRIVATE, _ADDRESS = "private-key-eth", "public-adr-eth"
_COIN = 60


class EthereumKey(IEthereumKey):
    """A key for Ethereum signatures, or an address for verifying them.

    key_or_address: 32 octets where can_sign, else an address, in text or 20 octets.
    security_module, key_no: where the key is kept; while that module is closed or locked, the key
    does not sign. Needs the extra `ethereum`. ConfigurationError: it is no key, or no address.
    """

    def __init__(
        self,
        key_or_address: bytes | str,
        can_sign: bool,
        security_module: ISecurityModule | None = None,
        key_no: int | None = None,
    ) -> None:
        self._private: bytes | None = None
        self._public: bytes | None = None
        given = key_or_address
        if can_sign:
            if not isinstance(given, bytes) or len(given) != 32:
                # A text may be the key itself, in hexadecimal: it is not shown.
                found = "a text" if isinstance(given, str) else shown(given)
                raise ConfigurationError(f"an Ethereum key is 32 octets, not {found}")
            self._private, self._public = given, _curve.public_of(given)
            self._address = _curve.address_of(self._public)
        else:
            self._address = _address(given)
        self._security_module = security_module
        self._key_no = key_no

    def __repr__(self) -> str:
        return f"EthereumKey(address={self.address()!r}, can_sign={self.can_sign})"

    @property
    def security_module(self) -> ISecurityModule | None:
        """Where the key is kept; None: it stands alone."""
        return self._security_module

    @property
    def key_no(self) -> int | None:
        """Number of the key in its security module."""
        return self._key_no

    @property
    def key_type(self) -> str:
        """`ethereum`."""
        return "ethereum"

    @property
    def can_sign(self) -> bool:  # type: ignore[override]  # as CryptosignKey has it
        """Whether this is the whole key, not only its address."""
        return self._private is not None

    def public_key(self, binary: bool = False) -> str | bytes:
        """The public key, x and y: 128 hex digits, or 64 octets.

        LocalProtocolError: only the address is known, which does not tell it.
        """
        if self._public is None:
            raise LocalProtocolError("an address does not tell its public key: recover tells it")
        return self._public if binary else self._public.hex()

    def address(self, binary: bool = False) -> str | bytes:
        """The address: text with checksum (EIP-55), or 20 octets."""
        return self._address if binary else _curve.checksummed(self._address)

    async def sign(self, data: bytes) -> bytes:
        """The signature of octets, 65: as wallets sign a message (EIP-191, `personal_sign`).

        Octets that are a transaction are thereby none any more.
        """
        return self._sign(_message(data))

    async def recover(self, data: bytes, signature: bytes) -> bytes:
        """The public key, 64 octets, whose `sign` gave this signature.

        LocalProtocolError: it is nobody's.
        """
        if not isinstance(signature, bytes):
            raise LocalProtocolError(f"the signature is {shown(signature)}, not octets")
        found = _curve.recover(_message(data), signature)
        if found is None:
            raise LocalProtocolError(f"{shown(signature)} are no Ethereum signature")
        return found

    async def sign_typed_data(self, data: dict[str, Any]) -> bytes:
        """The signature of EIP-712 data, 65 octets: r, s, and 27 or 28.

        data: {"types", "primaryType", "domain", "message"}, as wallets have it.
        LocalProtocolError names what does not fit.
        """
        return self._sign(_typed.digest(data))

    def verify_typed_data(
        self, data: dict[str, Any], signature: bytes, signer_address: str | bytes | None = None
    ) -> bool:
        """Whether the signature of EIP-712 data is by the key of this address.

        signer_address: None for this key's own.
        """
        address = self._address if signer_address is None else _address(signer_address)
        digest = _typed.digest(data)
        public = _curve.recover(digest, signature) if isinstance(signature, bytes) else None
        return public is not None and _curve.address_of(public) == address

    def _sign(self, digest: bytes) -> bytes:
        if self._private is None or self._public is None:
            raise LocalProtocolError("this is an address: signing takes the private key")
        module = self._security_module
        if module is not None and (not module.is_open or module.is_locked):
            state = "locked: unlock" if module.is_open else "closed: open"
            raise LocalProtocolError(f"the security module of this key is {state} it first")
        return _curve.sign(self._private, digest, self._public)

    @classmethod
    def from_bytes(cls, key: bytes) -> EthereumKey:
        """From a private key, 32 octets."""
        return cls(key, True)

    @classmethod
    def from_address(cls, address: str | bytes) -> EthereumKey:
        """From an address, text or 20 octets: it verifies."""
        return cls(address, False)

    @classmethod
    def from_seedphrase(cls, seedphrase: str, index: int = 0) -> EthereumKey:
        """From a BIP-39 seed phrase, account m/44'/60'/0'/0/index; needs the extra `bip39`."""
        return cls(_seedphrase.seed_of(seedphrase, index, _COIN), True)

    @classmethod
    def from_keyfile(cls, path: str | os.PathLike[str]) -> EthereumKey:
        """From a key file with a line `private-key-eth`, or `public-adr-eth`: then it verifies.

        ConfigurationError: it is no such file, is inconsistent, or others may read a private one.
        """
        if not isinstance(path, str | os.PathLike):
            raise LocalProtocolError(f"a path is a text, not {shown(path)}")
        tags = _tags(os.fspath(path), False)
        where = f"key file {path}"
        if _PRIVATE not in tags:
            if _ADDRESS not in tags:
                raise ConfigurationError(
                    f"{where} has no line {_PRIVATE} and none {_ADDRESS}: name the key file"
                )
            return cls.from_address(_address(tags[_ADDRESS], f"{where}: {_ADDRESS}"))
        tags = _tags(os.fspath(path), True)
        octets = unhex(tags.get(_PRIVATE), 32)
        if octets is None:
            raise ConfigurationError(f"{where}: {_PRIVATE} should be 64 hex digits: correct it")
        key = cls.from_bytes(octets)
        if _ADDRESS in tags and _address(tags[_ADDRESS], f"{where}: {_ADDRESS}") != key._address:
            raise ConfigurationError(
                f"in {where} the address is not that of the private key: restore the file, or "
                f"remove the line {_ADDRESS}"
            )
        return key


def _message(data: bytes) -> bytes:
    if not isinstance(data, bytes):
        raise LocalProtocolError(f"what is to be signed is {shown(data)}, not octets")
    return _curve.keccak(b"\x19Ethereum Signed Message:\n%d" % len(data) + data)


def _address(given: Any, what: str = "address") -> bytes:
    found = _curve.address_from(given) if isinstance(given, str) else given
    if not isinstance(found, bytes) or len(found) != 20:
        raise ConfigurationError(
            f"{what}: {shown(given)} found, an address expected: 0x and 40 hex digits, in one "
            "case or with a checksum that is right"
        )
    return found


def _tags(path: str, owned: bool) -> dict[str, str]:
    """The lines `tag: value` of a key file."""
    try:
        text = keyfile.read_octets(path, owned).decode()
    except UnicodeError:
        raise ConfigurationError(f"key file {path} is not text: name the key file") from None
    tags: dict[str, str] = {}
    for line in text.splitlines():
        tag, colon, value = line.partition(":")
        if not colon or line.startswith("#"):
            continue
        tag = tag.strip()
        if tag in tags and tag in (_PRIVATE, _ADDRESS):
            raise ConfigurationError(
                f"key file {path} has two lines {tag}: remove the one that is not meant"
            )
        tags[tag] = value.strip()
    return tags
