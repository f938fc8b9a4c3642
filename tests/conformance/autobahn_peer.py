"""autobahn's serializers, asked over stdin and stdout; run with the Python of crossbar's venv.

Each line is a JSON request, each answer a JSON line:
{"op": "write", "serializer": id, "message": list}: the list, parsed and serialized by autobahn:
{"octets": hex, "message": what autobahn marshals}.
{"op": "read", "serializer": id, "octets": hex}: {"message": ...} as autobahn reads it.
{"op": "pack" or "unpack", ...}: the same for a plain value. Octets within values are {"$": hex}.
What raises answers {"error": text}.
"""

# mypy: ignore-errors

import json
import sys

import txaio

txaio.use_asyncio()

from autobahn.wamp.serializer import (  # noqa: E402
    SERID_TO_OBJSER,
    Serializer,
    create_transport_serializer,
)
from octets_in_json import into, out  # noqa: E402


def answer(request):
    name = request["serializer"]
    if request["op"] == "pack":
        return {"octets": SERID_TO_OBJSER[name]().serialize(into(request["value"])).hex()}
    if request["op"] == "unpack":
        return {"value": SERID_TO_OBJSER[name]().unserialize(bytes.fromhex(request["octets"]))[0]}
    serializer = create_transport_serializer(name)
    if request["op"] == "write":
        wmsg = into(request["message"])
        message = Serializer.MESSAGE_TYPE_MAP[wmsg[0]].parse(wmsg)
        marshalled = message.marshal()
        octets, _ = serializer.serialize(message)
        return {"octets": octets.hex(), "message": marshalled}
    found = serializer.unserialize(bytes.fromhex(request["octets"]))
    return {"messages": [message.marshal() for message in found]}


for line in sys.stdin:
    try:
        reply = out(answer(json.loads(line)))
    except Exception as e:
        reply = {"error": f"{type(e).__name__}: {e}"}
    print(json.dumps(reply), flush=True)
