"""cryptobox: payloads that only the two ends can read, by keys for parts of the URI space.

The format is autobahn's: NaCl's box (Curve25519, XSalsa20, Poly1305) of compact JSON
{"uri", "args", "kwargs"}, behind its nonce of 24 octets. The router sees URIs, options and sizes.
What was sent once can be sent again by who carries it: a box says who wrote it, not when.
"""

from __future__ import annotations

import binascii
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from ._text import shown
from .exception import (
    ApplicationError,
    ConfigurationError,
    Error,
    LocalProtocolError,
    SerializationError,
)
from .interfaces import IPayloadCodec
from .serializer import JsonObjectSerializer
from .types import EncodedPayload

__all__ = ["EncodedPayload", "Key", "KeyRing"]

_NONCE = 24
_MAC = 16
# Whose key an ERROR is encrypted with; see KeyRing.
ERROR_KEYS = ("procedure", "error")


class Key:
    """The keys of a part of the URI space, each 32 octets in base64 or in 64 hex digits.

    Originators are callers and publishers, responders are callees and subscribers. An end has its
    own private key and the other's public one; who gives both private keys is both ends. Private
    and public key of one side, where both are given, must belong together.
    ConfigurationError: the keys are not enough for either side, or are none.
    """

    def __init__(
        self,
        originator_priv: str | None = None,
        originator_pub: str | None = None,
        responder_priv: str | None = None,
        responder_pub: str | None = None,
    ) -> None:
        ours, public = _pair("originator", originator_priv, originator_pub)
        theirs, their_public = _pair("responder", responder_priv, responder_pub)
        self.originator_box = Box(ours, their_public) if ours and their_public else None
        self.responder_box = Box(theirs, public) if theirs and public else None
        if self.originator_box is None and self.responder_box is None:
            raise ConfigurationError(
                "these keys serve neither side: an originator needs originator_priv and "
                "responder_pub, a responder responder_priv and originator_pub"
            )

    def __repr__(self) -> str:
        sides = [
            name
            for name, box in (
                ("originator", self.originator_box),
                ("responder", self.responder_box),
            )
            if box is not None
        ]
        return f"<Key for {' and '.join(sides)}>"

    def box(self, is_originating: bool) -> Box | None:
        """The box of a side, None where its keys are missing."""
        return self.originator_box if is_originating else self.responder_box


