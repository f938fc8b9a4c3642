"""microwamp.auth: vectors, autobahn's results, what a hostile router asks for, real logins."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import inspect
import time
from types import SimpleNamespace
from typing import Any

import pytest
from autobahn_side import ask_keys
from covering import covers
from nacl.signing import SigningKey

import wamp
from microwamp import auth
from microwamp.cryptosign import CryptosignKey
from microwamp.exception import (
    AuthenticationError,
    ConfigurationError,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    SessionAborted,
)
from microwamp.interfaces import IAuthenticator
from microwamp.types import Challenge
from microwamp_rig import crossbar as xb

SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
CHALLENGE = (
    '{ "nonce":"LHRTC9zeOIrt_9U3", "authprovider":"userdb", "authid":"peter", '
    '"timestamp":"2014-06-22T16:36:25.448Z", "authrole":"user", "authmethod":"wampcra", '
    '"session":3251278072152162 }'
)
SEED = bytes(range(32))
ROUTER = SigningKey(bytes(range(32, 64)))
RFC6238 = base64.b32encode(b"12345678901234567890").decode()


def answer(login: auth.Authenticator, extra: dict[str, Any], session: Any = None) -> str:
    return asyncio.run(login.on_challenge(session, Challenge(login.method, extra)))


# What is computed


@covers("auth.pbkdf2")
def test_pbkdf2():
    # RFC 7914, section 11; RFC 6070
    wanted = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
    assert auth.pbkdf2(b"passwd", b"salt", 1, 64).hex().startswith(wanted)
    wanted = "4b007901b765489abead49d926f721d065a429c1"
    assert auth.pbkdf2(b"password", b"salt", 4096, 20, "sha1").hex() == wanted
    for wrong in (
        ("text", b""),
        (b"", "text"),
        (b"", b"", 0),
        (b"", b"", True),
        (b"", b"", 1, 0),
        (b"", b"", 1, 1 << 31),
        (b"", b"", 1, 32, "nosuch"),
        (b"", b"", 1, 32, hashlib.sha256),
    ):
        with pytest.raises(LocalProtocolError, match="^pbkdf2: "):
            auth.pbkdf2(*wrong)


@covers("auth.derive_key")
def test_derive_key():
    key = auth.derive_key("L3L1YUE8Txlw", "salt123", 1000, 32)
    assert key == auth.derive_key(b"L3L1YUE8Txlw", b"salt123")
    assert key == b"qzcdsr9uu/L5hnss3kjNTRe490ETgA70ZBaB5rvnJ5Y="
    with pytest.raises(LocalProtocolError, match="secret"):
        auth.derive_key(7, "salt")  # type: ignore[arg-type]


@covers("auth.compute_wcs")
def test_compute_wcs():
    signature = b"NWktSrMd4ItBSAKYEwvu1bTY7G/sSyjKbz+pNP9c04A="
    assert auth.compute_wcs("secret", CHALLENGE) == signature
    assert auth.compute_wcs(b"secret", CHALLENGE.encode()) == signature
    assert len(auth.compute_wcs("k" * 100, "x")) == 44
    with pytest.raises(LocalProtocolError, match="challenge"):
        auth.compute_wcs("secret", None)  # type: ignore[arg-type]


@covers("auth.generate_wcs")
def test_generate_wcs():
    found = {auth.generate_wcs() for _ in range(50)}
    assert len(found) == 50 and {len(secret) for secret in found} == {14}
    assert all(secret.isalnum() for secret in found)
    assert len(auth.generate_wcs(3)) == 3
    for wrong in (0, -1, 1 << 40, "3"):
        with pytest.raises(LocalProtocolError, match="length"):
            auth.generate_wcs(wrong)  # type: ignore[arg-type]


@covers("auth.generate_totp_secret", "auth.compute_totp", "auth.check_totp")
def test_totp(monkeypatch):
    # RFC 6238, appendix B, the last six digits
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        monkeypatch.setattr(time, "time", lambda: seconds)
        assert auth.compute_totp(RFC6238) == code
        assert auth.check_totp(RFC6238, code)
        for offset in (-1, 1):
            assert auth.check_totp(RFC6238, auth.compute_totp(RFC6238, offset))
        assert not auth.check_totp(RFC6238, auth.compute_totp(RFC6238, 2))
        for wrong in ("", "000000", code[1:], code + "0", int(code), None, "２８７０８２"):
            assert not auth.check_totp(RFC6238, wrong)  # type: ignore[arg-type]
    for secret in ("", "not base32!", "1"):
        with pytest.raises(ConfigurationError):
            auth.compute_totp(secret)
    with pytest.raises(LocalProtocolError):
        auth.compute_totp(RFC6238, 1.0)  # type: ignore[arg-type]
    secret = auth.generate_totp_secret()
    assert len(base64.b32decode(secret)) == 10 and secret != auth.generate_totp_secret()
    assert len(auth.generate_totp_secret(20)) == 32


def test_qrcode_of_a_totp_secret():
    image = auth.qrcode_from_totp(RFC6238, "peter@example.com", "Example & Co")
    assert b"<svg" in image
    assert image != auth.qrcode_from_totp(RFC6238, "peter@example.com", "Example")
    with pytest.raises(ConfigurationError, match="base32"):
        auth.qrcode_from_totp("!", "a", "b")


@covers("auth.derive_scram_credential")
def test_derive_scram_credential():
    credential = auth.derive_scram_credential("dave", "secret")
    assert credential["salt"] == hashlib.sha256(b"dave").hexdigest()[:32]
    assert (credential["kdf"], credential["iterations"], credential["memory"]) == (
        "argon2id-13",
        4096,
        512,
    )
    assert {len(credential["stored-key"]), len(credential["server-key"])} == {64}
    other = auth.derive_scram_credential("dave", "secret", bytes(16))
    assert other["salt"] == "00" * 16 and other["stored-key"] != credential["stored-key"]
    for wrong in (("", "x"), ("x", ""), ("x", "y", b"short"), ("x", "y", "0123456789abcdef")):
        with pytest.raises(LocalProtocolError):
            auth.derive_scram_credential(*wrong)


def test_autobahn_computes_the_same():
    nonce = base64.b64encode(bytes(16)).decode()
    extra = {
        "nonce": base64.b64encode(bytes(32)).decode(),
        "kdf": "argon2id-13",
        "salt": SALT,
        "iterations": 3,
        "memory": 64,
    }
    found = ask_keys(
        ("derive_key", "pässword", "sält", 77, 20),
        ("compute_wcs", "pässword", CHALLENGE),
        ("pbkdf2", b"data", b"salt", 9, 70, "sha512"),
        ("derive_scram_credential", "dave@example.com", "pässword"),
        ("scram", "dave", "pässword", extra, nonce),
    )
    assert found[0] == auth.derive_key("pässword", "sält", 77, 20)
    assert found[1] == auth.compute_wcs("pässword", CHALLENGE)
    assert found[2] == auth.pbkdf2(b"data", b"salt", 9, 70, "sha512")
    assert found[3] == auth.derive_scram_credential("dave@example.com", "pässword")
    login = auth.AuthScram(authid="dave", password="pässword")
    assert login.authextra["nonce"]
    login.login._nonce = nonce  # type: ignore[attr-defined]
    # autobahn's nonce is padded, so the router's does not begin with it as text.
    extra["nonce"] = nonce + "x"
    again = ask_keys(("scram", "dave", "pässword", extra, nonce))[0]
    assert answer(login, extra) == again


# Authenticators


@covers("auth.create_authenticator")
def test_create_authenticator():
    keywords: dict[str, dict[str, Any]] = {
        "anonymous": {},
        "anonymous-proxy": {},
        "ticket": {"authid": "a", "ticket": "secret-t"},
        "totp": {"authid": "a", "secret": RFC6238},
        "wampcra": {"authid": "a", "secret": "secret-t"},
        "scram": {"authid": "a", "password": "secret-t"},
        "wamp-scram": {"authid": "a", "password": "secret-t"},
        "cryptosign": {"privkey": SEED.hex()},
        "cryptosign-proxy": {"privkey": SEED.hex()},
    }
    for name, values in keywords.items():
        common = {"authrole": "r", "authextra": {"x_own": 1}}
        login = auth.create_authenticator(name, **values, **common)
        assert isinstance(login, IAuthenticator) and login.name == name
        assert login.authextra["x_own"] == 1 and login.authextra == login.authextra
        details: dict[str, Any] = {}
        login.hello(details)
        assert details["authrole"] == "r" and details["authextra"]["x_own"] == 1
        assert details.get("authid") == values.get("authid")
        assert "secret-t" not in repr(login) and SEED.hex() not in repr(login)
        for left_out in values:
            if name != "ticket" or left_out != "allow_clear":
                less = {key: value for key, value in values.items() if key != left_out}
                with pytest.raises(ConfigurationError, match="needs"):
                    auth.create_authenticator(name, **less)
        with pytest.raises(ConfigurationError, match=f"{name} has no keyword nosuch"):
            auth.create_authenticator(name, **values, nosuch=1)
        for keyword, wrong in (("authrole", 7), ("authextra", [])):
            with pytest.raises(ConfigurationError, match=keyword):
                auth.create_authenticator(name, **values, **{keyword: wrong})
    for unknown in ("nosuch", None, 7):
        with pytest.raises(ConfigurationError, match="there is no authenticator"):
            auth.create_authenticator(unknown)  # type: ignore[arg-type]
    assert auth.create_authenticator("totp", authid="a", secret=RFC6238).method == "ticket"


def test_secrets_that_cannot_be():
    for name, keywords in (
        ("ticket", {"authid": "", "ticket": "x"}),
        ("ticket", {"authid": "a", "ticket": 7}),
        ("wampcra", {"authid": "a", "secret": 7}),
        ("scram", {"authid": "a", "password": ""}),
        ("scram", {"authid": "a\nb", "password": "x"}),
        ("wamp-scram", {"authid": "a", "password": "\u0221"}),
        ("totp", {"authid": "a", "secret": "!"}),
        ("cryptosign", {"privkey": "00"}),
        ("cryptosign", {"privkey": "zz" * 32}),
        ("cryptosign", {"privkey": SEED.hex(), "key": CryptosignKey.from_bytes(SEED)}),
        ("cryptosign", {"key": CryptosignKey.from_pubkey(bytes(32))}),
        ("cryptosign", {"privkey": SEED.hex(), "router": "00"}),
        ("cryptosign", {"privkey": SEED.hex(), "authextra": {"pubkey": "00" * 32}}),
        ("cryptosign", {"privkey": SEED.hex(), "authextra": {"channel_binding": "nosuch"}}),
    ):
        with pytest.raises(ConfigurationError) as caught:
            auth.create_authenticator(name, **keywords)
        assert SEED.hex() not in str(caught.value)


@covers("auth.AuthScram", "auth.AuthScram.on_welcome")
def test_scram_both_dialects():
    for klass, verifier, kdf in (
        (auth.AuthWampScram, "verifier", "pbkdf2"),
        (auth.AuthScram, "scram_server_signature", "argon2id-13"),
        (auth.AuthScram, "scram_server_signature", "pbkdf2"),
    ):
        login = klass(authid="user", password="pencil")
        extra = {"nonce": login.authextra["nonce"] + "x", "kdf": kdf, "salt": SALT}
        extra.update(iterations=4096 if kdf == "pbkdf2" else 2, memory=64)
        assert login.on_welcome(None, {}) is not None  # no challenge was answered
        answer(login, extra)
        assert login.unproved
        right = login.login._expected  # type: ignore[attr-defined]
        changed = ("B" if right[0] == "A" else "A") + right[1:]
        for wrong in (None, {}, *({verifier: text} for text in (None, "AAAA", changed))):
            why = login.on_welcome(None, wrong)
            assert why is not None and verifier in why
            assert login.unproved
        assert login.on_welcome(None, {verifier: right}) is None
        assert login.authextra["nonce"] != extra["nonce"][:-1], "a nonce for each login"


def test_scram_as_the_rfc_has_it():
    """RFC 7677's password, salt and iterations; the nonces are ours."""
    login = auth.AuthWampScram(authid="us\u00ader", password="pencil")
    assert login.authid == "user"  # SASLprep takes the soft hyphen away
    mine = "rOprNGfwEbeRWgbNEkqO"
    assert login.authextra
    login.login._nonce = mine  # type: ignore[attr-defined]
    nonce = mine + "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    extra = {"nonce": nonce, "kdf": "pbkdf2", "salt": SALT, "iterations": 4096, "memory": None}
    assert answer(login, extra) == "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    verifier = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert login.on_welcome(None, {"verifier": verifier}) is None


