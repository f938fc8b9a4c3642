"""Modules that are loaded when they are needed, each needed first by a fresh interpreter."""

import subprocess
import sys
from pathlib import Path

import pytest

from microwamp_rig.micropython import command

LIBRARY = Path(__file__).parents[2] / "firmware" / "lib"

FIRST = {
    "an unknown option": (
        "from wamp import messages",
        "messages.check_options(16, {'acknowlege': True})",
        "unknown PUBLISH option acknowlege; known: acknowledge, disclose_me",
    ),
    "an option of a wrong type": (
        "from wamp import messages",
        "messages.check_options(64, {'invoke': 'all'})",
        "REGISTER option invoke is 'all', needed: one of single roundrobin random first last",
    ),
    "a malformed message": (
        "from wamp import messages",
        "messages.validate([36, 0, 1, {}])",
        "EVENT.subscription is 0, not an id (an integer from 1 to 2^53)",
    ),
    "a URI": ("from wamp import messages", "messages.check_uri('a b', 'topic')", "topic 'a b'"),
    "a request without a session": (
        "from wamp.session import Protocol",
        "Protocol(print).call(1, 'com.x')",
        "no session: CALL cannot be sent",
    ),
    "no subscription": (
        "from wamp.session import Protocol",
        "Protocol(print).unsubscribe(1, 77, None)",
        "no such subscription: 77",
    ),
    "octets for a router that is unknown": (
        "from wamp.session import Protocol",
        "Protocol(print).publish(None, 'com.x', b'x', None, {'ppt_scheme': 'mqtt'})",
        "a payload of octets: the router does not announce payload_passthru_mode",
    ),
    "a name of the tables": (
        "from wamp import session",
        "raise session.Protocol(print).join and ValueError(session.ANSWERED)",
        "5",
    ),
    "a frame": (
        "from wamp.rawsocket import Frames",
        "Frames(512).receive(bytes(b'\\x09\\x00\\x00\\x00'))",
        "first octet 0x09",
    ),
    "a refusal": (
        "from wamp.rawsocket import RawSocket",
        "RawSocket().receive(b'\\x7f\\x10\\x00\\x00')",
        "serializer unsupported (error 1)",
    ),
    "an application error": (
        "from wamp.errors import ApplicationError",
        "raise ApplicationError('com.error', 1)",
        "com.error: 1",
    ),
}


@pytest.mark.parametrize("board", ["cpython", "unix"])
@pytest.mark.parametrize("what", FIRST)
def test_what_a_fresh_interpreter_needs_first(what: str, board: str) -> None:
    interpreter = [sys.executable] if board == "cpython" else command(board)
    first, then, text = FIRST[what]
    program = f"{first}\ntry:\n    {then}\nexcept Exception as e:\n    print(e)\n"
    done = subprocess.run(
        [*interpreter, "-c", program], capture_output=True, text=True, cwd=LIBRARY, timeout=60
    )
    assert text in done.stdout, done
    assert done.returncode == 0, done.stderr