class KeyRing(IPayloadCodec):
    """A payload codec that finds its key by the longest prefix of the URI.

    Prefixes are of characters: "com.my" is one of "com.myapp.hello". default_key is the key of all
    other URIs; a text instead of a Key is the private key of both sides.

    error_keys: the key for the ERROR of an encrypted call is that of the `procedure`, so that it
    is encrypted whenever the call was. autobahn looks for the key under the `error` URI, on both
    sides: with a peer of that kind, give it that word, and a default key or keys for error URIs,
    else errors are sent in clear. Errors are decoded under either.
    """

    def __init__(
        self, default_key: Key | str | None = None, error_keys: str = "procedure"
    ) -> None:
        if error_keys not in ERROR_KEYS:
            raise ConfigurationError(
                f"error_keys is {shown(error_keys)}, and is to be {' or '.join(ERROR_KEYS)}"
            )
        self._keys: dict[str, Key] = {}
        self._lengths: list[int] = []  # of the prefixes, the longest first
        self._by_error = error_keys == "error"
        self._serializer = JsonObjectSerializer()
        self.set_key("", default_key)

    def __repr__(self) -> str:
        return f"KeyRing({self._keys!r})"

    def generate_key(self) -> tuple[str, str]:
        """A new (private, public) key pair, in base64."""
        key = PrivateKey.generate()
        return _base64(key.encode()), _base64(key.public_key.encode())

    def generate_key_hex(self) -> tuple[str, str]:
        """The same in hexadecimal."""
        key = PrivateKey.generate()
        return key.encode().hex(), key.public_key.encode().hex()

    def set_key(self, uri: str, key: Key | str | None) -> None:
        """Use a key for all URIs that begin with `uri`; "": the default. None takes it away."""
        if not isinstance(uri, str):
            raise LocalProtocolError(f"uri is {shown(uri)}, not a text")
        if isinstance(key, str):
            key = Key(originator_priv=key, responder_priv=key)
        if key is None:
            self._keys.pop(uri, None)
        elif isinstance(key, Key):
            self._keys[uri] = key
        else:
            raise LocalProtocolError(f"key is a {type(key).__name__}, not a Key or a text")
        self._lengths = sorted({len(prefix) for prefix in self._keys}, reverse=True)

    def key(self, uri: str) -> Key | None:
        """The key for a URI: that of its longest prefix; None where there is none."""
        for length in self._lengths:
            found = self._keys.get(uri[:length]) if length <= len(uri) else None
            if found is not None:
                return found
        return None

    def encode(
        self,
        is_originating: bool,
        uri: str,
        args: list[Any] | tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> EncodedPayload | None:
        """The payload, encrypted; None where no key matches: it goes as it is.

        A key that matches and has not the keys of this side is a LocalProtocolError: the payload
        was meant to be encrypted. SerializationError: JSON cannot express it.
        """
        return self._encode(self.key(uri), is_originating, uri, args, kwargs)

    def decode(
        self, is_originating: bool, uri: str, encoded_payload: EncodedPayload
    ) -> tuple[str, list[Any] | None, dict[str, Any] | None]:
        """(URI, args, kwargs) of an encrypted payload.

        Raises ApplicationError: with ENC_NO_PAYLOAD_CODEC where it is not cryptobox's or there is
        no key, ENC_DECRYPT_ERROR where it cannot be decrypted, ENC_TRUSTED_URI_MISMATCH where it
        was encrypted for another URI.
        """
        return self._decode([self.key(uri)], is_originating, uri, encoded_payload)

    def encode_error(
        self,
        procedure: str,
        error: str,
        args: list[Any] | tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> EncodedPayload | None:
        """The payload of a callee's ERROR, by `error_keys`; the URI in it is that of the error."""
        key = self.key(error if self._by_error else procedure)
        return self._encode(key, False, error, args, kwargs)

    def decode_error(
        self, procedure: str, error: str, encoded_payload: EncodedPayload
    ) -> tuple[str, list[Any] | None, dict[str, Any] | None]:
        """(error URI, args, kwargs) of the ERROR to a call, as `decode`."""
        keys = [self.key(procedure), self.key(error)]
        return self._decode(keys, True, error, encoded_payload)

    def _encode(
        self,
        key: Key | None,
        is_originating: bool,
        uri: str,
        args: list[Any] | tuple[Any, ...] | None,
        kwargs: dict[str, Any] | None,
    ) -> EncodedPayload | None:
        if key is None:
            return None
        box = key.box(is_originating)
        if box is None:
            raise LocalProtocolError(
                f"the key for {shown(uri)} cannot encrypt for the "
                f"{'originator' if is_originating else 'responder'}: give its private key, or "
                "take the key out of the ring to send in clear"
            )
        try:
            text = self._serializer.pack({"uri": uri, "args": args, "kwargs": kwargs})
        except Error:
            raise
        except (TypeError, ValueError, RecursionError) as error:
            raise SerializationError(f"the payload for {shown(uri)}: {error}") from None
        return EncodedPayload(bytes(box.encrypt(text)), "cryptobox", "json")

    def _decode(
        self, keys: list[Key | None], is_originating: bool, uri: str, encoded: EncodedPayload
    ) -> tuple[str, list[Any] | None, dict[str, Any] | None]:
        if encoded.enc_algo != "cryptobox" or encoded.enc_serializer not in (None, "json"):
            raise _failed(
                ApplicationError.ENC_NO_PAYLOAD_CODEC,
                f"the payload for {shown(uri)} is {shown(encoded.enc_algo)} with serializer "
                f"{shown(encoded.enc_serializer)}, and cryptobox with json is known",
            )
        boxes: list[Box] = []
        for key in keys:
            box = key.box(is_originating) if key is not None else None
            if box is not None and box not in boxes:
                boxes.append(box)
        if not boxes:
            raise _failed(
                ApplicationError.ENC_NO_PAYLOAD_CODEC,
                f"the payload for {shown(uri)} is encrypted, and there is no key for it",
            )
        if len(encoded.payload) < _NONCE + _MAC:
            raise _failed(
                ApplicationError.ENC_DECRYPT_ERROR,
                f"the payload for {shown(uri)} has {len(encoded.payload)} octets: it is cut short",
            )
        for box in boxes:
            try:
                return self._opened(box.decrypt(encoded.payload), uri)
            except CryptoError:
                continue
        raise _failed(
            ApplicationError.ENC_DECRYPT_ERROR,
            f"the payload for {shown(uri)} cannot be decrypted: it was changed, or the keys are "
            "not those of its sender",
        )

    def _opened(
        self, text: bytes, uri: str
    ) -> tuple[str, list[Any] | None, dict[str, Any] | None]:
        try:
            found = self._serializer.unpack(text)
        except (Error, ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            found = {}
        inner, args, kwargs = found.get("uri"), found.get("args"), found.get("kwargs")
        if not (
            isinstance(inner, str)
            and isinstance(args, list | None)
            and isinstance(kwargs, dict | None)
        ):
            raise _failed(
                ApplicationError.ENC_DECRYPT_ERROR,
                f"the payload for {shown(uri)} is not JSON of uri, args and kwargs",
            )
        if inner != uri:
            raise _failed(
                ApplicationError.ENC_TRUSTED_URI_MISMATCH,
                f"the payload for {shown(uri)} was encrypted for {shown(inner)}",
            )
        return inner, args, kwargs


def _failed(error: str, text: str) -> ApplicationError:
    return ApplicationError(error, text, enc_algo="cryptobox")


def _pair(
    side: str, private: str | None, public: str | None
) -> tuple[PrivateKey | None, PublicKey | None]:
    ours = PrivateKey(_octets(f"{side}_priv", private)) if private else None
    theirs = PublicKey(_octets(f"{side}_pub", public)) if public else None
    if ours is not None:
        if theirs is not None and theirs != ours.public_key:
            raise ConfigurationError(f"{side}_pub is not the public key of {side}_priv")
        theirs = ours.public_key
    return ours, theirs


def _octets(name: str, text: object) -> bytes:
    if isinstance(text, str):
        try:
            octets = (
                bytes.fromhex(text)
                if len(text) == 64
                else binascii.a2b_base64(text, strict_mode=True)
            )
        except ValueError:
            octets = b""
        if len(octets) == 32:
            return octets
    raise ConfigurationError(f"{name} must be 32 octets in base64, or 64 hex digits")


def _base64(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode()
