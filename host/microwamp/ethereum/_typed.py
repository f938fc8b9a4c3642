"""EIP-712: typed data as the 32 octets that are signed.

As wallets have it (`eth_signTypedData_v4`): a structure that is null or absent counts as 32 zeros.
Numbers may be given as in JSON, in decimal or hexadecimal text. All else that does not fit, fields
that no type names included, is refused: nobody is to believe signed what was not.
"""

from __future__ import annotations

import re
from typing import Any

from .._text import shown
from ..exception import LocalProtocolError
from ._curve import address_from, keccak

_DOMAIN = "EIP712Domain"
_DOMAIN_FIELDS = {
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
    "salt": "bytes32",
}
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_ARRAY = re.compile(r"(.+)\[([0-9]{0,9})\]", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,78}|0x[0-9a-fA-F]{1,64}")
_SIZED = re.compile(r"(uint|int|bytes)([1-9][0-9]{0,2})")
# Structures and arrays within each other; messages in use have fewer than ten.
_DEPTH = 64

_Fields = list[tuple[str, str]]


def digest(data: dict[str, Any]) -> bytes:
    """The 32 octets to sign for {"types", "primaryType", "domain", "message"}.

    LocalProtocolError names the field that does not fit.
    """
    if not isinstance(data, dict):
        raise _wrong("data", data, "a dictionary")
    for name in ("types", "primaryType", "domain", "message"):
        if name not in data:
            raise LocalProtocolError(f"typed data has no {name} (EIP-712)")
    more = set(data) - {"types", "primaryType", "domain", "message"}
    if more:
        raise _wrong("data", min(more, key=str), "types, primaryType, domain and message only")
    types = _types(data["types"])
    domain, primary = data["domain"], data["primaryType"]
    if not isinstance(domain, dict):
        raise _wrong("domain", domain, "a dictionary")
    if _DOMAIN not in types:
        types[_DOMAIN] = [item for item in _DOMAIN_FIELDS.items() if item[0] in domain]
    if not isinstance(primary, str) or primary not in types or primary == _DOMAIN:
        raise _wrong("primaryType", primary, "one of types, but for EIP712Domain")
    separator = _struct(types, _DOMAIN, domain, "domain", 0)
    return keccak(b"\x19\x01" + separator + _struct(types, primary, data["message"], "message", 0))


def _wrong(where: str, value: Any, expected: str) -> LocalProtocolError:
    return LocalProtocolError(f"{where}: {shown(value)} found, {expected} expected")


def _types(given: Any) -> dict[str, _Fields]:
    """The structures, checked: names, and that each type of a field is there."""
    if not isinstance(given, dict):
        raise _wrong("types", given, "a dictionary")
    types: dict[str, _Fields] = {}
    for name, fields in given.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or _is_plain(name):
            raise _wrong("types", name, "the name of a structure")
        if not isinstance(fields, list):
            raise _wrong(f"types.{name}", fields, "a list")
        types[name] = []
        for field in fields:
            if not isinstance(field, dict) or set(field) != {"name", "type"}:
                raise _wrong(f"types.{name}", field, "a dictionary of name and type")
            own, kind = field["name"], field["type"]
            if not isinstance(own, str) or not _NAME.fullmatch(own):
                raise _wrong(f"types.{name}", own, "the name of a field")
            if own in (known for known, _ in types[name]):
                raise LocalProtocolError(f"types.{name}: two fields {shown(own)}")
            if not isinstance(kind, str):
                raise _wrong(f"types.{name}.{own}", kind, "a type")
            types[name].append((own, kind))
    for name, known in types.items():
        for own, kind in known:
            base = _base(kind)
            if base not in types and not _is_plain(base):
                raise _wrong(f"types.{name}.{own}", kind, "a type of EIP-712, or one of types")
    return types


def _base(kind: str) -> str:
    """The type in an array of arrays of it."""
    depth = 0
    while found := _ARRAY.fullmatch(kind):
        kind = found[1]
        depth += 1
        if depth > _DEPTH:
            break
    return kind


