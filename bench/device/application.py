"""The default application, joined by cryptosign: what it takes of the RAM, what it leaves.

Frozen into the firmware, and as `microwamp deploy` leaves it: .mpy files on stock MicroPython.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from microwamp import boards
from microwamp_rig.rp2040.cures import EmulatorError
from microwamp_rig.rp2040.firmware import Firmware
from microwamp_rig.rp2040.machine import Machine
from microwamp_rig.rp2040.peer import Peer
from wamp import ed25519

STOCK = Path(__file__).resolve().parents[2] / "build" / "RPI_PICO-stock" / "firmware.uf2"
LIMIT_MS = 10_000
_PREFIX = "com.example."
_INVOCATION, _YIELD = 68, 70


def application() -> dict[str, Any]:
    """used, left: octets of the heap after a collection, as its procedure `memory` answers;
    joined: ms from power-on."""
    found: dict[str, Any] = {}
    for kind in ("frozen", "mpy"):
        board = Board(kind)
        memory = board.ask("memory")
        found[f"application.{kind}.used"] = memory["used"]
        found[f"application.{kind}.left"] = memory["free"]
        found[f"application.{kind}.joined"] = round(board.peer.welcomed_at, 3)
        found["micropython"] = board.ask("info")["micropython"]
    return found


class Board:
    """An emulated Pico with the application, joined. kind: "frozen" or "mpy"."""

    def __init__(self, kind: str) -> None:
        seed = bytes(range(32))
        public = ed25519.run(ed25519.public_key(seed)).hex()
        files: dict[str, bytes | str] = {
            "main.py": boards.main_program(),
            "wamp.json": json.dumps({"url": "serial:0?tx=0&rx=1&baud=921600"}),
            "device.key": f"public-key-ed25519: {public}\nprivate-key-ed25519: {seed.hex()}\n",
        }
        if kind == "mpy":
            files |= boards.device_files("armv6m")
        self._machine = Machine(Firmware.load(STOCK if kind == "mpy" else None), files)
        self.peer = Peer(self._machine, 0)
        console = bytearray()
        self._machine.console.on_data = console.extend
        self._machine.power_on()
        self.peer.start()
        last = _PREFIX + "log"
        if not self._machine.run_until(lambda: last in self.peer.ids, LIMIT_MS):
            text = console.decode("utf-8", "replace")
            raise EmulatorError(f"the default application did not join:\n{text}")
        self._machine.run(200)  # the last good configuration is kept, a heartbeat sent

    def ask(self, name: str) -> Any:
        """The result of a procedure without arguments."""
        seen = len(self.peer.received)
        self.peer.send([_INVOCATION, seen, self.peer.ids[_PREFIX + name], {}, []])

        def answers() -> list[Any]:
            return [m for _, m in self.peer.received[seen:] if m[:2] == [_YIELD, seen]]

        if not self._machine.run_until(lambda: bool(answers()), LIMIT_MS):
            raise EmulatorError(f"the default application does not answer {name}")
        return answers()[0][3][0]