def test_argon2id_with_salts_that_libsodium_does_not_take():
    from microwamp.auth._argon2 import argon2id

    assert argon2id(b"password", b"somesalt", 2, 64) != argon2id(b"password", b"somesalt2", 2, 64)
    by_libsodium = argon2id(b"password", b"0123456789abcdef", 2, 64)
    from argon2.low_level import Type, hash_secret_raw

    salt = b"0123456789abcdef"
    assert by_libsodium == hash_secret_raw(b"password", salt, 2, 64, 1, 32, Type.ID, 0x13)
    for salt, memory in ((b"short", 64), (b"0123456789abcdef", 1)):
        with pytest.raises(ConfigurationError, match="at least"):
            argon2id(b"password", salt, 2, memory)


@pytest.mark.parametrize(
    "change",
    [
        {"salt": "s", "iterations": 2**31, "keylen": 32},
        {"salt": "s", "iterations": 1000, "keylen": 10**9},
        {"salt": "s", "iterations": 0, "keylen": 32},
        {"salt": "s", "iterations": -1, "keylen": 32},
        {"salt": "s", "iterations": 1.5, "keylen": 32},
        {"salt": 7},
        {"salt": b"s"},
        {"challenge": None},
        {"challenge": 7},
        {"challenge": "\ud800"},
    ],
)
def test_wampcra_challenges_of_a_hostile_router(change):
    login = auth.AuthWampCra(authid="a", secret="secret-t")
    assert login.authextra == {}
    with pytest.raises((RemoteProtocolError, AuthenticationError)) as caught:
        answer(login, {"challenge": "{}", **change})
    assert "secret-t" not in str(caught.value)


