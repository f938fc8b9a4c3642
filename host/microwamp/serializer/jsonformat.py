"""JSON as WAMP has it: octets as text that starts with U+0000 (or, by choice, with 0x)."""

import binascii
import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from wamp.errors import RemoteProtocolError

from ._base import ObjectSerializer, Serializer
from .limits import DEPTH

_DECIMAL = re.compile(r"[+\-E.0-9]+")
# The next bracket that is in no string, or the text's end; a string that does not end goes on to
# there. It matches wherever it begins, and gives nothing back: each character is looked at once.
_BRACKET = re.compile(
    r"""(?:[^"\[{\]}]++|"[^"\\]*+(?:\\.?[^"\\]*+)*+"?)*+(?:([\[{\]}])|\Z)""", re.DOTALL
)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _too_deep(text: str) -> bool:
    """Whether lists and objects are nested deeper than DEPTH; before they are read, since the
    library's reader recurses as deep as the process's recursion limit lets it."""
    levels = 0
    for found in _BRACKET.finditer(text):
        if found[1] in ("[", "{"):
            levels += 1
            if levels > DEPTH:
                return True
        else:
            levels -= 1
    return False


_decode = json.JSONDecoder(parse_constant=_no_constant).decode
_escaped = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class JsonObjectSerializer(ObjectSerializer):
    """Values as JSON text.

    A text that itself starts with U+0000 cannot be told from octets: it is refused on the way out
    (WAMP, "Binary support in JSON").
    """

    NAME = "json"
    BINARY = False

    SEPARATOR = b"\x1e"
    """After every message of a batch. autobahn separates with 0x18, which is accepted as well."""

    def __init__(
        self,
        batched: bool = False,
        use_binary_hex_encoding: bool = False,
        use_decimal_from_str: bool = False,
        use_decimal_from_float: bool = False,
    ) -> None:
        """use_binary_hex_encoding: octets are "0x" and hexadecimal digits, in both directions.
        use_decimal_from_str: Decimals are sent as text; text that is a number becomes a Decimal.
        use_decimal_from_float: numbers with a fraction or an exponent become Decimals."""
        super().__init__(batched)
        self._hex = use_binary_hex_encoding
        self._decimals = use_decimal_from_str
        self._encode = json.JSONEncoder(
            separators=(",", ":"),
            ensure_ascii=False,
            check_circular=False,
            allow_nan=False,
            default=self._default,
        ).encode
        self._decode: Callable[[str], Any] = _decode
        if use_decimal_from_float:
            self._decode = json.JSONDecoder(
                parse_constant=_no_constant, parse_float=Decimal
            ).decode

    def _default(self, value: Any) -> Any:
        if isinstance(value, (bytes, bytearray, memoryview)):
            if self._hex:
                return "0x" + bytes(value).hex()
            return "\0" + binascii.b2a_base64(value, newline=False).decode()
        if isinstance(value, Decimal):
            return str(value)
        raise TypeError(f"a value of type {type(value).__name__}, which JSON does not have")

    def pack(self, obj: Any) -> bytes:
        text = self._encode(obj)
        if '"\\u0000' in text and not self._hex:
            _refuse_nul(obj)
        return text.encode()

    def unpack(self, data: bytes) -> Any:
        text = data.decode()
        if text.count("[") + text.count("{") > DEPTH and _too_deep(text):
            raise RemoteProtocolError(f"nested deeper than {DEPTH} levels")
        value = self._decode(text)
        if "\\u" in text and _SURROGATE.search(text):
            # Half a character is no text: no other format could carry it on.
            _escaped(value).encode()
        if self._hex or self._decimals or "\\u0000" in text:
            return self._converted(value)
        return value

    def _converted(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is list:
            value[:] = map(self._converted, value)
        elif kind is dict:
            for key, item in value.items():
                value[key] = self._converted(item)
        return value

    def _text(self, text: str) -> str | bytes | Decimal:
        if self._hex:
            if text[:2] == "0x":
                try:
                    return binascii.unhexlify(text[2:])
                except ValueError:  # an ordinary text, such as 0xyz
                    return text
        elif text[:1] == "\0":
            try:
                octets = binascii.a2b_base64(text[1:].encode("ascii"), strict_mode=True)
                # Even so it takes any number of = after groups that are whole.
                if len(text) - 1 == (len(octets) + 2) // 3 * 4:
                    return octets
            except ValueError:
                pass
            raise RemoteProtocolError(
                f"JSON text that starts with U+0000 and is not base64: {text[1:25]!r}"
            )
        if self._decimals and _DECIMAL.fullmatch(text):
            try:
                return Decimal(text)
            except InvalidOperation:
                return text
        return text

    def serialize(self, obj: Any) -> bytes:
        data = self.pack(obj)
        return data + self.SEPARATOR if self._batched else data

    def unserialize(self, payload: bytes) -> list[Any]:
        if not self._batched:
            return [self.unpack(payload)]
        # Neither octet occurs in JSON, which escapes control characters.
        chunks = payload.replace(b"\x18", self.SEPARATOR).split(self.SEPARATOR)
        if chunks.pop():
            raise RemoteProtocolError("a batch of JSON that does not end with a separator")
        if not chunks:
            raise RemoteProtocolError("an empty batch")
        return [self.unpack(chunk) for chunk in chunks]


def _refuse_nul(value: Any) -> None:
    if type(value) is str:
        if value[:1] == "\0":
            raise ValueError(f"text that starts with U+0000 means octets in JSON: {value[:24]!r}")
    elif isinstance(value, dict):
        for item in value.values():
            _refuse_nul(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_nul(item)


class JsonSerializer(Serializer):
    """WAMP messages as JSON."""

    SERIALIZER_ID = "json"
    RAWSOCKET_SERIALIZER_ID = 1
    MIME_TYPE = "application/json"

    def __init__(
        self,
        batched: bool = False,
        use_binary_hex_encoding: bool = False,
        use_decimal_from_str: bool = False,
    ) -> None:
        """use_binary_hex_encoding, use_decimal_from_str: see JsonObjectSerializer."""
        super().__init__(
            JsonObjectSerializer(batched, use_binary_hex_encoding, use_decimal_from_str)
        )
