"""WAMP messages, as lists, to FlatBuffers and back, by the table of slots.

Nothing is lost on the way: what has no slot, and what its slot cannot hold (a number that is too
large, a scheme that has no number), is in `rest`, a CBOR map. Values that are absent stay absent.
"""

import struct
from collections.abc import Callable
from typing import Any

from . import buffers
from ._slots import MESSAGES, ROLES, SIDES, WORDS
from .buffers import Blob, Layout, follow, read_octets, read_text, wrong

# Kinds of slots and their code in a table (buffers.WIDTHS).
_CODES = {"bool": "B", "u16": "H", "u32": "I", "u64": "Q"} | dict.fromkeys(WORDS, "B")
_LIMITS = {"u16": 1 << 16, "u32": 1 << 32, "u64": 1 << 64}

# The other dialect of payload passthru, which has the payload's octets as an element of their
# own, in the slots of `ppt_...`: names, and the words of its scheme that are not the same.
_ENC = {"ppt_scheme": "enc_algo", "ppt_serializer": "enc_serializer", "ppt_keyid": "enc_key"}
_PPT = {enc: ppt for ppt, enc in _ENC.items()}
_ENC_WORDS = {**WORDS, "PPTScheme": {"cryptobox": 1, "mqtt": 2, "xbr": 3}}
_PPT_SLOTS = frozenset((*_ENC, "ppt_cipher"))
_NUMBERS = {name: {n: word for word, n in words.items()} for name, words in WORDS.items()}
_ENC_NUMBERS = {name: {n: w for w, n in words.items()} for name, words in _ENC_WORDS.items()}

_ROLE_LAYOUTS = {role: Layout("B" * len(names)) for role, names in ROLES.items()}
_SIDE_LAYOUTS = {side: Layout("O" * len(roles)) for side, roles in SIDES.items()}
_SIDE_OF = {1: "Hello", 2: "Welcome"}
_HOP = Layout("QOO")
_HOP_KEYS = {"session", "authid", "authrole"}

_NUMBER = {"u16": struct.Struct("<H").unpack_from, "u32": struct.Struct("<I").unpack_from}
_NUMBER["u64"] = struct.Struct("<Q").unpack_from

Dump = Callable[[Any], bytes]
Load = Callable[[bytes], Any]