def test_wampcra_salted_with_the_defaults():
    login = auth.AuthWampCra(authid="a", secret="password")
    assert login.authextra == {}
    found = answer(login, {"challenge": CHALLENGE, "salt": "salt123"})
    assert found == "hk/2riA2JqydfL5wLoicrYfAt8uNeP6nikk9kqDhsnM="


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"kdf": "md5"},
        {"kdf": None},
        {"memory": 1 << 32},
        {"memory": None},
        {"memory": 1},
        {"iterations": 1 << 30},
        {"iterations": 0},
        {"kdf": "pbkdf2", "iterations": 1},
        {"kdf": "pbkdf2", "iterations": 2**31},
        {"salt": "not base64"},
        {"salt": ""},
        {"salt": "QQ=="},
        {"channel_binding": "tls-unique"},
    ],
)
def test_scram_challenges_of_a_hostile_router(change):
    login = auth.AuthScram(authid="a", password="secret-t")
    extra = {"nonce": login.authextra["nonce"] + "x", "kdf": "argon2id-13", "salt": SALT}
    extra.update(iterations=2, memory=64)
    with pytest.raises((ProtocolError, AuthenticationError, ConfigurationError)) as caught:
        answer(login, {**extra, **change})
    assert "secret-t" not in str(caught.value)
    assert login.on_welcome(None, {"scram_server_signature": ""}) is not None


