"""How a port and its session go from one process to the next. Functions on a `device.Device`,
apart from what runs with every message."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wamp import _posixport

from . import handover
from .line import WINDOW, Line
from .relay import Relay

if TYPE_CHECKING:
    from .device import Device


async def keep(device: "Device") -> dict[str, Any] | None:
    """See `Device.keep`. A port that is gone is handed over without a descriptor: its session is
    kept for `lost_ms`, by whichever process."""
    port, relay, link = device._port, device._relay, device._link
    if port is None or device._stopping:
        return None
    if port.fileno() < 0 and (device.state != "absent" or not link.is_open):
        return None
    device._stopping = True  # our own part in it; a port that is gone is not opened again
    device._again.set()
    port.pause()
    if device._resting is not None:
        device._resting.cancel()
    if relay is not None:
        relay.hold_still()
    device._alarm.stop()
    await handover.settled(lambda: port.busy() or (relay is not None and relay.backlog() > 0))
    device._alarm.stop()
    kept = None if relay is None or device._ending is not None else relay.state()
    if port.busy() or (device._link.is_open and kept is None):
        return None
    router = -1 if relay is None or kept is None else relay.keep()
    if kept is not None and router < 0:
        return None
    fd = port.fileno()
    return {
        "name": device.name,
        "config": repr(device.config),
        "path": device.path,
        "link": handover.state_of(device._link) if kept is not None else None,
        "relay": kept,
        "software": device.software,
        "counts": device.counts,
        "join_ms": device.join_ms,
        # One of its own: the port may hang up, and be closed, before it is passed on.
        "port": -1 if fd < 0 else os.dup(fd),
        "router": router,
    }


async def adopt(device: "Device", state: Mapping[str, Any], port: int, router: int) -> None:
    """See `Device.adopt`. `run` opens a port that is -1 as soon as it is there."""
    config = device.config
    if port >= 0:
        device.path = state["path"]
        options = {"baud": config.baud, "fd": port}
        try:
            device._port = await _posixport.open_port(device.path, options)
        except BaseException:
            _close(port, router)
            raise
    device.counts.update(state["counts"])
    device.join_ms = state["join_ms"]
    if state["link"] is None:
        _close(router)
        return
    try:
        handover.restore(device._link, state["link"])
    except ValueError:
        device._link = Line(config.lost_ms)  # half of it is the other's
        _close(router)
        raise
    device.software = state["software"]
    device._relay = relay = Relay(device, config, device._tls)
    try:
        await relay.adopt(state["relay"], router)
    except BaseException:
        device._link, device._relay = Line(config.lost_ms), None
        raise
    device.session = relay.realm
    device._counted = relay.splice.messages[0] + relay.splice.answered
    device._link.set_window(WINDOW)
    device.counts["handed_over"] += 1
    device._alarm.within(0)  # a port that never comes back must end the session


def _close(*descriptors: int) -> None:
    for fd in descriptors:
        if fd >= 0:
            os.close(fd)
