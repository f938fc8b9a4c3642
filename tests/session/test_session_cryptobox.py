"""cryptobox through crossbar.io: with autobahn at the other end, and with a board."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from autobahn_process import autobahn
from logins import serial_line
from nacl.public import PrivateKey
from sessions import LIMIT_S, Told, close, joined, until

from microwamp.cryptobox import Key, KeyRing
from microwamp.exception import ApplicationError
from microwamp.types import CallResult, PublishOptions, RegisterOptions
from microwamp_rig import micropython
from microwamp_rig.crossbar import CrossbarNode
from microwamp_rig.program import Program

ACKNOWLEDGE = PublishOptions(acknowledge=True, exclude_me=False)
OURS, THEIRS = PrivateKey(bytes(range(32))), PrivateKey(bytes(range(32, 64)))
# What autobahn serves, and what we serve: a URI each, and who is its originator.
AB, OUR = "com.example.box.ab", "com.example.box.our"


def private(key: PrivateKey) -> str:
    return base64.b64encode(key.encode()).decode()


def public(key: PrivateKey) -> str:
    return base64.b64encode(key.public_key.encode()).decode()


AUTOBAHN_KEYS = {
    AB: {"responder_priv": private(THEIRS), "originator_pub": public(OURS)},
    OUR: {"originator_priv": private(THEIRS), "responder_pub": public(OURS)},
}


def ring(**options: Any) -> KeyRing:
    found = KeyRing(**options)
    found.set_key(AB, Key(originator_priv=private(OURS), responder_pub=public(THEIRS)))
    found.set_key(OUR, Key(responder_priv=private(OURS), originator_pub=public(THEIRS)))
    return found


class Watched(Told):
    """Keeps what passes its transport, in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[list[Any]] = []

    def receive(self, wmsg: list[Any]) -> None:
        self.passed.append(wmsg)
        super().receive(wmsg)

    def _send(self, wmsg: list[Any]) -> None:
        self.passed.append(wmsg)
        super()._send(wmsg)

    def payloads(self, code: int) -> list[Any]:
        """What stands in place of the arguments, of messages of this kind."""
        at = {8: 5, 16: 4, 36: 4, 48: 4, 50: 3, 68: 4, 70: 3}[code]
        found = [m[at] for m in self.passed if m[0] == code and len(m) > at]
        self.passed = [m for m in self.passed if m[0] != code]
        return found


@pytest.mark.timeout(90)
async def test_autobahn_at_the_other_end(crossbar: CrossbarNode) -> None:
    async with autobahn(crossbar, AUTOBAHN_KEYS):
        session = Watched()
        session.set_payload_codec(ring())
        await joined(crossbar.url, session)
        # We call and publish, autobahn answers and hears.
        found = await session.call(f"{AB}.echo", "secret", b"\x00\xff", unit="C")
        assert (found.results, found.kwresults) == (("secret", b"\x00\xff"), {"unit": "C"})
        (call,), (result,) = session.payloads(48), session.payloads(50)
        assert type(call) is bytes and type(result) is bytes and b"secret" not in call + result
        published = await session.publish(f"{AB}.topic", "secret", n=1, options=ACKNOWLEDGE)
        assert published.was_encrypted and type(session.payloads(16)[0]) is bytes
        await until_heard(session, [["secret"], {"n": 1}])
        # Its errors: for a URI that it has a key for encrypted, for others in clear.
        for uri, encrypted in ((f"{AB}.failed", True), ("com.example.other", False)):
            session.passed.clear()
            with pytest.raises(ApplicationError) as caught:
                await session.call(f"{AB}.fail", uri, "secret", why="x")
            error = caught.value
            assert (error.error, error.args, error.kwargs) == (uri, ("secret",), {"why": "x"})
            (payload,) = session.payloads(8)
            assert (type(payload) is bytes) is encrypted
        # autobahn calls and publishes, we answer and hear.
        heard: list[Any] = []

        def echo(*args: Any, details: Any, **kwargs: Any) -> CallResult:
            assert details.enc_algo == "cryptobox"
            return CallResult(*args, **kwargs)

        def fail(uri: str, *args: Any) -> None:
            raise ApplicationError(uri, *args, why="x")

        await session.register(echo, f"{OUR}.echo", RegisterOptions(details=True))
        await session.register(fail, f"{OUR}.fail")
        await session.subscribe(lambda *a, **k: heard.append((a, k)), f"{OUR}.topic")
        do = "com.example.ab.do"
        session.passed.clear()
        said = await session.call(do, f"{OUR}.echo", ["secret", b"\x00"], {"unit": "C"})
        assert said == ["result", ["secret", b"\x00"], {"unit": "C"}, []]
        assert all(type(one) is bytes for one in session.payloads(68) + session.payloads(70))
        assert await session.call("com.example.ab.tell", f"{OUR}.topic", ["secret"], {"n": 2})
        await until(lambda: heard)
        assert heard == [(("secret",), {"n": 2})] and type(session.payloads(36)[0]) is bytes
        # Our errors: by default under the procedure's key, which autobahn does not look for.
        session.passed.clear()
        said = await session.call(do, f"{OUR}.fail", ["com.example.other", "secret"], {})
        assert said[:2] == ["error", "wamp.error.encryption.decrypt_error"], said
        assert type(session.payloads(8)[0]) is bytes
        # The switch for its peers: under the error's URI, in clear where that has no key.
        session.set_payload_codec(ring(error_keys="error"))
        for uri, encrypted in ((f"{OUR}.failed", True), ("com.example.other", False)):
            session.passed.clear()
            said = await session.call(do, f"{OUR}.fail", [uri, "secret"], {})
            assert said == ["error", uri, ["secret"], {"why": "x"}]
            assert (type(session.payloads(8)[0]) is bytes) is encrypted
        await close(session)


