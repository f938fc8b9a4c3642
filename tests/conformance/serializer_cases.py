"""What serializers do with unusual octets and values: the same cases for microwamp and autobahn.

`run` takes the modules of one of them. As a program, under the crossbar environment's Python, it
prints the repr of what autobahn does.
"""

import math
from decimal import Decimal
from typing import Any

Outcomes = dict[str, str]


def json(items: bytes) -> bytes:
    """A CALL with these arguments."""
    return b'[48,1,{},"a.b",[' + items + b"]]"


def cbor(item: str) -> bytes:
    """The same with one argument, in hexadecimal digits."""
    return bytes.fromhex("85183001a063612e6281" + item)


def msgpack(item: str) -> bytes:
    return bytes.fromhex("95300180a3612e6291" + item)


def bjdata(item: bytes) -> bytes:
    return b"[U0U\x01{}SU\x03a.b[" + item + b"]]"


LARGE = "b91000" + "".join(f"1b{n << 40:016x}f6" for n in range(1 << 12))  # 40 KiB
HEX = {"use_binary_hex_encoding": True}
BATCHED = {"batched": True}
# What, serializer, its options, octets to read.
READ: list[tuple[str, str, dict[str, Any], bytes]] = [
    ("0x1E in batched JSON", "Json", BATCHED, json(b"1") + b"\x1e"),
    ("0x18 in batched JSON", "Json", BATCHED, json(b"1") + b"\x18"),
    ("an empty batch", "CBOR", BATCHED, b""),
    ("octets after a value in CBOR", "CBOR", {}, cbor("01") + b"\0"),
    ("octets after a value in UBJSON", "UBJSON", {}, bjdata(b"U\x01") + b"\0"),
    ("NaN in JSON", "Json", {}, json(b"NaN")),
    ("U+0000 and no base64 in JSON", "Json", {}, json(b'"\\u0000?"')),
    ("U+0000 and too much padding in JSON", "Json", {}, json(b'"\\u0000AAEC===="')),
    ("half a surrogate pair in JSON", "Json", {}, json(b'"\\ud800"')),
    ("0xyz with use_binary_hex_encoding", "Json", HEX, json(b'"0xyz"')),
    ("65 levels in JSON", "Json", {}, json(b"[" * 64 + b"]" * 64)),
    ("65 levels in MessagePack", "MsgPack", {}, msgpack("91" * 63 + "90")),
    ("65 levels in CBOR", "CBOR", {}, cbor("81" * 63 + "80")),
    ("65 levels in UBJSON", "UBJSON", {}, bjdata(b"[" * 64 + b"]" * 64)),
    ("undefined in CBOR", "CBOR", {}, cbor("f7")),
    ("an unknown tag in CBOR", "CBOR", {}, cbor("d9d9f68101")),
    ("CBOR that says it is CBOR", "CBOR", {}, bytes.fromhex("d9d9f7") + cbor("01")),
    ("a big float in CBOR", "CBOR", {}, cbor("c5822003")),
    ("a regular expression in CBOR", "CBOR", {}, cbor("d8236161")),
    ("values by reference in CBOR", "CBOR", {}, cbor("82d81c80d81d00")),
    ("strings by reference in CBOR", "CBOR", {}, cbor("d901008263616161d81900")),
    ("numbers as keys in CBOR", "CBOR", {}, cbor("a10102")),
    ("many numbers as keys in CBOR", "CBOR", {}, cbor("82" + LARGE * 2)),
    ("numbers as keys in MessagePack", "MsgPack", {}, msgpack("810102")),
    ("an integer in decimal digits in UBJSON", "UBJSON", {}, bjdata(b"HU\x03123")),
    ("a typed array in UBJSON", "UBJSON", {}, bjdata(b"[$U#U\x02\1\2")),
    ("equal keys in JSON", "Json", {}, json(b'{"a":1,"a":2}')),
    ("numbers as text", "Json", {"use_decimal_from_str": True}, json(b'"1.10","E","+5"')),
    ("octets in JSON", "Json", {}, json(b'"\\u0000AAEC"')),
    ("octets in hexadecimal", "Json", HEX, json(b'"0x0001","0x","\\u0000AAEC"')),
    ("a date in CBOR", "CBOR", {}, cbor("c074323031332d30332d32315432303a30343a30305a")),
    ("a decimal in CBOR", "CBOR", {}, cbor("c48221196ab3")),
    ("EVENT_RECEIVED", "Json", {}, b"[337,1]"),
]
# What, serializer, its options, the argument of a CALL.
WRITE: list[tuple[str, str, dict[str, Any], Any]] = [
    ("batched JSON", "Json", BATCHED, 1),
    ("infinity in JSON", "Json", {}, math.inf),
    ("text that starts with U+0000 in JSON", "Json", {}, "\0AAEC"),
    ("a value without a format", "MsgPack", {}, Decimal(1)),
    ("octets to JSON", "Json", {}, b"\0\1\2"),
    ("octets to hexadecimal", "Json", HEX, b"\0\1"),
    ("a decimal to JSON", "Json", {}, Decimal("1.10")),
    ("a decimal to CBOR", "CBOR", {}, Decimal("1.10")),
    ("an integer of 70 bits to UBJSON", "UBJSON", {}, 1 << 70),
    ("an integer of 70 bits to CBOR", "CBOR", {}, 1 << 70),
    ("not a number to CBOR", "CBOR", {}, math.nan),
]


