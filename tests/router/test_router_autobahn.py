"""autobahn 26.10 as the client of our router: the other implementation understands us."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from peer import Log, serve

from microwamp.router import Principal, RealmConfig, Scram
from microwamp_rig.crossbar import program

KEY = SigningKey(bytes(range(32)))
SCRIPT = Path(__file__).with_name("autobahn_client.py")


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    ("scheme", "serializer"), (("rs", "cbor"), ("ws", "json.batched"), ("ws", "ubjson"))
)
async def test_autobahn_logs_in_calls_and_publishes(scheme, serializer):
    logins = [
        {"kind": "ticket", "authid": "alice", "ticket": "ticket-1"},
        {"kind": "wampcra", "authid": "bob", "secret": "secret-1"},
        {"kind": "wampcra", "authid": "carol", "secret": "password"},
        {
            "kind": "cryptosign",
            "authid": "erin",
            "privkey": KEY.encode().hex(),
            "authextra": {"pubkey": KEY.verify_key.encode().hex()},
        },
        {"kind": "scram", "authid": "sam", "password": "password"},
    ]
    closed = RealmConfig(
        "closed",
        principals=(
            Principal("alice", role="boss", ticket="ticket-1"),
            Principal("bob", secret="secret-1"),
            Principal("carol", secret="password", salt="salt123", iterations=1000, keylen=32),
            Principal("erin", public_keys=(KEY.verify_key.encode().hex(),)),
            Principal(
                "sam",
                scram=Scram(password="password", kdf="argon2id13", iterations=4, memory=512),
            ),
        ),
    )
    log = Log()
    opened = RealmConfig("open", anonymous="guest", payload_transparency=True)
    async with serve(closed, opened, listen=(f"{scheme}://127.0.0.1:0",), log=log) as router:
        process = await asyncio.create_subprocess_exec(
            *(str(program().with_name("python")), str(SCRIPT)),
            *(router.urls[0], serializer, json.dumps(logins)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ""},
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), 80)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
    assert process.returncode == 0, err.decode()
    seen = json.loads(out)
    assert seen["logins"] == [
        ["ticket", "alice", "boss"],
        ["wampcra", "bob", "user"],
        ["wampcra", "carol", "user"],
        ["cryptosign", "erin", "user"],
        ["scram", "sam", "user"],
    ]
    assert seen["wrong"].startswith("wamp.error.authentication_denied")
    assert seen["roles"] == ["broker", "dealer"]
    assert seen["add"] == 5
    assert seen["both"] == [[1, 2], {"k": 3}]
    assert seen["octets"] is True
    assert seen["fail"] == ["com.example.error", ["text"], {"code": 7}]
    assert seen["result"] == "done" and seen["progress"] == [0, 1, 2]
    assert seen["timeout"] == "wamp.error.timeout"
    assert seen["where"] == ["com.example.where.here", None]
    assert seen["twice"] == "wamp.error.procedure_already_exists"
    assert seen["unregistered"] == "wamp.error.no_such_procedure"
    assert seen["events"] == [
        [[1], {"k": 2}, "com.topic.a", None],
        [[3], {}, "com.topic.c", None],
        [[3], {}, "com.topic.c", True],
    ]
    assert seen["count"] == 2
    assert seen["sealed call"] == 42 and seen["sealed event"] == "secret"
    assert seen["count of subscribers"] == 1
    assert "violation" not in log.names()