def _is_plain(kind: str) -> bool:
    """Whether it is a type of one value."""
    if kind in ("bool", "address", "string", "bytes"):
        return True
    found = _SIZED.fullmatch(kind)
    if found is None:
        return False
    size = int(found[2])
    return size <= 32 if found[1] == "bytes" else size <= 256 and not size % 8


def _type_hash(types: dict[str, _Fields], name: str) -> bytes:
    seen = {name}
    due = [name]
    while due:
        for _, kind in types[due.pop()]:
            base = _base(kind)
            if base in types and base not in seen:
                seen.add(base)
                due.append(base)
    text = ""
    for one in (name, *sorted(seen - {name})):
        text += f"{one}({','.join(f'{kind} {own}' for own, kind in types[one])})"
    return keccak(text.encode())


def _struct(types: dict[str, _Fields], name: str, value: Any, where: str, depth: int) -> bytes:
    """hashStruct of EIP-712."""
    if not isinstance(value, dict):
        raise _wrong(where, value, f"a dictionary, for a {name}")
    if depth > _DEPTH:
        raise LocalProtocolError(f"{where}: nested deeper than {_DEPTH}")
    unknown = set(value) - {own for own, _ in types[name]}
    if unknown:
        raise _wrong(where, min(unknown, key=str), f"a field of {name}")
    parts = [_type_hash(types, name)]
    for own, kind in types[name]:
        if own not in value and kind not in types:
            raise LocalProtocolError(f"{where}: there is no {own}, which {name} has")
        parts.append(_value(types, kind, value.get(own), f"{where}.{own}", depth + 1))
    return keccak(b"".join(parts))


def _value(types: dict[str, _Fields], kind: str, value: Any, where: str, depth: int) -> bytes:
    """The 32 octets that stand for a value in its structure."""
    if kind in types:
        return bytes(32) if value is None else _struct(types, kind, value, where, depth)
    array = _ARRAY.fullmatch(kind)
    if array is not None:
        if not isinstance(value, list | tuple) or depth > _DEPTH:
            raise _wrong(where, value, f"a list, for {kind}")
        if array[2] and len(value) != int(array[2]):
            raise _wrong(where, value, f"a list of {int(array[2])}")
        return keccak(
            b"".join(
                _value(types, array[1], one, f"{where}[{at}]", depth + 1)
                for at, one in enumerate(value)
            )
        )
    return _plain(kind, value, where)


def _plain(kind: str, value: Any, where: str) -> bytes:
    if kind == "string":
        if isinstance(value, str):
            try:
                return keccak(value.encode())
            except UnicodeError:
                pass
        raise _wrong(where, value, "a text")
    if kind == "bool":
        if isinstance(value, bool):
            return value.to_bytes(32, "big")
        raise _wrong(where, value, "true or false")
    if kind == "address":
        address = address_from(value) if isinstance(value, str) else value
        if isinstance(address, bytes) and len(address) == 20:
            return address.rjust(32, b"\0")
        raise _wrong(where, value, "an address, 0x and 40 hex digits whose checksum is right")
    if kind.startswith("bytes"):
        octets = _hex(value) if isinstance(value, str) else value
        size = int(kind[5:] or 0)
        if not isinstance(octets, bytes) or size and len(octets) != size:
            raise _wrong(where, value, f"{size or 'some'} octets, or 0x and their hex digits")
        return octets.ljust(32, b"\0") if size else keccak(octets)
    bits = int(kind.removeprefix("u")[3:])
    least, most = (0, 2**bits - 1) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    number = value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        number = int(value, 16 if value.startswith("0x") else 10)
    if type(number) is not int or not least <= number <= most:
        raise _wrong(where, value, f"a number of {kind}")
    return (number % 2**256).to_bytes(32, "big")


def _hex(text: str) -> bytes | None:
    if not text.startswith("0x"):
        return None
    try:
        octets = bytes.fromhex(text[2:])
    except ValueError:
        return None
    return octets if 2 * len(octets) == len(text) - 2 else None
