"""SCRAM in both dialects, TOTP, second factors, the router's own key, and what strangers learn."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from nacl.pwhash import argon2id
from nacl.signing import SigningKey, VerifyKey
from peer import REALM, ROLES, Log, Peer, serve

from microwamp._saslprep import saslprep
from microwamp.router import Principal, RealmConfig, Router, Scram, auth, scram
from microwamp.router.directory import Directory
from microwamp_rig.crossbar import make_certificate
from wamp import keys
from wamp.errors import ConfigurationError

KEY = SigningKey(bytes(range(32)))
PUBLIC = KEY.verify_key.encode().hex()
ROUTER = SigningKey(bytes(range(32, 64)))
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
TOTP = "JBSWY3DPEHPK3PXP"
DENIED = "unknown authid or wrong credentials"


# SCRAM as a client computes it, from the specification's pseudocode.


def salted(password: str, extra: dict[str, Any], dialect: str) -> bytes:
    salt = base64.b64decode(extra["salt"])
    if extra["kdf"] == "pbkdf2":
        return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, extra["iterations"])
    octets = argon2id.kdf(32, password.encode(), salt, extra["iterations"], extra["memory"] * 1024)
    return base64.b64encode(octets).rstrip(b"=") if dialect == "scram" else octets


def proof(password: str, dialect: str, authid: str, nonce: str, extra: dict[str, Any]) -> Any:
    """(AUTHENTICATE's signature, the server's signature that must follow)."""
    key = salted(password, extra, dialect)
    client_key = hmac.digest(key, b"Client Key", "sha256")
    cbind = "biws" if dialect == "wamp-scram" else ""
    text = (
        f"n={authid},r={nonce},r={extra['nonce']},s={extra['salt']},i={extra['iterations']},"
        f"c={cbind},r={extra['nonce']}"
    ).encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), text, "sha256")
    server = hmac.digest(hmac.digest(key, b"Server Key", "sha256"), text, "sha256")
    mixed = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    return base64.b64encode(mixed).decode(), base64.b64encode(server).decode()


def code(step: int = 0) -> str:
    """The code of now, or of so many steps from now."""
    key = base64.b32decode(TOTP)
    return auth.totp(key, int(time.time()) // 30 + step)


LOGINS = RealmConfig(
    REALM,
    principals=(
        Principal("pat", scram=Scram(password="pencil")),
        Principal(
            "amy", scram=Scram(password="p4ssw0rd", kdf="argon2id13", iterations=2, memory=64)
        ),
        Principal("a=b,c", scram=Scram(password="comma")),
        Principal(
            "stored",
            scram=Scram(
                salt=SALT.hex(),
                stored_key="586e5df283e6dceb5c3e791d8b8528ec191e664045ce971792e2e6b5bb13e2a6",
                server_key="c1f3cbc1c13a9d35a14c0990eed97629ea225863e566a4314ab99f3f00e5d9d5",
            ),
        ),
        Principal("tim", totp=TOTP),
        Principal("erin", public_keys=(PUBLIC,)),
        Principal("carol", secret="password", salt="salt123"),
        Principal("dora", secret="s", totp=TOTP, factors=("wampcra", "ticket")),
        Principal(
            "dave", scram=Scram(password="pw"), ticket="t", factors=("ticket", "wamp-scram")
        ),
    ),
)


def test_keys_of_rfc_7677():
    keys_of = scram.derive(Scram(password="pencil"), "wamp-scram", SALT)
    assert keys_of.stored.hex() == (
        "586e5df283e6dceb5c3e791d8b8528ec191e664045ce971792e2e6b5bb13e2a6"
    )
    assert keys_of.server.hex() == (
        "c1f3cbc1c13a9d35a14c0990eed97629ea225863e566a4314ab99f3f00e5d9d5"
    )
    nonce = "rOprNGfwEbeRWgbNEkqO"
    whole = nonce + "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    text = f"n=user,r={nonce},r={whole},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={whole}"
    good = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    verifier = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert scram._verify(keys_of, text, good) == verifier
    for wrong in ("", "AAAA", good[:-4], good + "AAAA", good.swapcase(), "!" + good, " " + good):
        assert scram._verify(keys_of, text, wrong) is None, wrong
    assert scram._verify(keys_of, text + " ", good) is None


def test_keys_of_argon2_in_both_dialects():
    config = Scram(password="p4ssw0rd", kdf="argon2id13", iterations=32, memory=512)
    salt = b"1234567890abcdef"
    assert scram.salted_password(config, salt).hex() == (
        "ee4a8acf9d5958354fb79a95ae20692d05e42591ba49fae85eb6700e8b0ed293"
    )
    spec = scram.derive(config, "wamp-scram", salt)
    assert spec.stored.hex() == (
        "cf50bba49f0338f5cae4ff98104504e88e93f4c2f850e5cd5e0a518990cffac9"
    )
    assert spec.server.hex() == (
        "d612ae7a8721824b11d4176f92568f9c28ac11a1174ec41a14b9dee59667400c"
    )
    crossbar = scram.derive(config, "scram", salt)
    nonce = "1234567890abcdef"
    whole = nonce + "fedcba0987654321"
    text = f"n=username,r={nonce},r={whole},s=MTIzNDU2Nzg5MGFiY2RlZg==,i=32,c=,r={whole}"
    signature = "OLDMSlDGaUeUC9+4X2qgd/W55OhuvRu6GUu3Jp2AOYY="
    verifier = "LIQH1j7iOFqjR9YIku3pCyqgW1tN4/cn8VXaR7xX/NY="
    assert scram._verify(crossbar, text, signature) == verifier


def test_saslprep():
    # RFC 4013, section 3, and one of each table.
    assert saslprep("I\u00adX") == "IX"
    assert saslprep("user") == "user" and saslprep("USER") == "USER"
    assert saslprep("\u00aa") == "a" and saslprep("\u2168") == "IX"
    assert saslprep("a\u00a0b") == "a b"
    for wrong in ("\u0007", "\u0627\u0031", "\u0221", "\ue000", "\ufff9", "\u2ff0", "\u200e"):
        with pytest.raises(ValueError, match="not allowed"):
            saslprep(wrong)


def test_names_and_passwords_that_saslprep_prohibits():
    wrong = Principal("pat", scram=Scram(password="bell\x07"))
    with pytest.raises(ConfigurationError, match=r"principal pat: U\+0007"):
        Directory([wrong])


async def challenged(router: Router, **details: Any) -> tuple[Peer, list[Any]]:
    peer = await Peer.connect(router.urls[0])
    return peer, await peer.hello(**details)


async def scram_login(
    router: Router, authid: str, password: str, dialect: str, name: str | None = None
) -> tuple[list[Any], str]:
    """What follows a login by SCRAM, and the verifier it must have."""
    nonce = base64.b64encode(bytes(range(18))).decode()
    peer, challenge = await challenged(
        router, authid=authid, authmethods=[dialect], authextra={"nonce": nonce}
    )
    async with peer:
        assert challenge[:2] == [4, dialect], challenge
        extra = challenge[2]
        if dialect == "scram":
            assert base64.b64decode(extra["nonce"])[:18] == bytes(range(18))
        assert extra["nonce"].startswith(nonce) and len(extra["nonce"]) > len(nonce)
        kdf = {"scram": "argon2id-13", "wamp-scram": "argon2id13"}[dialect]
        assert extra["kdf"] in ("pbkdf2", kdf)
        signature, verifier = proof(password, dialect, name or authid, nonce, extra)
        answer: dict[str, Any] = {}
        if dialect == "wamp-scram":
            answer = {"nonce": extra["nonce"], "channel_binding": None, "cbind_data": None}
        await peer.send(5, signature, answer)
        return await peer.receive(), verifier


async def test_scram_proves_both_sides():
    async with serve(LOGINS) as router:
        for authid, password in (("pat", "pencil"), ("amy", "p4ssw0rd"), ("stored", "pencil")):
            for dialect, key in (
                ("wamp-scram", "verifier"),
                ("scram", "scram_server_signature"),
            ):
                if (authid, dialect) == ("stored", "scram"):
                    continue  # its keys are those of the other dialect
                welcome, verifier = await scram_login(router, authid, password, dialect)
                assert welcome[0] == 2, welcome
                assert welcome[2]["authid"] == authid and welcome[2]["authmethod"] == dialect
                prefix = "v=" if key == "verifier" else ""
                assert welcome[2]["authextra"] == {key: prefix + verifier}
        # RFC 5802: names are escaped; crossbar does not.
        welcome, _ = await scram_login(router, "a=b,c", "comma", "wamp-scram", "a=3Db=2Cc")
        assert welcome[0] == 2
        welcome, _ = await scram_login(router, "a=b,c", "comma", "scram")
        assert welcome[0] == 2


async def test_scram_refuses():
    async with serve(LOGINS) as router:
        rows = (("pat", "Pencil"), ("pat", ""), ("nobody", "pencil"), ("bell\x07", "pencil"))
        for authid, password in rows:
            for dialect in ("wamp-scram", "scram"):
                abort, _ = await scram_login(router, authid, password, dialect)
                expected = [3, {"message": DENIED}, "wamp.error.authentication_denied"]
                assert abort == expected, (authid, dialect)


async def test_scram_checks_what_comes_with_the_proof():
    nonce = base64.b64encode(bytes(16)).decode()
    good = {"channel_binding": None, "cbind_data": None}
    async with serve(LOGINS) as router:
        for change, welcomed in (
            ({}, True),
            ({"nonce": nonce}, False),
            ({"nonce": None}, False),
            ({"channel_binding": "tls-unique"}, False),
            ({"cbind_data": "AAAA"}, False),
        ):
            peer, challenge = await challenged(
                router, authid="pat", authmethods=["wamp-scram"], authextra={"nonce": nonce}
            )
            async with peer:
                signature, _ = proof("pencil", "wamp-scram", "pat", nonce, challenge[2])
                extra = {**good, "nonce": challenge[2]["nonce"], **change}
                await peer.send(5, signature, extra)
                assert ((await peer.receive())[0] == 2) is welcomed, change


async def test_scram_needs_a_nonce_and_a_binding_that_is_there():
    rows: list[tuple[str, dict[str, Any], str]] = [
        ("wamp-scram", {}, "nonce"),
        ("wamp-scram", {"nonce": ""}, "nonce"),
        ("wamp-scram", {"nonce": 5}, "nonce"),
        ("wamp-scram", {"nonce": "not base64!"}, "nonce"),
        ("wamp-scram", {"nonce": "QUJD" * 100}, "nonce"),
        ("scram", {"nonce": "\u00fc"}, "nonce"),
        ("wamp-scram", {"nonce": "QUJD", "channel_binding": "tls-unique"}, "tls-unique"),
        ("wamp-scram", {"nonce": "QUJD", "channel_binding": 5}, "channel binding 5"),
    ]
    async with serve(LOGINS) as router:
        for method, extra, words in rows:
            async with await Peer.connect(router.urls[0]) as peer:
                await peer.send(
                    *(1, REALM),
                    {"roles": ROLES, "authid": "pat", "authmethods": [method], "authextra": extra},
                )
                assert words in await peer.aborted("wamp.error.authentication_denied"), extra


def test_totp_as_rfc_6238_has_it():
    # Appendix B, SHA-1; its codes have eight digits, of which the last six are ours.
    key = b"12345678901234567890"
    for seconds, last in (
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ):
        assert auth.totp(key, seconds // 30) == last, seconds


def test_a_code_is_good_for_one_login_around_its_time():
    (account,) = Directory([Principal("tim", totp=TOTP)])._accounts.values()
    key = base64.b32decode(TOTP)
    step = 1000

    def right(code: str, at: int) -> bool:
        return auth._code_is_right(account, code, lambda: at * 30 + 7)

    assert not right(auth.totp(key, step - 2), step)
    assert not right(auth.totp(key, step + 2), step)
    assert right(auth.totp(key, step - 1), step)
    assert not right(auth.totp(key, step - 1), step)  # a second time
    assert right(auth.totp(key, step + 1), step)
    assert not right(auth.totp(key, step), step + 1)  # an older one
    assert not right("", step + 9) and not right("123", step + 9) and not right("\u0661" * 6, 1)
    assert right(auth.totp(key, step + 9), step + 9)


def test_who_tries_codes_gets_nowhere():
    (account,) = Directory([Principal("tim", totp=TOTP)])._accounts.values()
    key = base64.b32decode(TOTP)
    for step in (1000, 1001, 1005):
        for _ in range(5):
            assert not auth._code_is_right(account, "000000x", partial(float, step * 30))
        # Not even the right one, until the next step.
        good = auth.totp(key, step)
        assert not auth._code_is_right(account, good, partial(float, step * 30 + 29))
    assert auth._code_is_right(account, auth.totp(key, 1006), lambda: 1006 * 30)


async def test_ticket_with_a_code():
    async with serve(LOGINS) as router:
        for answer, welcomed in (("000000x", False), (code(), True), (code(-2), False)):
            peer, challenge = await challenged(router, authid="tim", authmethods=["ticket"])
            async with peer:
                assert challenge == [4, "ticket", {}]
                await peer.send(5, answer, {})
                assert ((await peer.receive())[0] == 2) is welcomed, answer


def cra(secret: str, extra: dict[str, Any]) -> str:
    octets = hmac.digest(secret.encode(), extra["challenge"].encode(), "sha256")
    return base64.b64encode(octets).decode()


async def test_two_factors_one_after_the_other():
    both = {"authid": "dora", "authmethods": ["ticket", "wampcra"]}
    async with serve(LOGINS) as router:
        peer, challenge = await challenged(router, **both)
        async with peer:
            assert challenge[1] == "wampcra"  # the order is the router's
            await peer.send(5, cra("s", challenge[2]), {})
            assert await peer.receive() == [4, "ticket", {}]
            await peer.send(5, code(), {})
            welcome = await peer.receive()
            assert welcome[0] == 2 and welcome[2]["authmethod"] == "wampcra"
            assert welcome[2]["authid"] == "dora"
        # The second one wrong, and the first one wrong.
        peer, challenge = await challenged(router, **both)
        async with peer:
            await peer.send(5, cra("s", challenge[2]), {})
            await peer.receive()
            await peer.send(5, "000000x", {})
            assert await peer.aborted("wamp.error.authentication_denied") == DENIED
        peer, challenge = await challenged(router, **both)
        async with peer:
            await peer.send(5, cra("t", challenge[2]), {})
            assert await peer.aborted("wamp.error.authentication_denied") == DENIED
        # One factor alone is nothing, and says nothing.
        peer, challenge = await challenged(router, authid="dora", authmethods=["ticket"])
        async with peer:
            assert challenge[1] == "ticket"
            await peer.send(5, code(1), {})
            assert await peer.aborted("wamp.error.authentication_denied") == DENIED


async def test_the_proof_of_a_second_factor_comes_with_the_welcome():
    nonce = base64.b64encode(bytes(16)).decode()
    async with serve(LOGINS) as router:
        peer, challenge = await challenged(
            router,
            authid="dave",
            authmethods=["wamp-scram", "ticket"],
            authextra={"nonce": nonce},
        )
        async with peer:
            assert challenge == [4, "ticket", {}]
            await peer.send(5, "t", {})
            challenge = await peer.receive()
            assert challenge[:2] == [4, "wamp-scram"]
            signature, verifier = proof("pw", "wamp-scram", "dave", nonce, challenge[2])
            await peer.send(5, signature, {"nonce": challenge[2]["nonce"]})
            welcome = await peer.receive()
            assert welcome[2]["authmethod"] == "ticket"
            assert welcome[2]["authextra"] == {"verifier": "v=" + verifier}


async def test_a_stranger_is_asked_like_anyone_and_the_same_each_time():
    log = Log()
    async with serve(LOGINS, log=log) as router:
        methods = ["wamp-scram", "wampcra", "ticket"]
        nonce = {"nonce": base64.b64encode(bytes(16)).decode()}

        async def asked(authid: str, offered: list[str]) -> list[Any]:
            peer, challenge = await challenged(
                router, authid=authid, authmethods=offered, authextra=nonce
            )
            await peer.close()
            return challenge

        seen = set()
        for i in range(30):
            first = await asked(f"stranger-{i}", methods)
            again = await asked(f"stranger-{i}", methods)
            assert first[0] == 4 and first[1] == again[1]
            for constant in ("salt", "kdf", "iterations", "memory", "keylen"):
                assert first[2].get(constant) == again[2].get(constant)
            seen.add(first[1])
        assert seen == set(methods)
        # One salt for each, as real principals have.
        salts = [(await asked(f"stranger-{i}", ["wamp-scram"]))[2]["salt"] for i in range(5)]
        assert len(set(salts)) == 5
        # The log says what the client is not told.
        peer, _ = await challenged(router, authid="zed", authmethods=["ticket"])
        async with peer:
            await peer.send(5, "t", {})
            assert await peer.aborted("wamp.error.authentication_denied") == DENIED
        assert "no principal zed" in log.events[-1][1]["message"]
        peer, _ = await challenged(router, authid="tim", authmethods=["ticket"])
        async with peer:
            await peer.send(5, "t", {})
            assert await peer.aborted("wamp.error.authentication_denied") == DENIED
        assert "answer for tim is not the right one" in log.events[-1][1]["message"]


async def test_a_stranger_is_no_guest_where_guests_are_let_in():
    realm = RealmConfig(REALM, anonymous="guest", principals=(Principal("ann", ticket="t"),))
    async with serve(realm) as router:
        for authid in ("ann", "zed"):
            peer, challenge = await challenged(
                router, authid=authid, authmethods=["ticket", "anonymous"]
            )
            async with peer:
                assert challenge[:2] == [4, "ticket"], authid
            peer, welcome = await challenged(
                router, authid=authid, authmethods=["wampcra", "anonymous", "ticket"]
            )
            async with peer:
                assert welcome[0] == 2 and welcome[2]["authrole"] == "guest"


@pytest.fixture
def identity(tmp_path: Path) -> str:
    path = str(tmp_path / "router.key")
    keys.write_key(path, ROUTER.encode(), ROUTER.verify_key.encode())
    return path


def signed(challenge: str, channel: bytes = bytes(32)) -> str:
    message = bytes(a ^ b for a, b in zip(bytes.fromhex(challenge), channel, strict=True))
    return (KEY.sign(message).signature + message).hex()


async def test_the_router_proves_its_key_to_those_who_ask(identity: str):
    ours = bytes(range(100, 132))
    hello: dict[str, Any] = {"authid": "erin", "authmethods": ["cryptosign"]}
    async with serve(LOGINS, identity=identity) as router:
        peer, challenge = await challenged(
            router, **hello, authextra={"pubkey": PUBLIC, "challenge": ours.hex().upper()}
        )
        async with peer:
            extra = challenge[2]
            assert extra["pubkey"] == ROUTER.verify_key.encode().hex()
            octets = bytes.fromhex(extra["signature"])
            assert octets[64:] == ours
            VerifyKey(bytes.fromhex(extra["pubkey"])).verify(octets[64:], octets[:64])
            await peer.send(5, signed(extra["challenge"]), {})
            assert (await peer.receive())[0] == 2
        peer, challenge = await challenged(router, **hello, authextra={"pubkey": PUBLIC})
        async with peer:
            assert set(challenge[2]) == {"challenge", "channel_binding"}
        for wrong in ("", "00" * 31, "zz" * 32, " " + "00" * 32, 5, b"\0" * 32):
            async with await Peer.connect(router.urls[0]) as peer:
                extra = {"pubkey": PUBLIC, "challenge": wrong}
                await peer.send(1, REALM, {"roles": ROLES, **hello, "authextra": extra})
                reason = "wamp.error.authentication_denied"
                assert "authextra.challenge" in await peer.aborted(reason), wrong
    # Without a key of its own it has nothing to say, and the client decides.
    async with serve(LOGINS) as router:
        peer, challenge = await challenged(
            router, **hello, authextra={"pubkey": PUBLIC, "challenge": ours.hex()}
        )
        async with peer:
            assert set(challenge[2]) == {"challenge", "channel_binding"}


async def test_a_router_whose_key_cannot_be_read_does_not_start(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"nothing\.key"):
        async with serve(LOGINS, identity=str(tmp_path / "nothing.key")):
            pass


async def test_channel_binding_on_a_connection_without_tls():
    async with serve(LOGINS) as router:
        for binding in ("tls-unique", "tls-exporter", 5):
            async with await Peer.connect(router.urls[0]) as peer:
                extra = {"pubkey": PUBLIC, "channel_binding": binding}
                await peer.send(
                    1, REALM, {"roles": ROLES, "authmethods": ["cryptosign"], "authextra": extra}
                )
                reason = "wamp.error.authentication_denied"
                assert f"channel binding {binding}" in await peer.aborted(reason)


async def test_channel_binding_on_tls(tmp_path: Path, identity: str):
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    make_certificate(certificate, key)
    ours = bytes(range(100, 132))
    async with serve(
        LOGINS,
        listen=("rss://localhost:0",),
        certificate=str(certificate),
        key=str(key),
        identity=identity,
    ) as router:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=str(certificate))
            context.maximum_version = version
            async with await Peer.connect(router.urls[0], context=context) as peer:
                tls = peer._writer.get_extra_info("ssl_object")
                bound = tls.get_channel_binding("tls-unique")
                hello: dict[str, Any] = {
                    "authmethods": ["cryptosign"],
                    "authextra": {
                        "pubkey": PUBLIC,
                        "channel_binding": "tls-unique",
                        "challenge": ours.hex(),
                    },
                }
                challenge = await peer.hello(**hello)
                if version == ssl.TLSVersion.TLSv1_3:
                    assert challenge[2] == "wamp.error.authentication_denied"
                    assert "tls-unique on TLS 1.2" in challenge[1]["message"]
                    continue
                channel = hashlib.sha256(bound).digest()
                assert challenge[2]["channel_binding"] == "tls-unique"
                octets = bytes.fromhex(challenge[2]["signature"])
                assert octets[64:] == bytes(a ^ b for a, b in zip(ours, channel, strict=True))
                ROUTER.verify_key.verify(octets[64:], octets[:64])
                await peer.send(5, signed(challenge[2]["challenge"], channel), {})
                assert (await peer.receive())[0] == 2
            # A signature without the binding is that of another connection.
            async with await Peer.connect(router.urls[0], context=context) as peer:
                challenge = await peer.hello(**hello)
                await peer.send(5, signed(challenge[2]["challenge"]), {})
                assert await peer.aborted("wamp.error.authentication_denied") == DENIED
            async with await Peer.connect(router.urls[0], context=context) as peer:
                tls = peer._writer.get_extra_info("ssl_object")
                bound = tls.get_channel_binding("tls-unique")
                nonce = base64.b64encode(bytes(16)).decode()
                challenge = await peer.hello(
                    authid="pat",
                    authmethods=["wamp-scram"],
                    authextra={"nonce": nonce, "channel_binding": "tls-unique"},
                )
                extra = challenge[2]
                key_of = salted("pencil", extra, "wamp-scram")
                cbind = base64.b64encode(b"p=tls-unique,," + bound).decode()
                text = (
                    f"n=pat,r={nonce},r={extra['nonce']},s={extra['salt']},"
                    f"i={extra['iterations']},c={cbind},r={extra['nonce']}"
                ).encode()
                client_key = hmac.digest(key_of, b"Client Key", "sha256")
                mask = hmac.digest(hashlib.sha256(client_key).digest(), text, "sha256")
                mixed = bytes(a ^ b for a, b in zip(client_key, mask, strict=True))
                answer = {
                    "nonce": extra["nonce"],
                    "channel_binding": "tls-unique",
                    "cbind_data": base64.b64encode(bound).decode(),
                }
                await peer.send(5, base64.b64encode(mixed).decode(), answer)
                assert (await peer.receive())[0] == 2


def test_costs_have_limits():
    rows: list[tuple[dict[str, Any], str]] = [
        ({"iterations": 0}, "iterations"),
        ({"iterations": 1_000_001}, "iterations"),
        ({"memory": 512}, "argon2id13 only"),
        ({"kdf": "argon2id13"}, "memory must be"),
        ({"kdf": "argon2id13", "memory": 1 << 19}, "memory must be"),
        ({"kdf": "argon2id13", "memory": 1 << 18, "iterations": 21}, "times memory"),
        ({"kdf": "argon2id13", "memory": 64, "salt": "00" * 8}, "16 octets"),
        ({"kdf": "bcrypt"}, "bcrypt"),
        ({"salt": "xy"}, "not hex"),
        ({"salt": "00"}, "8 to 64 octets"),
        ({"dialect": "sasl"}, "sasl"),
        ({"password": ""}, "empty password"),
        ({"password": None}, "password, or"),
        ({"stored_key": "00" * 32}, "password, or"),
        ({"password": None, "stored_key": "00" * 32, "server_key": "00" * 32}, "needs the salt"),
        ({"password": None, "stored_key": "0", "server_key": "0", "salt": "00" * 16}, "64 hex"),
    ]
    for arguments, words in rows:
        with pytest.raises(ConfigurationError, match=words):
            Scram(**{"password": "x", **arguments})
    principals: list[tuple[dict[str, Any], str]] = [
        ({"totp": "1"}, "base32"),
        ({"totp": "JBSWY3DP"}, "10 octets"),
        ({"totp": TOTP, "ticket": "t"}, "ticket or totp"),
        ({"ticket": "t", "factors": ("ticket",)}, "two or more"),
        ({"ticket": "t", "factors": ("ticket", "ticket")}, "two or more"),
        ({"ticket": "t", "factors": ("ticket", "wampcra")}, "check wampcra with"),
        ({"ticket": "t", "factors": ("ticket", "face")}, "unknown factor face"),
        ({"secret": "s", "iterations": 1_000_001}, "iterations"),
    ]
    for principal, words in principals:
        with pytest.raises(ConfigurationError, match=words):
            Principal("a", **principal)


def test_secrets_are_not_shown():
    one = Principal("a", totp=TOTP, scram=Scram(password="hush"))
    assert TOTP not in repr(one) and "hush" not in repr(one)
    assert "hush" not in repr(Scram(password="hush"))
