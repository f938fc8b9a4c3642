"""Checks of single values, by the kinds that the table names, and the errors they lead to.

A kind is a pair: a function that says whether a value fits, and what is expected, for people.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from .._text import shown
from ..exception import LocalProtocolError, RemoteProtocolError
from ._uri import (
    CUSTOM_SCHEME,
    ENC_ALGOS,
    ENC_SERIALIZERS,
    ID_MAX,
    fits_uri,
    is_valid_enc_algo,
    is_valid_enc_serializer,
    matches,
)

Kind: TypeAlias = tuple[Callable[[Any], bool], str]
# Wire key to attribute name, kind, and the type all of whose values fit, if there is one: these
# need no call.
Keys: TypeAlias = dict[str, tuple[str, Kind, type | None]]

# Requests that an ERROR can answer (WAMP basic profile, ERROR).
REQUESTS = {16: "Publish", 32: "Subscribe", 34: "Unsubscribe", 48: "Call", 64: "Register"}
REQUESTS |= {66: "Unregister", 68: "Invocation"}

# URIs that were found good, since programs use the same ones again and again. Emptied when full;
# long ones are checked each time, so that a peer cannot fill the memory (at most 128 KiB or so).
_good: set[str] = set()
_GOOD_MAX = 512
_GOOD_LENGTH = 128


def is_id(value: Any) -> bool:
    return type(value) is int and 0 < value <= ID_MAX


def is_id_or_zero(value: Any) -> bool:
    return type(value) is int and 0 <= value <= ID_MAX


def is_uri(value: Any) -> bool:
    if type(value) is str and value in _good:
        return True
    if not fits_uri(value):
        return False
    if len(value) <= _GOOD_LENGTH:
        if len(_good) >= _GOOD_MAX:
            _good.clear()
        _good.add(value)
    return True


def is_realm(value: Any) -> bool:
    return value is None or is_uri(value)


def is_request_code(value: Any) -> bool:
    return type(value) is int and value in REQUESTS


def is_str(value: Any) -> bool:
    return isinstance(value, str)


def is_bool(value: Any) -> bool:
    return value is True or value is False


def is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= ID_MAX


def is_positive(value: Any) -> bool:
    return type(value) is int and 0 < value <= ID_MAX


def is_dict(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


def is_any(value: Any) -> bool:
    return True


def is_ids(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_id, value))


def is_strs(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def is_hops(value: Any) -> bool:
    """A list of {session: id, authid: string or None, authrole: string, ...}."""
    return isinstance(value, list) and all(
        is_dict(hop)
        and is_id(hop.get("session"))
        and "authid" in hop
        and (hop["authid"] is None or isinstance(hop["authid"], str))
        and isinstance(hop.get("authrole"), str)
        for hop in value
    )


def is_args(value: Any) -> bool:
    return isinstance(value, list | tuple)


def is_octets(value: Any) -> bool:
    return isinstance(value, bytes | bytearray | memoryview)


def is_scheme(value: Any) -> bool:
    return isinstance(value, str) and (value in _SCHEMES or matches(CUSTOM_SCHEME, value))


def is_own_scheme(value: Any) -> bool:
    return is_scheme(value) or (isinstance(value, str) and value in SCHEME_WORDS)


def is_ppt_serializer(value: Any) -> bool:
    return isinstance(value, str) and (value in _PPT_SERIALIZERS or matches(CUSTOM_SCHEME, value))


def is_cipher(value: Any) -> bool:
    return isinstance(value, str) and (value in _PPT_CIPHERS or matches(CUSTOM_SCHEME, value))


_PPT_SERIALIZERS = ("native", *ENC_SERIALIZERS, "opaque", "flexbuffers")
_SCHEMES = ("wamp", "mqtt", "xbr")
# Names of the enumeration (FlatBuffers) that users may give for what stands on the wire.
SCHEME_WORDS = {"cryptobox": "x_cryptobox", "opaque": "x_opaque"}
_PPT_CIPHERS = ("xsalsa20poly1305", "aes256gcm")


def _words(*words: str) -> Kind:
    def fits(value: Any) -> bool:
        return isinstance(value, str) and value in words

    return fits, "one of " + ", ".join(words)


def _or_null(kind: Kind) -> Kind:
    fits, expected = kind

    def fits_or_null(value: Any) -> bool:
        return value is None or fits(value)

    return fits_or_null, expected


ID: Kind = (is_id, "an id (1 to 2^53)")
ID0: Kind = (is_id_or_zero, "an id (1 to 2^53) or 0")
URI: Kind = (is_uri, "a URI")
PATTERN: Kind = (lambda value: fits_uri(value, "any"), "a URI or a pattern of URIs")
REALM: Kind = (is_realm, "a URI or null")
CODE: Kind = (is_request_code, "the code of a request (" + ", ".join(map(str, REQUESTS)) + ")")
STR: Kind = (is_str, "a string")
STR_OR_NULL = _or_null(STR)
BOOL: Kind = (is_bool, "true or false")
COUNT: Kind = (is_count, "an integer from 0 to 2^53")
POSITIVE: Kind = (is_positive, "an integer from 1 to 2^53")
DICT: Kind = (is_dict, "a dictionary with string keys")
DICT_OR_NULL = _or_null(DICT)
ANY: Kind = (is_any, "anything")
IDS: Kind = (is_ids, "a list of ids (1 to 2^53)")
STRS: Kind = (is_strs, "a list of strings")
HOPS: Kind = (is_hops, "a list of dictionaries with session, authid and authrole")
ARGS: Kind = (is_args, "a list")
OCTETS: Kind = (is_octets, "octets")
KWARGS: Kind = DICT
MATCH = _words("exact", "prefix", "wildcard")
INVOKE = _words("single", "first", "last", "roundrobin", "random")
CANCEL = _words("skip", "kill", "killnowait")
INTERRUPT = _words("kill", "killnowait")
ALGO_OR_NULL = _or_null((is_valid_enc_algo, "one of " + ", ".join(ENC_ALGOS) + " or x_..."))
ENCODING_OR_NULL = _or_null(
    (is_valid_enc_serializer, "one of " + ", ".join(ENC_SERIALIZERS) + " or x_...")
)
SCHEME_OR_NULL = _or_null((is_scheme, "one of wamp, mqtt, xbr or x_..."))
OWN_SCHEME: Kind = (is_own_scheme, "one of cryptobox, mqtt, xbr, opaque or x_...")
PPTSER_OR_NULL = _or_null(
    (is_ppt_serializer, "one of " + ", ".join(_PPT_SERIALIZERS) + " or x_...")
)
CIPHER_OR_NULL = _or_null((is_cipher, "one of " + ", ".join(_PPT_CIPHERS) + " or x_..."))


def unfit(name: str, where: str, value: Any, expected: str) -> RemoteProtocolError:
    """The error for a received value; name: of the message, where: the element or option."""
    return RemoteProtocolError(f"{name}.{where}: {shown(value)} found, {expected} expected")


def misuse(name: str, where: str, value: Any, expected: str) -> LocalProtocolError:
    """The error for a value of our own side."""
    return LocalProtocolError(f"{name}.{where}: {shown(value)} given, {expected} needed")