class Message:
    """One row of the table of slots, prepared for reading and writing."""

    def __init__(self, code: int) -> None:
        tag, names, slots = MESSAGES[code]
        self.code, self.tag = code, tag
        self.layout = Layout("".join(_CODES.get(slot[1], "O") if slot else "Q" for slot in slots))
        index = {name: i + 1 for i, name in enumerate(names)}
        self.options = next((index[n] for n in ("options", "details", "extra") if n in index), 0)
        # UNSUBSCRIBED and its like have options only if there are any, as their last element.
        self.optional = names[-1] in ("options", "details") and code in (34, 35, 66, 67)
        self.args = index.get("args", 0)
        self.elements: list[tuple[int, int, str]] = []
        self.keys: dict[str, tuple[int, str]] = {}
        self.slot_of: dict[str, int] = {}
        self.twins: dict[str, int] = {}
        # By slot, for reading: kind, width, name, index of the element (0: an option).
        self.slots: list[tuple[str, int, str, int] | None] = []
        for number, slot in enumerate(slots):
            if slot is None:
                self.slots.append(None)
                continue
            name, kind = slot
            at = index.get(name, 0) if kind != "map" else 0
            self.slots.append((kind, buffers.WIDTHS[_CODES.get(kind, "O")], name, at))
            if kind in ("word", "words"):
                self.twins[name] = number
            elif kind in ("args", "kwargs", "payload", "rest"):
                self.slot_of[kind] = number
            elif at:
                self.elements.append((number, at, kind))
            elif kind != "map":
                self.keys[name] = (number, kind)
        self.minimum = 1 + sum(n not in ("args", "kwargs") for n in names) - self.optional
        self.template = [code, *(0 if self._number(n) else None for n in names)]
        del self.template[self.minimum :]

    def _number(self, name: str) -> bool:
        return any(s and s[2] == name and s[0] in _LIMITS for s in self.slots)

    # -- writing

    def write(self, wmsg: list[Any], dump: Dump, dump_rest: Dump) -> bytes:
        n = len(wmsg)
        values: dict[int, Any] = {}
        for slot, at, kind in self.elements:
            self._element(values, slot, kind, wmsg[at])
        args = self.args
        bare = False
        if args and n > args:
            bare = self._payload(values, wmsg[args:], dump)
        if self.options and n > self.options:
            rest = self._options(values, wmsg[self.options], bare)
            if rest:
                values[self.slot_of["rest"]] = buffers.octets(dump_rest(rest))
        return buffers.message(self.tag, self.layout.write(values))

    def _element(self, values: dict[int, Any], slot: int, kind: str, value: Any) -> None:
        if kind == "text":
            if value is not None:
                values[slot] = buffers.text(value)
        elif kind in _LIMITS:
            if type(value) is not int or not 0 <= value < _LIMITS[kind]:
                raise ValueError(f"{value!r:.40} in place of an id")
            if value:
                values[slot] = value
        elif value in WORDS[kind]:
            values[slot] = WORDS[kind][value]
        else:
            values[self.twins["method"]] = buffers.text(value)

    def _payload(self, values: dict[int, Any], payload: list[Any], dump: Dump) -> bool:
        """Puts the elements from the arguments on; returns whether they are bare octets."""
        first = payload[0]
        kwargs = payload[1] if len(payload) > 1 else None
        if type(first) is bytes:
            if kwargs is not None:
                raise ValueError("keyword arguments beside a payload that is passed through")
            values[self.slot_of["payload"]] = buffers.octets(first)
            return True
        if first or (first is not None and kwargs is None):
            values[self.slot_of["args"]] = buffers.octets(dump(list(first)))
        if kwargs is not None:
            values[self.slot_of["kwargs"]] = buffers.octets(dump(kwargs))
        return False

    def _options(
        self, values: dict[int, Any], options: dict[str, Any], bare: bool
    ) -> dict[str, Any]:
        """Puts each option into its slot; returns those that have none or do not fit."""
        rest = {}
        for key, value in options.items():
            name = _PPT.get(key, key) if bare else key
            found = self.keys.get(name)
            if found is None or (bare and name is key and name in _PPT_SLOTS):
                rest[key] = value
                continue
            slot, kind = found
            t = type(value)
            if kind == "text":
                if t is str:
                    values[slot] = buffers.text(value)
                    continue
            elif kind == "bool":
                if t is bool:
                    values[slot] = value
                    continue
            elif kind in _LIMITS:
                if t is int and 0 <= value < _LIMITS[kind]:
                    values[slot] = value
                    continue
            elif kind in WORDS:
                if t is str:
                    number = (_ENC_WORDS if bare else WORDS)[kind].get(value)
                    if number is not None:
                        values[slot] = number
                        continue
                    if name in self.twins:
                        values[self.twins[name]] = buffers.text(value)
                        continue
            elif t is list and self._vector(values, slot, kind, name, value):
                continue
            elif kind == "roles" and t is dict:
                value = self._roles(values, slot, value)
                if not value:
                    continue
            rest[key] = value
        return rest

    def _vector(
        self, values: dict[int, Any], slot: int, kind: str, name: str, value: list[Any]
    ) -> bool:
        """Puts a list into its slot, unless an item does not fit."""
        if kind == "u64s":
            if not all(type(x) is int and 0 <= x < 1 << 64 for x in value):
                return False
            values[slot] = buffers.ids(value)
        elif kind == "hops":
            blobs = [_hop(x) for x in value]
            if None in blobs:
                return False
            values[slot] = buffers.offsets([blob for blob in blobs if blob])
        elif kind in ("texts", "[AuthMethod]"):
            if not all(type(x) is str for x in value):
                return False
            if kind == "texts":
                values[slot] = buffers.offsets([buffers.text(x) for x in value])
                return True
            numbers = [WORDS["AuthMethod"][x] for x in value if x in WORDS["AuthMethod"]]
            values[slot] = buffers.octets(bytes(numbers))
            if len(numbers) != len(value):
                values[self.twins[name]] = buffers.offsets([buffers.text(x) for x in value])
        else:
            return False
        return True

    def _roles(self, values: dict[int, Any], slot: int, roles: dict[str, Any]) -> dict[str, Any]:
        """Puts roles and features into their tables; returns those that have no place there."""
        side = _SIDE_OF[self.code]
        tables: dict[int, Blob] = {}
        rest: dict[str, Any] = {}
        for role, details in roles.items():
            if role not in SIDES[side] or type(details) is not dict:
                rest[role] = details
                continue
            flags: dict[int, bool] = {}
            beside = {key: value for key, value in details.items() if key != "features"}
            features = details.get("features")
            if type(features) is dict and features:
                names = ROLES[role]
                more = {}
                for name, value in features.items():
                    if type(value) is bool and name in names:
                        flags[names.index(name)] = value
                    else:
                        more[name] = value
                if more:
                    beside["features"] = more
            elif "features" in details:
                beside["features"] = features
            tables[SIDES[side].index(role)] = _ROLE_LAYOUTS[role].write(flags)
            if beside:
                rest[role] = beside
        values[slot] = _SIDE_LAYOUTS[side].write(tables)
        return rest

    # -- reading

    def read(self, data: bytes, pos: int, load: Load, load_rest: Load) -> list[Any]:
        wmsg: list[Any] = self.template[:]
        options: dict[str, Any] = {}
        args = kwargs = payload = rest = None
        passing: dict[str, Any] = {}
        width, found = buffers.fields(data, pos)
        for slot, offset in zip(self.slots, found, strict=False):
            if not offset or slot is None:
                continue
            kind, wide, name, at = slot
            if offset < 4 or offset + wide > width:
                wrong(f"{name} outside of its table")
            place = pos + offset
            value: Any
            if kind == "text" or kind == "word":
                value = read_text(data, place)
            elif kind == "u64" or kind == "u32" or kind == "u16":
                value = _NUMBER[kind](data, place)[0]
            elif kind == "bool":
                value = _flag(data[place], name)
            elif kind == "args":
                args = load(read_octets(data, place))
                if type(args) is not list:
                    wrong(f"args is a {type(args).__name__}, not a list")
                continue
            elif kind == "kwargs":
                kwargs = load(read_octets(data, place))
                if type(kwargs) is not dict:
                    wrong(f"kwargs is a {type(kwargs).__name__}, not a dictionary")
                continue
            elif kind == "payload":
                payload = read_octets(data, place)
                continue
            elif kind == "rest":
                rest = load_rest(read_octets(data, place))
                if type(rest) is not dict:
                    wrong(f"rest is a {type(rest).__name__}, not a dictionary")
                continue
            elif kind in WORDS:
                value = data[place]
                if name not in _PPT_SLOTS:
                    value = _word(_NUMBERS, kind, value, name)
            else:
                value = self._wide(data, place, kind, options)
                if value is None:
                    continue
            if at:
                wmsg[at] = value
            elif name in _PPT_SLOTS:
                passing[name] = value
            else:
                options[name] = value
        if passing:
            _passthru(options, passing, payload is not None)
        self._complete(wmsg, options, rest, args, kwargs, payload)
        return wmsg

    def _wide(self, data: bytes, place: int, kind: str, options: dict[str, Any]) -> Any:
        if kind == "u64s":
            return buffers.read_ids(data, place)
        if kind == "texts" or kind == "words":
            return buffers.read_texts(data, place)
        if kind == "hops":
            return _read_hops(data, place)
        if kind == "[AuthMethod]":
            numbers = read_octets(data, place)
            return [_word(_NUMBERS, "AuthMethod", number, "authmethods") for number in numbers]
        if kind == "roles":
            return _read_roles(data, place, _SIDE_OF[self.code])
        pair = _read_map(data, place)
        if self.code in _SIDE_OF:
            return pair
        options.update(pair)  # `extra`: the dictionary itself
        return None

    def _complete(
        self,
        wmsg: list[Any],
        options: dict[str, Any],
        rest: dict[str, Any] | None,
        args: list[Any] | None,
        kwargs: dict[str, Any] | None,
        payload: bytes | None,
    ) -> None:
        """Puts dictionary and payload where they belong."""
        if self.code in _SIDE_OF and "roles" not in options:
            # autobahn does not write them: all roles that its side can have.
            options["roles"] = {role: {} for role in SIDES[_SIDE_OF[self.code]]}
        if rest:
            if type(rest.get("roles")) is dict and "roles" in options:
                _merge(options["roles"], rest.pop("roles"))
            options.update(rest)
        if self.options:
            if self.optional:
                if options:
                    wmsg.append(options)
            else:
                wmsg[self.options] = options
        if payload is not None:
            if args is not None or kwargs is not None:
                wrong("a payload that is passed through beside arguments")
            wmsg.append(payload)
        elif args is not None or kwargs is not None:
            wmsg.append([] if args is None else args)
            if kwargs is not None:
                wmsg.append(kwargs)


