"""The power fails, or the reset pin is pulled, in every state of the protocol; then a clean join.
And Ctrl-C at any instant, which gives the prompt back.

Only on the emulated board, in emulated time alone: one machine boots, joins and works, and at each
of these instants a copy of it loses its power, and another is reset (`forked`). The other end of
the line is a `Peer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, Literal

import pytest
from hil_bench import KEY, device

from microwamp_rig.rp2040 import Machine, Peer, forked
from wamp import messages as m

pytestmark = [pytest.mark.hil, pytest.mark.emulated]

_STEP_MS = 0.2


class Scene:
    """A machine with the device program, and the script of what it goes through."""

    def __init__(self, make: Callable[..., Machine], line: Literal["uart", "console"]) -> None:
        program, files = device(line)
        self.machine = make(files={"main.py": program, **files})
        self.peer = Peer(self.machine, 0 if line == "uart" else "console")
        self.peer.on_message = self._message
        self.results: list[Any] = []
        self.hold = False  # calls and publications of the board stay unanswered
        self._requests = 0

    def _message(self, message: list[Any]) -> bool:
        if message[0] in (m.YIELD, m.ERROR):
            self.results.append(message)
            return True
        if message[0] == m.CALL and not self.hold:
            self.peer.send([m.RESULT, message[1], {}, [sum(message[4])]])
            return True
        return self.hold and message[0] in (m.CALL, m.PUBLISH)

    def seen(self, code: int) -> bool:
        return any(message[0] == code for _, message in self.peer.received)

    def until(self, condition: Callable[[], bool], limit_ms: float = 1500) -> None:
        end = self.machine.ms + limit_ms
        while not condition():
            assert self.machine.ms < end, (self.peer.received[-3:], self.peer.console[-500:])
            self.machine.run(_STEP_MS)

    def invoke(self, name: str, *arguments: Any) -> None:
        self._requests += 1
        registration = self.peer.ids["com.example." + name]
        self.peer.send([m.INVOCATION, self._requests, registration, {}, list(arguments)])

    def ready(self) -> bool:
        """All of the program's declarations have been answered."""
        return "com.example.down" in self.peer.ids and "com.example.fault" in self.peer.ids

    def states(self) -> Iterator[str]:
        """Goes on to each state in turn."""
        machine, peer = self.machine, self.peer
        machine.power_on()
        peer.start()
        machine.run(60)
        yield "before the join"
        self.until(lambda: peer.link.is_open)
        yield "after OPEN"
        self.until(lambda: self.seen(m.HELLO))
        yield "after HELLO"
        machine.run(20)
        assert not self.seen(m.AUTHENTICATE)
        yield "in the signature"
        self.until(lambda: peer.joins == 1)
        machine.run(1)
        yield "after WELCOME"
        self.until(self.ready)
        machine.run(20)
        yield "joined"
        self.hold = True
        self.invoke("calls", 1)
        machine.run(1)
        yield "while it is called"
        self.until(lambda: self.seen(m.CALL))
        yield "in a call"
        self.invoke("publish", 1, 2000)
        octets = peer.link.received
        self.until(lambda: peer.link.received > octets + 3)
        assert not self.seen(m.PUBLISH)
        yield "in a publish"
        self.until(lambda: self.seen(m.PUBLISH))
        self.invoke("write", 10)
        self.until(lambda: machine.flash.busy)
        machine.run(0.1)
        yield "in a flash write"

    def again(self, how: str) -> dict[str, Any]:
        """The power fails and is back after 50 ms, or a reset: what the board is then."""
        machine, peer = self.machine, self.peer
        joins = peer.joins
        peer.on_joined = peer.ids.clear
        self.hold = False
        if how == "power":
            machine.power_cut()
            machine.run(50)
            machine.power_on()
        else:
            machine.hard_reset()
        begin = machine.ms
        self.until(lambda: peer.joins > joins and self.ready())
        took_ms = machine.ms - begin
        machine.run(20)
        self.results.clear()
        self.invoke("add", 20, 22)
        self.until(lambda: bool(self.results))
        added = self.results[0][3]
        self.invoke("calls", 1)
        self.until(lambda: len(self.results) == 2)
        files = machine.files()
        return {
            "joins": peer.joins - joins,
            "took_ms": took_ms,
            "added": added,
            "called": self.results[1][3],
            "torn": machine.torn,
            "key": files["/device.key"].decode() == KEY,
        }


@pytest.mark.parametrize("line", ["uart", "console"])
def test_power_cut_and_reset_in_each_state(
    rp2040_machine: Callable[..., Machine], line: Any
) -> None:
    scene = Scene(rp2040_machine, line)
    for state in scene.states():
        with ExitStack() as stack:
            copies = {
                how: stack.enter_context(forked(partial(scene.again, how)))
                for how in ("power", "reset")
            }
            for how, copy in copies.items():
                after = copy.result()
                # The bridge waits up to a second (docs/link.md, body) for the rest of a frame.
                assert after.pop("took_ms") < (1600 if state == "in a publish" else 600), state
                # The flash finishes what it is doing if it has power.
                torn = int(state == "in a flash write" and how == "power")
                wanted = {"joins": 1, "added": [42], "called": [[1]], "torn": torn, "key": True}
                assert after == wanted, (state, how)


def test_frames_of_the_last_connection_while_the_program_starts(
    rp2040_machine: Callable[..., Machine],
) -> None:
    """A bridge that has not noticed a reset yet: an 03 in its frames must not end the program."""
    scene = Scene(rp2040_machine, "console")
    machine, peer = scene.machine, scene.peer
    frame = bytes.fromhex("f8c10003") + b"\x03" * 40
    for n in range(20):
        machine.after(30 + 5 * n, lambda: machine.console.send(frame))
    machine.power_on()
    peer.start()
    scene.until(lambda: peer.joins == 1 and scene.ready())
    assert "KeyboardInterrupt" not in peer.console.decode("utf-8", "replace")


def interrupted(scene: Scene, after_ms: float) -> str:
    """A call comes in, and so much later Ctrl-C on the console: what is missing of the prompt."""
    machine = scene.machine
    seen = bytearray()
    machine.console.on_data = seen.extend
    scene.invoke("add", 20, 22)
    machine.run(after_ms)
    machine.console.send(b"\r\x03\x03\x02")
    for mark, answer in (
        (b">>> ", b"\x01"),
        (b"raw REPL; CTRL-B to exit\r\n>", b"print(6 * 7)\x04"),
        (b"OK42\r\n", b""),
    ):
        end = machine.ms + 3000  # the bridge is told first, for 2 s at most
        while mark not in seen:
            if machine.ms > end:
                return f"no {mark!r} in {bytes(seen[-800:])!r}"
            machine.run(0.5)
        del seen[: seen.find(mark) + len(mark)]
        machine.console.send(answer)
    return ""


def test_ctrl_c_at_any_instant(rp2040_machine: Callable[..., Machine]) -> None:
    """It interrupts between any two bytecodes: in the library, in asyncio, in the last steps of a
    session that ends by it."""
    scene = Scene(rp2040_machine, "uart")
    scene.machine.power_on()
    scene.peer.start()
    scene.until(scene.ready)
    scene.machine.run(30)
    for n in range(64):
        with forked(partial(interrupted, scene, n * 0.117)) as copy:
            assert copy.result() == "", n