def test_a_challenge_of_another_method_or_out_of_order():
    login = auth.AuthTicket(authid="a", ticket="secret-t")
    with pytest.raises(AuthenticationError, match="without HELLO"):
        answer(login, {})
    assert login.authextra == {}
    with pytest.raises(AuthenticationError, match="asks for 'wampcra', offered was ticket"):
        asyncio.run(login.on_challenge(None, Challenge("wampcra", {})))
    assert answer(login, {}) == "secret-t"
    assert login.on_welcome(None, None) is None
    anonymous = auth.AuthAnonymous()
    assert anonymous.authextra == {}
    with pytest.raises(AuthenticationError, match="offered none"):
        answer(anonymous, {})


# cryptosign: binding, and the router's proof


def over_tls(**channel_ids: bytes) -> Any:
    ids = {name.replace("_", "-"): value for name, value in channel_ids.items()}
    return SimpleNamespace(
        transport=SimpleNamespace(transport_details=SimpleNamespace(channel_id=ids))
    )


@pytest.mark.parametrize("binding", ["tls-unique", "tls-exporter"])
def test_cryptosign_bound_to_the_channel(binding):
    channel_id = bytes([0xAA] * 32)
    login = auth.AuthCryptoSign(
        privkey=SEED.hex(),
        authextra={"channel_binding": binding},
        router=ROUTER.verify_key.encode().hex(),
    )
    said = login.authextra
    assert said["channel_binding"] == binding and len(said["challenge"]) == 64
    session = over_tls(**{binding.replace("-", "_"): channel_id})
    theirs = bytes(a ^ 0xAA for a in bytes.fromhex(said["challenge"]))
    extra = {
        "challenge": bytes(range(100, 132)).hex(),
        "channel_binding": binding,
        "pubkey": ROUTER.verify_key.encode().hex(),
        "signature": (ROUTER.sign(theirs).signature + theirs).hex(),
    }
    # Each of these could be somebody in the middle.
    unbound = bytes.fromhex(said["challenge"])
    for change in (
        {"channel_binding": None},
        {"channel_binding": "tls-server-end-point"},
        {"signature": (ROUTER.sign(unbound).signature + unbound).hex()},
        {"signature": None},
        {"signature": "00" * 96},
        {"pubkey": "00" * 32},
    ):
        with pytest.raises(AuthenticationError):
            answer(login, {**extra, **change}, session)
        login._said = said
    with pytest.raises(AuthenticationError, match="no channel id"):
        answer(login, extra, over_tls())
    login._said = said
    assert answer(login, extra, session) == (
        "b031df93dfe797c9ad2641f21ed5c2bffa0135b8c507cce535fde1d52bb11504"
        "c8bfe21553dfc6bccd12da1549d77953d2611696edcc93527a8bd87699b88b00"
        "cecfcccdc2c3c0c1c6c7c4c5dadbd8d9dedfdcddd2d3d0d1d6d7d4d52a2b2829"
    )
    assert not login.unproved