def _word(numbers: dict[str, dict[int, str]], kind: str, number: int, name: str) -> str:
    word = numbers[kind].get(number)
    if word is None:
        wrong(f"{name} is {number}, which is no {kind}")
    return word


def _flag(octet: int, name: str) -> bool:
    if octet > 1:
        wrong(f"{name} is {octet}, not a boolean")
    return octet == 1


def _passthru(options: dict[str, Any], found: dict[str, Any], bare: bool) -> None:
    """The slots of payload passthru as options of the dialect in use."""
    numbers = _ENC_NUMBERS if bare else _NUMBERS
    kinds = {"ppt_scheme": "PPTScheme", "ppt_serializer": "PPTSerializer"}
    for name, value in found.items():
        if type(value) is int:
            if value == 0 and name != "ppt_serializer":
                continue  # NONE and NULL: absent
            value = _word(numbers, kinds.get(name, "PPTCipher"), value, name)
        options[_ENC.get(name, name) if bare else name] = value


def _hop(value: Any) -> Blob | None:
    """One item of `forward_for`, or None if it does not fit."""
    if type(value) is not dict or value.keys() != _HOP_KEYS:
        return None
    session, authid, authrole = value["session"], value["authid"], value["authrole"]
    if type(session) is not int or not 0 <= session < 1 << 64:
        return None
    found: dict[int, Any] = {0: session}
    for slot, name in ((1, authid), (2, authrole)):
        if type(name) is str:
            found[slot] = buffers.text(name)
        elif name is not None:
            return None
    return _HOP.write(found)


