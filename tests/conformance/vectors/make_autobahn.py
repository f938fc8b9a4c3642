"""Makes autobahn.json: messages that official.json lacks, serialized by autobahn."""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from autobahn_side import ask  # noqa: E402
from make_official import write  # noqa: E402
from octets_in_json import out  # noqa: E402

from microwamp.serializer import UBJSONObjectSerializer  # noqa: E402

REQUEST, INVOCATION, REGISTRATION = 7814135, 6131533, 9823526
MESSAGES: list[list[Any]] = [
    [2, 9129137332, {"roles": {"broker": {}, "dealer": {}}}],
    [8, 48, REQUEST, {}, "com.myapp.error"],
    [8, 48, REQUEST, {}, "com.myapp.error", ["no", 1], {"severity": 3}],
    [49, REQUEST, {}],
    [49, REQUEST, {"mode": "kill"}],
    [66, REQUEST, REGISTRATION],
    [67, REQUEST],
    [67, 0, {"registration": REGISTRATION, "reason": "com.myapp.gone"}],
    [68, INVOCATION, REGISTRATION, {}],
    [68, INVOCATION, REGISTRATION, {"procedure": "com.myapp.add"}, [2, 3.5], {"round": True}],
    [69, INVOCATION, {}],
    [69, INVOCATION, {"mode": "killnowait"}],
    [70, INVOCATION, {}],
    [70, INVOCATION, {"progress": True}, ["part", None], {"of": b"\x00\xff"}],
    [337, 1203],
]
NAMES = ("json", "msgpack", "cbor", "ubjson", "flatbuffers")


def main() -> None:
    questions = [
        {"op": "write", "serializer": name, "message": message}
        for message in MESSAGES
        for name in NAMES
    ]
    octets = iter(answer["octets"] for answer in ask(questions))
    found = []
    for message in MESSAGES:
        forms = {name: [next(octets)] for name in NAMES}
        # autobahn writes BJData only.
        forms["ubjson"].insert(0, UBJSONObjectSerializer(form="ubjson").serialize(message).hex())
        found.append([out(message), forms])
    write(HERE / "autobahn.json", found)


if __name__ == "__main__":
    main()