@pytest.mark.parametrize(
    "challenge", [None, 7, "", "00" * 31, "00" * 33, "zz" * 32, " " + "00" * 31 + "0"]
)
def test_cryptosign_challenges_of_a_hostile_router(challenge):
    login = auth.AuthCryptoSign(privkey=SEED.hex())
    assert login.authextra["pubkey"] == CryptosignKey.from_bytes(SEED).public_key()
    with pytest.raises(RemoteProtocolError, match="64 hex digits"):
        answer(login, {"challenge": challenge})
    assert login.authextra
    with pytest.raises(AuthenticationError, match="did not ask"):
        answer(login, {"challenge": "ab" * 32, "channel_binding": "tls-unique"})
    assert login.authextra
    upper = answer(login, {"challenge": "AB" * 32})
    assert login.authextra
    assert upper == answer(login, {"challenge": "ab" * 32})


# Logins for real: the authenticators are what a core session takes, too

LOGINS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("ticket", {"authid": xb.TICKET_AUTHID, "allow_clear": True}, {"ticket": xb.TICKET}),
    ("wampcra", {"authid": xb.CRA_AUTHID}, {"secret": xb.CRA_SECRET}),
    ("wampcra", {"authid": xb.CRA_SALTED_AUTHID}, {"secret": xb.CRA_SALTED_SECRET}),
    ("scram", {"authid": xb.SCRAM_AUTHID}, {"password": xb.SCRAM_PASSWORD}),
    ("scram", {"authid": xb.SCRAM_ARGON2_AUTHID}, {"password": xb.SCRAM_ARGON2_PASSWORD}),
    ("cryptosign", {"authid": xb.CRYPTOSIGN_AUTHID}, {"privkey": xb.CRYPTOSIGN_SEED.hex()}),
]


@pytest.mark.parametrize("name, known, secret", LOGINS)
async def test_logins_to_crossbar(crossbar, name, known, secret):
    login = auth.create_authenticator(name, **known, **secret)
    for _ in range(2):
        async with wamp.Client(crossbar.auth_url, auth=login, reconnect=False) as client:
            assert client.details["authid"] == known["authid"]
            assert client.details["authmethod"] == name
    keyword, value = next(iter(secret.items()))
    other = auth.create_authenticator(name, **known, **{keyword: value[:-2] + "00"})
    with pytest.raises(SessionAborted, match="not_authorized"):
        async with wamp.Client(crossbar.auth_url, auth=other, reconnect=False):
            pass


async def test_crossbar_proves_itself_to_the_authenticator(crossbar):
    for router, right in ((crossbar.public_key, True), ("ab" * 32, False)):
        login = auth.AuthCryptoSign(
            authid=xb.CRYPTOSIGN_AUTHID, privkey=xb.CRYPTOSIGN_SEED.hex(), router=router
        )
        client = wamp.Client(crossbar.auth_url, auth=login, reconnect=False)
        if right:
            async with client:
                assert not login.unproved
        else:
            with pytest.raises(AuthenticationError, match="not the one pinned"):
                async with client:
                    pass


def test_long_derivations_let_the_event_loop_turn():
    login = auth.AuthScram(authid="a", password="b")
    extra = {"nonce": login.authextra["nonce"] + "x", "kdf": "argon2id-13", "salt": SALT}
    extra.update(iterations=2000, memory=512)

    async def both() -> int:
        turns = 0
        task = asyncio.ensure_future(login.on_challenge(None, Challenge("scram", extra)))
        while not task.done():
            turns += 1
            await asyncio.sleep(0)
        await task
        return turns

    assert asyncio.run(both()) > 20


def test_the_interface_is_that_of_the_core():
    from wamp import auth as core

    for name, member in inspect.getmembers(core.Authenticator, inspect.isfunction):
        if not name.startswith("_"):
            assert list(inspect.signature(member).parameters) == list(
                inspect.signature(getattr(auth.Authenticator, name)).parameters
            )
