"""MicroPython's end of the line, cut after each octet: the library's client on the 32-bit unix
port, in lockstep with virtual time (`microwamp_rig.lockstep`), and the real bridge and router.

A conversation is a client's life: link, login, declarations, publications, calls both ways,
events. At the moment the k-th octet arrives, up or down, something happens to line, bridge or
router, or the board erases flash; for every k, `make hil` shows, for some of them `make test`. The
promises are those of test_chain_under_fire.py.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any, Literal

import pytest
from chain import (
    AT_ONCE_S,
    Chain,
    bridge_killed,
    erased,
    handed_over,
    router_killed,
    unplugged,
    until,
)

from microwamp_rig.lockstep import LockstepBoard
from microwamp_rig.virtual_loop import virtual_time
from microwamp_rig.virtual_port import VirtualPort

PROGRAM = Path(__file__).parents[1] / "programs" / "lockstep.py"
Way = Literal["up", "down"]


class BoardChain(Chain):
    """A chain whose device is MicroPython's. session: the device's, None while there is none.

    before: conversations that are over. memory: what the interpreter had in use after each.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(1, folder, 921600)
        self.sizes = (1, 40)
        self.session: str | None = None
        self.joins = 0
        self.memory: list[int] = []
        self.said: list[str] = []
        processor = self.cable.processor
        self.board = LockstepBoard(PROGRAM, self._write, self._hear, processor=processor)

    def start_device(self) -> None:
        self.line = VirtualPort(self.cable.board, {})
        self.line.plug_in()
        self.line.listen(self.board.feed, lambda error: None)
        self.board.start()

    def _start_program(self) -> None:
        """It is the board's."""

    async def __aexit__(self, *args: Any) -> None:
        self.board.kill()
        await super().__aexit__(*args)
        self.line.close()

    def _write(self, octets: bytes) -> None:
        self.line.write(octets)

    def _hear(self, line: str) -> None:
        self.said.append(line)
        word, _, rest = line.partition(" ")
        if word == "up":
            self.session = rest
            self.joins += 1
        elif word == "down":
            self.session = None
        elif word == "publish":
            self.published.append(int(rest))
        elif word == "published":
            self.acknowledged.append(int(rest))
        elif word in ("called", "uncalled"):
            self.settled["calls"][word == "uncalled"] += 1
        elif word == "off":
            self.memory.append(int(rest))
        else:
            assert word == "unpublished", line

    def check_device(self) -> None:
        assert self.board.failed is None, self.board.failed

    def story(self) -> str:
        return "\n".join([super().story(), *self.said[-20:], str(self.board.status())])

    async def begin(self) -> None:
        """Another client on the board."""
        self.said.clear()
        self.joins = 0
        self.board.tell(str(len(self.published)))

    async def end(self) -> None:
        """The client leaves; the host's begins anew, so that it need not pause for long should the
        router be killed again."""
        await self.host.leave()
        self.host.start()
        over = len(self.memory)
        self.board.tell("off")
        await until(lambda: len(self.memory) > over, self.story, AT_ONCE_S)
        self.session = None
        self.check()
        self.routed.clear()
        self.acknowledged.clear()

    async def length(self) -> dict[Way, int]:
        """Octets of a conversation, each way, until all that it does has been done."""
        wires = self.cable.up, self.cable.down
        sent = [wire.sent for wire in wires]
        await self.begin()
        await self.recovers(AT_ONCE_S)
        up, down = (wire.sent - before for wire, before in zip(wires, sent, strict=True))
        await self.end()
        return {"up": up, "down": down}

    async def cut(self, way: Way, k: int, what: Any, seconds: float, outlived: bool) -> None:
        """A conversation in which that happens when the k-th octet arrives."""
        loop = asyncio.get_running_loop()
        now = asyncio.Event()

        def arrives(at_us: float) -> None:
            loop.call_at(at_us / 1e6 + 1e-6, now.set)

        (self.cable.up if way == "up" else self.cable.down).after(k, arrives)
        await self.begin()
        await now.wait()
        session, joins = self.session, self.joins
        await what(self, seconds)
        await self.recovers(AT_ONCE_S)
        if session is not None and outlived:
            assert (self.session, self.joins) == (session, joins), self.story()
        elif session is not None:
            assert self.session != session and self.joins == joins + 1, self.story()
        await self.end()


# what happens, for how long, whether a session outlives it
FAULTS = [
    (unplugged, 1.0, True),
    (bridge_killed, 0.0, False),
    (router_killed, 0.0, False),
    (handed_over, 0.0, True),
    (erased, 0.4, True),
]
IDS = [what.__name__ for what, _, _ in FAULTS]


def run(folder: Path, fault: Any, share: float) -> None:
    """Cut a share of all conversations, drawn from a seed."""

    async def main() -> None:
        what, seconds, outlived = fault
        rng = random.Random(what.__name__)
        async with BoardChain(str(folder)) as chain:
            chain.work()
            found = await chain.length()
            ways: tuple[Way, ...] = ("up", "down")
            cuts = [(way, k) for way in ways for k in range(1, found[way] + 1)]
            for way, k in cuts if share == 1.0 else rng.sample(cuts, int(len(cuts) * share)):
                try:
                    await chain.cut(way, k, what, seconds, outlived)
                except AssertionError as e:
                    raise AssertionError(f"octet {k} {way} of {found}: {e}") from e
            # The first ones load what is seldom used.
            assert chain.memory[-1] < chain.memory[min(len(chain.memory) // 2, 20)] + 2000
            print(f"{what.__name__}: {len(chain.memory)} conversations of {found} octets")

    with virtual_time() as runner:
        runner.run(main())


@pytest.mark.parametrize("fault", FAULTS, ids=IDS)
def test_some_octets(fault, tmp_path):
    run(tmp_path, fault, 0.01)