def statistics(serializer: Any, message: Any) -> list[Any]:
    """What the statistics say after some messages, without times."""

    def plain(stats: dict[str, Any]) -> dict[str, Any]:
        return {key: stats[key] for key in stats if key not in ("timestamp", "duration")}

    for size in (1, 500, 600, 1200):
        octets, _ = serializer.serialize(message.Call(1, "a.b", args=["x" * size]))
        serializer.unserialize(octets)
    found: list[Any] = [plain(serializer.stats(reset=False, details=True))]
    found += [serializer.stats_bytes(), serializer.stats_messages()]
    found += [serializer.stats_rated_messages(), plain(serializer.stats())]
    reported: list[Any] = []
    serializer.set_stats_autoreset(4, None, lambda stats: reported.append(plain(stats)))
    for _ in range(5):
        serializer.serialize(message.Call(1, "a.b", args=["x" * 600]))
    found.append(list(reported))
    found.append(plain(serializer.set_stats_autoreset(4, None, lambda stats: None, True)))
    return [*found, plain(serializer.stats())]


def run(serializers: Any, message: Any) -> Outcomes:
    """By case: what comes out, as text; or the name of the exception."""

    def make(name: str, options: dict[str, Any]) -> Any:
        return getattr(serializers, name + "Serializer")(**options)

    def read(name: str, options: dict[str, Any], octets: bytes) -> str:
        found = make(name, options).unserialize(octets)
        return ascii([m.args if m.MESSAGE_TYPE == 48 else m.marshal() for m in found])

    def write(name: str, options: dict[str, Any], value: Any) -> str:
        octets = make(name, options).serialize(message.Call(1, "a.b", args=[value]))[0]
        return bytes(octets).hex()

    cases: dict[str, Any] = {what: (read, *rest) for what, *rest in READ}
    cases |= {what: (write, *rest) for what, *rest in WRITE}
    cases["batched FlatBuffers"] = (lambda: make("FlatBuffers", BATCHED).SERIALIZER_ID,)
    create = serializers.create_transport_serializer
    cases["an unknown serializer id"] = (create, "xml")
    cases["an id with .batched twice"] = (lambda: create("json.batched.batched").SERIALIZER_ID,)
    cases["statistics"] = (lambda: repr(statistics(make("CBOR", {}), message)),)
    found: Outcomes = {}
    for what, (function, *arguments) in cases.items():
        try:
            found[what] = function(*arguments)
        except Exception as error:
            found[what] = type(error).__name__
    return found


def main() -> None:
    import txaio  # type: ignore[import-not-found]

    txaio.use_asyncio()
    from autobahn.wamp import message, serializer  # type: ignore[import-not-found]

    print(repr(run(serializer, message)))


if __name__ == "__main__":
    main()
