"""SCRAM, both dialects, and TOTP: published vectors, hostile challenges, who is not let in."""

from binascii import unhexlify

from helpers import raises
from playedrouter import Router, welcome

import wamp
from wamp import auth, authtotp, logins, session
from wamp.ed25519 import run
from wamp.errors import AuthenticationError, ConfigurationError, RemoteProtocolError

RFC_7677 = "rOprNGfwEbeRWgbNEkqO"  # its nonce has 15 octets in base64, not 18 as ours

# name, dialect, authid, password, nonce of the client, extra, proof, the router's verifier
SCRAM = (
    (
        "RFC 7677",
        "Scram",
        "user",
        "pencil",
        RFC_7677,
        {
            "nonce": RFC_7677 + "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "salt": "W22ZaJ0SNY7soEsUEjb6gQ==",
            "kdf": "pbkdf2",
            "iterations": 4096,
            "memory": None,
        },
        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
    (  # computed from the specification's SaltedPassword with CPython's hmac
        "argon2id",
        "Scram",
        "peter",
        "p4ssw0rd",
        "egVDf3DMJh0=",
        {
            "nonce": "egVDf3DMJh0=SBmkFIh7sSo=",
            "salt": "MTIzNDU2Nzg5MGFiY2RlZg==",
            "kdf": "argon2id13",
            "iterations": 32,
            "memory": 512,
        },
        "684/Da4i9wZ3SfKetdxfNPvk0R7xexGhE3I9msko3cU=",
        "CwOVifB0hkzqoT93VKmXPSAJeZIusPc7MMG/JmkCAu0=",
    ),
    (  # as autobahn 26.10 has it
        "crossbar, argon2id",
        "CrossbarScram",
        "username",
        "p4ssw0rd",
        "1234567890abcdef",
        {
            "nonce": "1234567890abcdeffedcba0987654321",
            "salt": "MTIzNDU2Nzg5MGFiY2RlZg==",
            "kdf": "argon2id-13",
            "iterations": 32,
            "memory": 512,
        },
        "OLDMSlDGaUeUC9+4X2qgd/W55OhuvRu6GUu3Jp2AOYY=",
        "LIQH1j7iOFqjR9YIku3pCyqgW1tN4/cn8VXaR7xX/NY=",
    ),
)
FIELD = {"Scram": "verifier", "CrossbarScram": "scram_server_signature"}


def argon2(password, salt, iterations, memory):
    """Of the one password that the rows have."""
    assert (password, salt) == (b"p4ssw0rd", b"1234567890abcdef")
    assert (iterations, memory) == (32, 512)
    return unhexlify("ee4a8acf9d5958354fb79a95ae20692d05e42591ba49fae85eb6700e8b0ed293")


def scram(row, **options):
    """The login of a row as if its nonce was the row's."""
    login = getattr(auth, row[1])(row[2], row[3], lambda count: bytes(range(count)), **options)
    login.hello({})
    login._nonce = row[4]
    return login


def test_scram_signatures():
    for row in SCRAM:
        login = scram(row, argon2=argon2)
        before = dict(row[5])
        signature, extra = run(login.challenge(row[5]))
        assert signature == row[6], row[0]
        assert row[5] == before
        if row[1] == "Scram":
            assert extra == {"nonce": row[5]["nonce"], "channel_binding": None}
        else:
            assert extra == {}
        assert login.unproved is True
        login.confirm({"authextra": {FIELD[row[1]]: row[7]}})
        assert login.unproved is False
        login.welcome({"authmethod": login.method})


def test_scram_verifier():
    row = SCRAM[1]
    login = scram(row, argon2=argon2)
    raises(AuthenticationError, login.welcome, {"authextra": {"verifier": row[7]}})
    run(login.challenge(row[5]))
    for authextra in (
        None,
        {},
        [],
        "x",
        {"verifier": None},
        {"verifier": 7},
        {"verifier": ""},
        {"verifier": "v="},
        {"verifier": row[7][:-1]},
        {"verifier": row[7] + "="},
        {"verifier": row[6]},
        {"verifier": "v=v=" + row[7]},
        {"scram_server_signature": row[7]},
    ):
        for details in ({"authextra": authextra}, {"authextra": authextra, "authmethod": "x"}):
            raises(AuthenticationError, login.confirm, details)
            raises(AuthenticationError, login.welcome, details)
    raises(AuthenticationError, login.welcome, {})
    login.welcome({"authextra": {"verifier": "v=" + row[7]}})
    login.hello({})
    raises(AuthenticationError, login.welcome, {"authextra": {"verifier": row[7]}})


def test_scram_session_needs_the_verifier():
    row = SCRAM[1]
    for details in (
        welcome(),
        welcome(authmethod="wamp-scram"),
        welcome(authmethod="anonymous"),
        welcome(authmethod="wamp-scram", authextra={"verifier": row[6]}),
    ):
        login = scram(row, argon2=argon2)
        router = Router(login, auth.Anonymous())
        login._nonce = row[4]
        router.answered(router.says(4, "wamp-scram", row[5]))
        report = router.says(2, 77, details)
        assert report[0] == session.ENDED and isinstance(report[1], AuthenticationError), details
    login = scram(row, argon2=argon2)
    router = Router(login, auth.Anonymous())
    login._nonce = row[4]
    router.answered(router.says(4, "wamp-scram", row[5]))
    details = welcome(authmethod="wamp-scram", authextra={"verifier": row[7]})
    assert router.says(2, 77, details)[0] == session.JOINED


def test_scram_hello():
    octets = [b"a" * 17 + b"b", b"a" * 17 + b"c", b"a" * 17 + b"c", b"z" * 18, b"short"]
    login = auth.Scram("peter", "secret", lambda count: octets.pop(0))
    for nonce in ("YWFhYWFhYWFhYWFhYWFhYWFi", "YWFhYWFhYWFhYWFhYWFhYWFj"):
        details = {"authextra": {"site": "roof"}}
        login.hello(details)
        authextra = {"site": "roof", "nonce": nonce, "channel_binding": None}
        assert details == {"authid": "peter", "authextra": authextra}
    for _ in range(3):
        raises(AuthenticationError, login.hello, {})  # the same again; all alike; too short


def test_scram_hostile_challenges():
    good = SCRAM[0][5]
    nonce = RFC_7677
    rows = (
        ({"nonce": None}, RemoteProtocolError),
        ({"nonce": 7}, RemoteProtocolError),
        ({"nonce": ""}, RemoteProtocolError),
        ({"nonce": nonce}, RemoteProtocolError),
        ({"nonce": nonce[:-1] + "x123"}, RemoteProtocolError),
        ({"nonce": "x" + nonce + "123"}, RemoteProtocolError),
        ({"nonce": nonce + ",s=x"}, RemoteProtocolError),
        ({"nonce": nonce + "\n"}, RemoteProtocolError),
        ({"nonce": nonce + "\u00e9"}, RemoteProtocolError),
        ({"nonce": nonce + "x" * 300}, RemoteProtocolError),
        ({"salt": None}, RemoteProtocolError),
        ({"salt": b"W22Z"}, RemoteProtocolError),
        ({"salt": ""}, RemoteProtocolError),
        ({"salt": "W22"}, RemoteProtocolError),
        ({"salt": "W22Z "}, RemoteProtocolError),
        ({"salt": "W2,Z"}, RemoteProtocolError),
        ({"salt": "AAAA" * 50}, RemoteProtocolError),
        ({"kdf": None}, RemoteProtocolError),
        ({"kdf": 1}, RemoteProtocolError),
        ({"kdf": "md5"}, AuthenticationError),
        ({"kdf": "argon2id13", "memory": 512}, AuthenticationError),
        ({"kdf": "argon2id-13", "memory": 1 << 32}, AuthenticationError),
        ({"iterations": None}, RemoteProtocolError),
        ({"iterations": 0}, RemoteProtocolError),
        ({"iterations": "4096"}, RemoteProtocolError),
        ({"iterations": 1}, AuthenticationError),
        ({"iterations": 4095}, AuthenticationError),
        ({"iterations": 100001}, AuthenticationError),
        ({"iterations": 1 << 40}, AuthenticationError),
        ({"channel_binding": "tls-unique"}, AuthenticationError),
        ({"channel_binding": 7}, AuthenticationError),
    )
    for dialect in ("Scram", "CrossbarScram"):
        for changes, error in rows:
            login = scram(("", dialect, "user", "hunter2", nonce))
            extra = dict(good)
            extra.update(changes)
            text = str(raises(error, run, login.challenge(extra)))
            assert "hunter2" not in text and len(text) < 200, text
            assert login.unproved is False
    # Where argon2id can be computed it has limits too.
    for changes, error in (
        ({"memory": None}, RemoteProtocolError),
        ({"memory": 0}, RemoteProtocolError),
        ({"memory": 1 << 32}, AuthenticationError),
        ({"iterations": 1 << 21, "memory": 512}, AuthenticationError),
    ):
        extra = dict(SCRAM[1][5])
        extra.update(changes)
        raises(error, run, scram(SCRAM[1], argon2=argon2).challenge(extra))


def test_scram_challenge_before_hello():
    login = auth.Scram("a", "b", lambda count: bytes(count))
    raises(RemoteProtocolError, run, login.challenge(SCRAM[0][5]))


def test_scram_yields_while_it_derives_and_keeps_the_keys():
    login = scram(SCRAM[0])
    assert len(list(login.challenge(SCRAM[0][5]))) == 4096 // 16 + 1
    assert len(list(login.challenge(SCRAM[0][5]))) == 2
    assert run(login.challenge(SCRAM[0][5]))[0] == SCRAM[0][6]


def test_scram_names_are_escaped_in_the_specifications_form_only():
    for dialect, name in (("Scram", "a=3D=2Cb"), ("CrossbarScram", "a=,b")):
        login = getattr(auth, dialect)("a=,b", "secret", lambda count: bytes(range(count)))
        assert login._name() == name


def test_public_names():
    first, second = wamp.Scram("peter", "secret"), wamp.CrossbarScram("peter", "secret")
    assert (first.method, second.method) == ("wamp-scram", "scram")
    nonces = set()
    for login in (first, first, second):
        details = {}
        login.hello(details)
        nonces.add(details["authextra"]["nonce"])
    assert len(nonces) == 3
    assert wamp.TOTP("alice", "MZXW6YTB", allow_clear=True).method == "ticket"
    year_2025, year_2100 = 1735689600, 4102444800
    assert year_2025 < logins.utc() < year_2100


# -- TOTP

# RFC 6238, appendix B, SHA-1; then six digits of the same.
CODES = (
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
)
RFC_SECRET = b"12345678901234567890"
RFC_BASE32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def test_totp_codes():
    for seconds, code in CODES:
        assert authtotp.totp(RFC_SECRET, seconds, 8) == code
        assert authtotp.totp(RFC_SECRET, seconds) == code[2:]


def test_totp_login():
    now = [2000000000]
    for secret in (RFC_SECRET, RFC_BASE32, "gezd gnbv gy3t qojq gezd gnbv gy3t qojq===="):
        login = auth.TOTP("alice", secret, lambda: now[0] + 0.5)
        assert login.method == "ticket" and login.needs_private_link is True
        assert run(login.challenge({})) == ("279037", {})
        now[0] += 30
        assert run(login.challenge({}))[0] != "279037"
        now[0] -= 30
    assert auth.TOTP("a", RFC_SECRET, lambda: 0, allow_clear=True).needs_private_link is False


def test_totp_needs_a_clock():
    for seconds in (0, 59, 946684800, 1609459200, 1735689599):
        login = auth.TOTP("alice", RFC_SECRET, lambda: seconds)
        text = str(raises(AuthenticationError, run, login.challenge({})))
        assert "clock" in text and "NTP" in text
    run(auth.TOTP("alice", RFC_SECRET, lambda: 1735689600).challenge({}))


def test_base32():
    for text, octets in (
        ("MY", b"f"),
        ("MZXQ====", b"fo"),
        ("mzxw6", b"foo"),
        ("MZXW6YQ", b"foob"),
        ("MZXW6YTB", b"fooba"),
        ("MZXW6YTBOI======", b"foobar"),
    ):
        assert authtotp.base32(text) == octets, text
    for text in ("0", "1", "8", "A-B", "\u00e9"):
        raises(ConfigurationError, authtotp.base32, text)