async def until_heard(session: Told, event: Any) -> None:
    async with asyncio.timeout(LIMIT_S):
        while event not in await session.call("com.example.ab.events"):
            await asyncio.sleep(0.02)


BOARD, BOARD_KEY = "com.example.box.board", PrivateKey(bytes(range(64, 96)))
PROGRAM = Path(__file__).parents[1] / "programs" / "boxed.py"


@asynccontextmanager
async def board(url: str, descriptor: int | None = None) -> AsyncIterator[None]:
    """MicroPython with the device library, joined and ready."""
    settings = {"private": BOARD_KEY.encode().hex(), "public": OURS.public_key.encode().hex()}
    environment = micropython.environment() | {
        "MICROWAMP_URL": url,
        "TEST_DEVICE": json.dumps(settings),
    }
    descriptors = [] if descriptor is None else [descriptor]
    command: list[str | Path] = [*micropython.command("unix"), PROGRAM]
    with Program(command, env=environment, pass_fds=descriptors) as program:
        await asyncio.to_thread(program.expect, "^ready$", LIMIT_S)
        yield


async def with_a_board(session: Watched) -> None:
    """Calls, results, errors and events between a session and a board, all of them encrypted."""
    found = await session.call(f"{BOARD}.echo", "secret", b"\x00\xff", unit="\u00b0C")
    assert (found.results, found.kwresults) == (("secret", b"\x00\xff"), {"unit": "\u00b0C"})
    with pytest.raises(ApplicationError) as caught:
        await session.call(f"{BOARD}.fail", "secret", why="x")
    error = caught.value
    assert (error.error, error.args) == (f"{BOARD}.failed", ("secret",))
    assert error.kwargs == {"why": "x"}
    await session.publish(f"{BOARD}.topic", "secret", n=1, options=ACKNOWLEDGE)
    async with asyncio.timeout(LIMIT_S):
        while await session.call("com.example.board.heard") != [[["secret"], {"n": 1}]]:
            await asyncio.sleep(0.02)
    # The board calls and publishes.
    heard: list[Any] = []

    def fail(*args: Any) -> None:
        raise ApplicationError("com.example.other", *args)

    await session.register(lambda *args: list(args), f"{OUR}.list")
    await session.register(fail, f"{OUR}.fail")
    await session.subscribe(heard.append, f"{OUR}.topic")
    session.passed.clear()
    said = await session.call("com.example.board.call", f"{OUR}.list", ["hidden", 2])
    assert said == [[["hidden", 2]], {}]
    said = await session.call("com.example.board.call", f"{OUR}.fail", ["hidden"])
    assert said == ["com.example.other", ["hidden"], {}]
    await session.call("com.example.board.publish", f"{OUR}.topic", ["hidden"])
    await until(lambda: heard)
    assert heard == ["hidden"]
    sealed = [*session.payloads(68), *session.payloads(70), *session.payloads(8)]
    sealed += session.payloads(36)
    assert len(sealed) == 5 and all(type(one) is bytes for one in sealed)


def ring_for_the_board() -> KeyRing:
    found = KeyRing()
    theirs = public(BOARD_KEY)
    found.set_key(BOARD, Key(originator_priv=private(OURS), responder_pub=theirs))
    found.set_key(OUR, Key(responder_priv=private(OURS), originator_pub=theirs))
    return found


@pytest.mark.timeout(60)
@pytest.mark.parametrize("line", ("tcp", "serial"))
async def test_a_board_at_the_other_end(crossbar: CrossbarNode, line: str) -> None:
    session = Watched()
    session.set_payload_codec(ring_for_the_board())
    await joined(crossbar.url, session)
    if line == "tcp":
        async with board(crossbar.url):
            await with_a_board(session)
    else:
        async with serial_line(crossbar.unix_url) as url, board(url, int(url.split("/")[1])):
            await with_a_board(session)
    await close(session)