def _places(data: bytes, pos: int, widths: tuple[int, ...]) -> list[int]:
    """Where the fields of the table at `pos` stand, by slot; 0 for those that are absent."""
    width, found = buffers.fields(data, pos)
    places = [0] * len(widths)
    for i, (wide, offset) in enumerate(zip(widths, found, strict=False)):
        if offset:
            if offset < 4 or offset + wide > width:
                wrong("a field outside of its table")
            places[i] = pos + offset
    return places


def _read_hops(data: bytes, at: int) -> list[dict[str, Any]]:
    hops = []
    left = len(data)  # as in buffers.read_texts: offsets may lead to the same table
    for place in buffers.read_offsets(data, at):
        session, authid, authrole = _places(data, follow(data, place), (8, 4, 4))
        number = _NUMBER["u64"](data, session)[0] if session else 0
        names = [read_text(data, name) if name else None for name in (authid, authrole)]
        left -= sum(len(name) for name in names if name is not None)
        if left < 0:
            wrong("strings that are longer, all together, than the buffer")
        hops.append({"session": number, "authid": names[0], "authrole": names[1]})
    return hops


def _read_roles(data: bytes, at: int, side: str) -> dict[str, Any]:
    names = SIDES[side]
    roles: dict[str, Any] = {}
    for role, place in zip(names, _places(data, follow(data, at), (4,) * len(names)), strict=True):
        if not place:
            continue
        features = {}
        known = ROLES[role]
        flags = _places(data, follow(data, place), (1,) * len(known))
        for name, flag in zip(known, flags, strict=True):
            if flag and name is not None:
                features[name] = _flag(data[flag], name)
        roles[role] = {"features": features} if features else {}
    return roles


def _read_map(data: bytes, at: int) -> dict[str, str | None]:
    key, value = _places(data, follow(data, at), (4, 4))
    if not key:
        wrong("a pair without a key")
    return {read_text(data, key): read_text(data, value) if value else None}


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if type(value) is dict and type(into.get(key)) is dict:
            _merge(into[key], value)
        else:
            into[key] = value


_BY_CODE = {code: Message(code) for code in MESSAGES}
_BY_TAG = {message.tag: message for message in _BY_CODE.values()}


def encode(wmsg: Any, dump: Dump, dump_rest: Dump) -> bytes:
    """A message, a list as `Message.marshal` returns it, as a buffer.

    dump: serializes the payload; dump_rest: to CBOR. Raises TypeError, ValueError, IndexError or
    KeyError for what is no such list.
    """
    return _BY_CODE[wmsg[0]].write(wmsg, dump, dump_rest)


def decode(data: bytes, load: Load, load_rest: Load) -> list[Any]:
    """The message in a buffer, as a list for `parse`. Raises RemoteProtocolError, and what `load`
    raises."""
    tag, pos = buffers.read_message(data)
    message = _BY_TAG.get(tag)
    if message is None:
        wrong(f"unknown message type {tag}")
    return message.read(data, pos, load, load_rest)
