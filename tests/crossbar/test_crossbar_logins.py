"""SCRAM against crossbar.io, and crossbar proving itself to a device that demands it."""

from __future__ import annotations

import os
from typing import Any

import pytest
from devices import LIMIT_S, running
from nacl.pwhash import argon2id
from nacl.signing import VerifyKey

import wamp
from microwamp_rig import crossbar as xb
from microwamp_rig.crossbar import CrossbarNode
from wamp import auth
from wamp.errors import AuthenticationError, SessionAborted

INTERPRETERS = ("tcp-cpython", "tcp-unix")
SEED = xb.CRYPTOSIGN_SEED.hex()
STRANGER = "ab" * 32


def joins(transport: str, node: CrossbarNode, login: list[str]) -> None:
    """A device with that login joins and says so."""
    settings = {"login": login, "prefix": f"com.test.{transport}".replace("-", "_")}
    with running(transport, node.auth_url, settings) as program:
        program.expect("^ready$", LIMIT_S)


def refused(transport: str, node: CrossbarNode, login: list[str], words: str) -> None:
    """It fails with these words, in one sentence."""
    settings = {"login": login, "prefix": "com.test.wrong", "options": {"reconnect": False}}
    with running(transport, node.auth_url, settings) as program:
        program.expect(f"^failed {words}", LIMIT_S)
        assert program.wait() == 1
        assert not any("Traceback" in line for line in program.lines), program.lines


@pytest.mark.parametrize("transport", INTERPRETERS)
def test_scram(transport, crossbar):
    joins(transport, crossbar, ["scram", xb.SCRAM_AUTHID, xb.SCRAM_PASSWORD])


@pytest.mark.parametrize("transport", INTERPRETERS)
def test_scram_that_is_refused(transport, crossbar):
    denied = "SessionAborted: wamp.error.not_authorized: "
    for login, words in (
        (["scram", xb.SCRAM_AUTHID, "wrong"], denied + "SCRAM authentication failed"),
        (["scram", "mallory", "wrong"], denied + "no principal with authid"),
        (
            ["scram", xb.SCRAM_ARGON2_AUTHID, xb.SCRAM_ARGON2_PASSWORD],
            "AuthenticationError: scram: the router wants argon2id",
        ),
    ):
        refused(transport, crossbar, login, words)


async def test_scram_in_a_second_session_needs_no_second_derivation(crossbar):
    derived = []

    class Counting(auth.CrossbarScram):
        def _salted(self, *arguments: Any) -> Any:
            derived.append(arguments)
            return super()._salted(*arguments)

    login = Counting(xb.SCRAM_AUTHID, xb.SCRAM_PASSWORD, os.urandom)
    for _ in range(2):
        async with wamp.Client(crossbar.auth_url, auth=login) as client:
            assert client.details["authmethod"] == "scram"
            assert client.details["authid"] == xb.SCRAM_AUTHID
    assert len(derived) == 1


def argon2(password: bytes, salt: bytes, iterations: int, memory: int) -> bytes:
    return bytes(argon2id.kdf(32, password, salt, opslimit=iterations, memlimit=memory << 10))


async def test_scram_with_argon2id_where_it_can_be_computed(crossbar):
    def login(password: str) -> auth.CrossbarScram:
        return auth.CrossbarScram(xb.SCRAM_ARGON2_AUTHID, password, os.urandom, argon2=argon2)

    async with wamp.Client(crossbar.auth_url, auth=login(xb.SCRAM_ARGON2_PASSWORD)) as client:
        assert client.details["authid"] == xb.SCRAM_ARGON2_AUTHID
    with pytest.raises(SessionAborted, match="SCRAM authentication failed"):
        async with wamp.Client(crossbar.auth_url, auth=login("wrong"), reconnect=False):
            pass


async def test_a_router_that_cannot_know_the_password_is_not_entered(crossbar):
    """crossbar's verifier is right; the same session with another one must not be entered."""

    class Deceived(auth.CrossbarScram):
        def confirm(self, details: dict[str, Any]) -> None:
            changed = dict(details["authextra"], scram_server_signature="A" * 43 + "=")
            super().confirm({**details, "authextra": changed})

    login = Deceived(xb.SCRAM_AUTHID, xb.SCRAM_PASSWORD, os.urandom)
    with pytest.raises(AuthenticationError, match="scram_server_signature is wrong"):
        async with wamp.Client(crossbar.auth_url, auth=login, reconnect=False):
            pass


@pytest.mark.parametrize("transport", INTERPRETERS)
def test_crossbar_proves_itself(transport, crossbar):
    login = ["cryptosign", SEED, xb.CRYPTOSIGN_AUTHID, crossbar.public_key]
    joins(transport, crossbar, login)


@pytest.mark.parametrize("transport", INTERPRETERS)
def test_another_router_key_is_pinned(transport, crossbar):
    refused(
        transport,
        crossbar,
        ["cryptosign", SEED, xb.CRYPTOSIGN_AUTHID, STRANGER],
        "AuthenticationError: the router's key is not the one pinned here",
    )


async def test_crossbar_proves_itself_in_every_session(crossbar, tmp_path):
    path = tmp_path / "device.key"
    path.write_text(f"private-key-ed25519: {SEED}\n")
    path.chmod(0o600)
    login = wamp.Cryptosign(
        path, xb.CRYPTOSIGN_AUTHID, router=("00" * 31 + "01", crossbar.public_key)
    )
    for _ in range(3):
        async with wamp.Client(crossbar.auth_url, auth=login) as client:
            assert client.details["authid"] == xb.CRYPTOSIGN_AUTHID
            assert login.unproved is False


async def test_pynacl_checks_the_proof_on_a_host(crossbar):
    checked = []

    def verify(public: bytes, message: bytes, signature: bytes) -> bool:
        checked.append(VerifyKey(public).verify(message, signature) == message)
        return checked[-1]

    key = bytes.fromhex(crossbar.public_key)
    login = auth.Cryptosign(
        xb.CRYPTOSIGN_SEED,
        authid=xb.CRYPTOSIGN_AUTHID,
        router=key,
        random=os.urandom,
        verify=verify,
    )
    async with wamp.Client(crossbar.auth_url, auth=login):
        assert checked == [True]


async def test_a_login_without_proof_beside_it_is_not_taken(crossbar):
    """The device offers a ticket too, and the router would take it: no proof, no session."""
    key = bytes.fromhex(crossbar.public_key)
    demanding = auth.Cryptosign(xb.CRYPTOSIGN_SEED, router=key, random=os.urandom)
    ticket = auth.Ticket(xb.TICKET_AUTHID, xb.TICKET, allow_clear=True)
    with pytest.raises(AuthenticationError, match="has not proved to cryptosign"):
        logins = [ticket, demanding]
        async with wamp.Client(crossbar.auth_url, auth=logins, reconnect=False):
            pass
