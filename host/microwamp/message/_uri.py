"""URIs, ids, realm names and the words of payload transparency: the checks that users may call.

The patterns are those of the specification (WAMP basic profile, URIs; advanced profile,
Pattern-based Subscription and Registration), applied to the whole string.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal, overload

from .._text import shown
from ..exception import InvalidUriError, ProtocolError

# Identifiers are integers in [1, 2^53] (WAMP basic profile, IDs).
ID_MAX = 1 << 53

# (strict, components that may be empty) to the pattern. Half a surrogate pair is no character: it
# cannot be sent. Compiled when needed: that is most of what importing this module would cost.
_PATTERNS = {
    (False, ""): r"([^\s.#\ud800-\udfff]+\.)*[^\s.#\ud800-\udfff]+",
    (False, "any"): r"[^\s#\ud800-\udfff]*",
    (False, "last"): r"([^\s.#\ud800-\udfff]+\.)*[^\s.#\ud800-\udfff]*",
    (True, ""): r"([0-9a-z_]+\.)*[0-9a-z_]+",
    (True, "any"): r"[0-9a-z_.]*",
    (True, "last"): r"([0-9a-z_]+\.)*[0-9a-z_]*",
}
_FORMS = {
    (False, ""): "components that are not empty, have no white space and no #, joined by dots",
    (False, "any"): "components without white space and #, joined by dots",
    (False, "last"): "components without white space and #, joined by dots, only the last empty",
    (True, ""): "components of a-z, 0-9 and _ that are not empty, joined by dots",
    (True, "any"): "components of a-z, 0-9 and _, joined by dots",
    (True, "last"): "components of a-z, 0-9 and _, joined by dots, only the last empty",
}
_REALM = r"[A-Za-z][A-Za-z0-9_\-@.]{2,254}"
_REALM_ETH = r"0x[A-Fa-f0-9]{40}"
_REALM_ENS = r"[a-z0-9_\-@.]{2,250}\.eth"
_REALM_REVERSE_ENS = r"eth\.[a-z0-9_\-@.]{2,250}"
# An attribute or a word that somebody defined for himself: as crossbar accepts it, and as the
# specification describes it for schemes of the payload passthru.
CUSTOM = r"x_([a-z][0-9a-z_]+)?"
CUSTOM_SCHEME = r"x_[0-9a-z_]+"

ENC_ALGOS = ("cryptobox", "mqtt", "xbr")
ENC_SERIALIZERS = ("json", "msgpack", "cbor", "ubjson", "flatbuffers")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def matches(pattern: str, value: str) -> bool:
    """Whether the whole of a string is described by a pattern of this module."""
    return _compiled(pattern).fullmatch(value) is not None


def fits_uri(value: Any, empty: str = "", strict: bool = False) -> bool:
    """Whether a value is a URI; empty: which components may be empty, "", "any" or "last"."""
    return isinstance(value, str) and matches(_PATTERNS[strict, empty], value)


@overload
def check_or_raise_uri(
    value: Any,
    message: str = ...,
    strict: bool = ...,
    allow_empty_components: bool = ...,
    allow_last_empty: bool = ...,
    allow_none: Literal[False] = ...,
) -> str: ...


@overload
def check_or_raise_uri(
    value: Any,
    message: str = ...,
    strict: bool = ...,
    allow_empty_components: bool = ...,
    allow_last_empty: bool = ...,
    allow_none: bool = ...,
) -> str | None: ...


def check_or_raise_uri(
    value: Any,
    message: str = "WAMP message invalid",
    strict: bool = False,
    allow_empty_components: bool = False,
    allow_last_empty: bool = False,
    allow_none: bool = False,
) -> str | None:
    """Return the value if it is a URI, else raise InvalidUriError with `message` before it.

    strict: only a-z, 0-9 and _ (what the specification recommends), else anything but white space
    and #. allow_empty_components: for wildcard patterns. allow_last_empty: for prefixes; it takes
    precedence. allow_none: None is returned as it is.
    """
    if value is None and allow_none:
        return None
    empty = "last" if allow_last_empty else "any" if allow_empty_components else ""
    if not fits_uri(value, empty, strict):
        raise InvalidUriError(
            f"{message}: {shown(value)} found, a URI expected: {_FORMS[strict, empty]}"
        )
    return str(value)


def check_or_raise_id(value: Any, message: str = "WAMP message invalid") -> int:
    """Return the value if it is an id, an integer from 1 to 2^53, else raise ProtocolError."""
    if type(value) is not int or not 0 < value <= ID_MAX:
        raise ProtocolError(f"{message}: {shown(value)} found, an id expected: 1 to 2^53")
    return value


def check_or_raise_extra(value: Any, message: str = "WAMP message invalid") -> dict[str, Any]:
    """Return the value if it is a dictionary with string keys, else raise ProtocolError."""
    if not isinstance(value, dict):
        raise ProtocolError(f"{message}: {shown(value)} found, a dictionary expected")
    for key in value:
        if not isinstance(key, str):
            raise ProtocolError(f"{message}: key {shown(key)} found, string keys expected")
    return value


def identify_realm_name_category(value: Any) -> str | None:
    """What kind of realm name a value is.

    "standalone", "eth" (an Ethereum address), "ens" (`name.eth`), "reverse_ens" (`eth.name`), or
    None: not a realm name.
    """
    if not isinstance(value, str):
        return None
    if matches(_REALM_ETH, value):
        return "eth"
    if not matches(_REALM, value):
        return None
    if matches(_REALM_ENS, value):
        return "ens"
    if matches(_REALM_REVERSE_ENS, value):
        return "reverse_ens"
    return "standalone"


def check_or_raise_realm_name(
    value: Any, message: str = "WAMP message invalid", allow_eth: bool = True
) -> str:
    """Return the value if it is a realm name, else raise InvalidUriError.

    A letter, then 2 to 254 letters, digits and `_-@.`; with allow_eth also an Ethereum address.
    """
    category = identify_realm_name_category(value)
    if category is None or (category == "eth" and not allow_eth):
        address = " or 0x and 40 hexadecimal digits" if allow_eth else ""
        raise InvalidUriError(
            f"{message}: {shown(value)} found, a realm name expected: a letter and 2 to 254"
            f" letters, digits and _-@.{address}"
        )
    return str(value)


def is_valid_enc_algo(enc_algo: Any) -> bool:
    """Whether a value is a word for enc_algo: cryptobox, mqtt, xbr or one of your own, `x_...`."""
    return isinstance(enc_algo, str) and (enc_algo in ENC_ALGOS or matches(CUSTOM, enc_algo))


def is_valid_enc_serializer(enc_serializer: Any) -> bool:
    """Whether a value is a word for enc_serializer: a serializer's name or your own, `x_...`."""
    return isinstance(enc_serializer, str) and (
        enc_serializer in ENC_SERIALIZERS or matches(CUSTOM, enc_serializer)
    )
