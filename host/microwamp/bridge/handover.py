"""Hand-over of ports and sessions to another process of the bridge.

What can go on: a device whose router connection is rs:// or rs://unix:. Its tty and its socket are
descriptors, and the state of link and splice is plain data, which goes into a memory file beside
them. TLS and WebSocket have their state in libraries: such a device is told, and joins anew. So
does everybody after an upgrade that changed the link's or the splice's code, because the state is
exactly theirs.
"""

import asyncio
import hashlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

import cbor2

from wamp._port import ticks

# How long the old process waits for what is on its way.
SETTLE_S: Final = 0.5
# Older than this, and the devices have given up, or will have before they are asked.
AGE_MS: Final = 8000
# Descriptors are named by systemd's rules; the memory file is this one.
STATE: Final = "state"

_TUPLE: Final = 65001  # our tag, within the state only

_CODE: Final = (
    "wamp.link",
    "wamp.linkacceptor",
    "wamp.linkcontrol",
    "wamp.linkframe",
    "wamp.linkloss",
    "microwamp.bridge.splice",
    "microwamp.bridge.relay",
    "microwamp.bridge.keeping",
    "microwamp.bridge.handover",
)


def code() -> str:
    """What the state belongs to: a digest of the code that reads and writes it."""
    digest = hashlib.sha256()
    for name in _CODE:
        # By the file, not by what is loaded: a part of the link is loaded with the first loss.
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            with open(spec.origin, "rb") as file:
                digest.update(name.encode() + b"\0" + file.read())
    return digest.hexdigest()


def state_of(link: object) -> dict[str, Any]:
    """The attributes of a link as plain data; its buffers as octets."""
    return {name: _plain(value) for name, value in vars(link).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, tuple):
        # As such: what is sorted together has to be of one type.
        return cbor2.CBORTag(_TUPLE, [_plain(one) for one in value])
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, bool | int | str | bytes):
        return value
    raise TypeError(f"a link holds a {type(value).__name__}, which cannot be handed over")


def _back(value: Any) -> Any:
    if isinstance(value, cbor2.CBORTag) and value.tag == _TUPLE:
        return tuple(_back(one) for one in value.value)
    if isinstance(value, list):
        return [_back(one) for one in value]
    return value


def restore(link: object, state: Mapping[str, Any]) -> None:
    """Make a fresh link, made with the same arguments, what another was. Raises ValueError."""
    mine = vars(link)
    if mine.keys() - state.keys() or any(
        name not in mine and name not in dir(link) for name in state
    ):
        raise ValueError("the link has other attributes")
    for name, value in state.items():
        before = getattr(link, name)
        if isinstance(before, bytearray | memoryview):
            # In place: one buffer may be known under several names.
            if len(before) != len(value):
                raise ValueError(f"the link's {name} has another size")
            memoryview(before)[:] = value
        else:
            setattr(link, name, _back(value))


async def settled(busy: Callable[[], bool]) -> bool:
    """Wait until nothing is on its way any more, SETTLE_S at most; says whether that is so."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + SETTLE_S
    while busy():
        if loop.time() > limit:
            return False
        await asyncio.sleep(0.005)
    return True


def pack(devices: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """(name, descriptor) for a successor, of the devices' `keep`; the first is a memory file."""
    found = []
    for number, state in enumerate(devices):
        for kind in ("port", "router"):
            fd = state[kind]
            state[kind] = f"{kind}-{number}" if fd >= 0 else ""
            if fd >= 0:
                found.append((state[kind], fd))
    memory = os.memfd_create("microwamp-bridge")
    octets = cbor2.dumps({"code": code(), "at": ticks(), "devices": devices})
    with open(os.dup(memory), "wb") as file:
        file.write(octets)
    return [(STATE, memory), *found]


def unpack(descriptors: Mapping[str, int]) -> tuple[list[dict[str, Any]], str]:
    """The devices in what a predecessor handed over, and why there are none, if so."""
    memory = descriptors.get(STATE, -1)
    if memory < 0:
        return [], "no state is among the descriptors"
    try:
        octets = os.pread(memory, os.fstat(memory).st_size, 0)
        state = cbor2.loads(octets)
        age = (ticks() - state["at"]) & 0x3FFFFFFF
        if state["code"] != code():
            return [], "the code of the link has changed"
        if age > AGE_MS:
            return [], f"it is {age} ms old"
        devices = state["devices"]
    except (OSError, ValueError, KeyError, TypeError, cbor2.CBORDecodeError) as e:
        return [], f"the state cannot be read: {e}"
    assert isinstance(devices, list)
    return devices, ""
