"""The logins: signatures by the vectors of the peers, hostile challenges, what never leaks."""

from binascii import hexlify, unhexlify

from helpers import raises

from wamp import auth, authcra, ed25519
from wamp.errors import AuthenticationError, ConfigurationError, RemoteProtocolError

run = ed25519.run

# What nexus signs in its tests; the blanks belong to it.
NEXUS = (
    '{ "nonce":"LHRTC9zeOIrt_9U3", "authprovider":"userdb", "authid":"peter",'
    ' "timestamp":"2014-06-22T16:36:25.448Z", "authrole":"user", "authmethod":"wampcra",'
    ' "session":3251278072152162 }'
)

# name, secret, extra of CHALLENGE, signature
CRA = (
    (
        "nexus, plain",
        "secret",
        {"challenge": NEXUS},
        "NWktSrMd4ItBSAKYEwvu1bTY7G/sSyjKbz+pNP9c04A=",
    ),
    (
        "nexus, salted",
        "password",
        {"challenge": NEXUS, "salt": "salt123", "iterations": 1000, "keylen": 32},
        "hk/2riA2JqydfL5wLoicrYfAt8uNeP6nikk9kqDhsnM=",
    ),
    (
        "nexus, salted, defaults",
        "password",
        {"challenge": NEXUS, "salt": "salt123"},
        "hk/2riA2JqydfL5wLoicrYfAt8uNeP6nikk9kqDhsnM=",
    ),
    (
        "nexus, salted, null for the defaults",
        "password",
        {"challenge": NEXUS, "salt": "salt123", "iterations": None, "keylen": None},
        "hk/2riA2JqydfL5wLoicrYfAt8uNeP6nikk9kqDhsnM=",
    ),
    (
        "autobahn, plain",
        "secret1",
        {"challenge": '{"authid":"bob","nonce":"abc","session":1}'},
        "kc/xMlXnU0MRBed1JmJpU5ggyCm3SuN+GjrfXmeMgaw=",
    ),
    (
        "autobahn, salt null is no salt",
        b"secret1",
        {"challenge": '{"authid":"bob","nonce":"abc","session":1}', "salt": None},
        "kc/xMlXnU0MRBed1JmJpU5ggyCm3SuN+GjrfXmeMgaw=",
    ),
    (
        "autobahn, HMAC over a short text",
        "L3L1YUE8Txlw",
        {"challenge": "[1, 2, 3]"},
        "1njQtmmeYO41N5EWEzD2kAjjEKRZ5kPZt/TzpYXOzR0=",
    ),
    # This and autobahn's plain one: computed with autobahn 26.10, which logs in to crossbar so.
    (
        "autobahn, salted, 100 iterations, 16 octets",
        "secret2",
        {
            "challenge": '{"authid":"bob","nonce":"abc","session":1}',
            "salt": "salt123",
            "iterations": 100,
            "keylen": 16,
        },
        "3DSdcQP1qfhiWKLa/uAxsanNkIc6sPrReTeZOWG65XE=",
    ),
    # The last three: computed with CPython's hmac.
    (
        "not ASCII",
        "gr\u00fc\u00df",
        {"challenge": "\u20ac"},
        "Zb7/Y/oG07b5cGExETcPG2EFZINTuRXAaSVXBFBkpSY=",
    ),
    ("empty", "", {"challenge": ""}, "thNnmggU2ex3L5XXeMNfxf8Wl8STcVZTxscSFEKSxa0="),
    (
        "empty salt",
        "s",
        {"challenge": "c", "salt": "", "iterations": 1, "keylen": 64},
        "HjX9Xbllx3RDDyIozmojqYKAA6crHkEpHRPG479NBtE=",
    ),
)

# extra, error
CRA_HOSTILE = (
    ({}, RemoteProtocolError),
    ({"challenge": None}, RemoteProtocolError),
    ({"challenge": b"octets"}, RemoteProtocolError),
    ({"challenge": 7}, RemoteProtocolError),
    ({"challenge": ["x"]}, RemoteProtocolError),
    ({"challenge": "c", "salt": 7}, RemoteProtocolError),
    ({"challenge": "c", "salt": b"salt"}, RemoteProtocolError),
    ({"challenge": "c", "salt": {}}, RemoteProtocolError),
    ({"challenge": "c", "salt": "s", "iterations": 0}, RemoteProtocolError),
    ({"challenge": "c", "salt": "s", "iterations": -1}, RemoteProtocolError),
    ({"challenge": "c", "salt": "s", "iterations": True}, RemoteProtocolError),
    ({"challenge": "c", "salt": "s", "iterations": "1000"}, RemoteProtocolError),
    ({"challenge": "c", "salt": "s", "iterations": 1000.0}, RemoteProtocolError),
    ({"challenge": "c", "salt": "s", "iterations": 100001}, AuthenticationError),
    ({"challenge": "c", "salt": "s", "iterations": 1 << 31}, AuthenticationError),
    ({"challenge": "c", "salt": "s", "iterations": 1 << 20000}, AuthenticationError),
    ({"challenge": "c", "salt": "s", "keylen": 0}, RemoteProtocolError),
    ({"challenge": "c", "salt": "s", "keylen": -32}, RemoteProtocolError),
    ({"challenge": "c", "salt": "s", "keylen": 65}, AuthenticationError),
    ({"challenge": "c", "salt": "s", "keylen": 1000000000}, AuthenticationError),
)

SEEDS = (
    "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510",
    "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd",
    "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b",
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
)
PUBLICS = (
    "1adfc8bfe1d35616e64dffbd900096f23b066f914c8c2ffbb66f6075b96e116d",
    "6ed32739ff04a6074044ff0b0e3bfc7c856bc9d5f1d25efc57363bda0af3a8b0",
    "28e11f427b82b9a625ee7ac89a7d29326b505f2dc11dd88c1245f83b6da79a85",
    "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8",
)

# key, message, signature. The first three are the specification's ("Cryptosign", test vectors);
# rows 3 to 5 are the same with a channel id, whose message is challenge XOR channel id: this
# client asks for no binding, so it gets such a message only as a challenge. The last three:
# autobahn 26.10, the very last one from a login at crossbar.
CRYPTOSIGN = (
    (
        0,
        "ff" * 32,
        "b32675b221f08593213737bef8240e7c15228b07028e19595294678c90d11c0c"
        "ae80a357331bfc5cc9fb71081464e6e75013517c2cf067ad566a6b7b728e5d03",
    ),
    (
        1,
        "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
        "d4209ad10d5aff6bfbc009d7e924795de138a63515efc7afc6b01b7fe5201372"
        "190374886a70207b042294af5bd64ce725cd8dceb344e6d11c09d1aaaf4d660f",
    ),
    (
        2,
        "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2",
        "7beb282184baadd08f166f16dd683b39cab53816ed81e6955def951cb2ddad1e"
        "c184e206746fd82bda075af03711d3d5658fc84a76196b0fa8d1ebc92ef9f30b",
    ),
    (
        0,
        "9d16ca518aa0c2b707f2b2a609edeca73bca8dd59817a633f35574ac6fd80d00",
        "9b6f41540c9b95b4b7b281c3042fa9c54cef43c842d62ea3fd6030fcb66e70b3"
        "e80d49d44c29d1635da9348d02ec93f3ed1ef227dfb59a07b580095c2b82f80f",
    ),
    (
        1,
        "d0852a29b460fc92ec943242ac638a053bbacc200512b18b30d15083cbdc9282",
        "305aaa3ac25e98f651427688b3fc43fe7d8a68a7ec1d7d61c61517c519bd4a42"
        "7c3015599d83ca28b4c652333920223844ef0725eb5dc2febfd6af7677b73f01",
    ),
    (
        2,
        "d2b75e24a189a7f78ca776ba36fc53f6c3e31c32f251f2c524f0a44202f2902d",
        "ee3c7644fd8070532bc1fde3d70d742267da545d8c8f03e63bda63f1ad4214f4"
        "d2c4bfdb4eb9526def42deeb7e31602a6ff99eba893e0a4ad4d45892ca75e608",
    ),
    (
        3,
        "6465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80818283",
        "0e6d264980051744d1e68c83a5c480a44aaf8178de36baa71b3c95eeaa825b1d"
        "5a435bbd6ea103d1e39a82d6b134f59f56c38c4d1496e64227847dba0552e80e",
    ),
    (
        3,
        "cecfcccdc2c3c0c1c6c7c4c5dadbd8d9dedfdcddd2d3d0d1d6d7d4d52a2b2829",
        "b031df93dfe797c9ad2641f21ed5c2bffa0135b8c507cce535fde1d52bb11504"
        "c8bfe21553dfc6bccd12da1549d77953d2611696edcc93527a8bd87699b88b00",
    ),
    (
        3,
        "95ad6a6282b5299a80b3bf0f3b5864b8de3e216422cd1a1dd1dacf2a56b3b23b",
        "e53f0383c23421cbcc01ffb4978538f0870ff50511778233e6e051450a2560f6"
        "6c89f56a679fa9116730e1f9ac15b683f56f755dbca500096b633fa028aaa50f",
    ),
)

CHALLENGE = "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d"

CRYPTOSIGN_HOSTILE = (
    ({}, RemoteProtocolError),
    ({"challenge": None}, RemoteProtocolError),
    ({"challenge": 7}, RemoteProtocolError),
    ({"challenge": unhexlify(CHALLENGE)}, RemoteProtocolError),
    ({"challenge": CHALLENGE.encode()}, RemoteProtocolError),
    ({"challenge": [0] * 64}, RemoteProtocolError),
    ({"challenge": ""}, RemoteProtocolError),
    ({"challenge": CHALLENGE[:-1]}, RemoteProtocolError),
    ({"challenge": CHALLENGE[:-2]}, RemoteProtocolError),
    ({"challenge": CHALLENGE + "00"}, RemoteProtocolError),
    ({"challenge": CHALLENGE[:-1] + "g"}, RemoteProtocolError),
    ({"challenge": CHALLENGE[:-2] + "  "}, RemoteProtocolError),
    ({"challenge": " " * 64}, RemoteProtocolError),
    ({"challenge": "0x" + CHALLENGE[:-2]}, RemoteProtocolError),
    ({"challenge": CHALLENGE[:-1] + "\u0661"}, RemoteProtocolError),
    ({"challenge": "\u00e9" * 64}, RemoteProtocolError),
    ({"challenge": "\u00e9" * 32}, RemoteProtocolError),
    ({"challenge": CHALLENGE, "channel_binding": "tls-unique"}, AuthenticationError),
    ({"challenge": CHALLENGE, "channel_binding": "tls-exporter"}, AuthenticationError),
    ({"challenge": CHALLENGE, "channel_binding": ""}, AuthenticationError),
    ({"challenge": CHALLENGE, "channel_binding": False}, AuthenticationError),
    ({"challenge": CHALLENGE, "channel_binding": ["tls-unique"]}, AuthenticationError),
)


def key(n):
    return auth.Cryptosign(unhexlify(SEEDS[n]), unhexlify(PUBLICS[n]), "erin")


def test_methods_and_links():
    rows = (
        (auth.Anonymous(), "anonymous", False),
        (auth.Ticket("alice", "t"), "ticket", True),
        (auth.Ticket("alice", "t", allow_clear=True), "ticket", False),
        (auth.CRA("bob", "s"), "wampcra", False),
        (key(0), "cryptosign", False),
    )
    for login, method, private in rows:
        assert login.method == method
        assert login.needs_private_link is private, method
        assert run(login.prepare()) is None, method


def test_hello():
    rows = (
        (auth.Anonymous(), {}),
        (auth.Anonymous("guest"), {"authid": "guest"}),
        (auth.Ticket("alice", "t"), {"authid": "alice"}),
        (auth.CRA("bob", "s"), {"authid": "bob"}),
        (key(3), {"authid": "erin", "authextra": {"pubkey": PUBLICS[3]}}),
        (
            auth.Cryptosign(unhexlify(SEEDS[3]), unhexlify(PUBLICS[3])),
            {"authextra": {"pubkey": PUBLICS[3]}},
        ),
        (auth.Cryptosign(unhexlify(SEEDS[0])), {"authextra": {"pubkey": PUBLICS[0]}}),
    )
    for login, written in rows:
        details = {"roles": {}}
        login.hello(details)
        written["roles"] = {}
        assert details == written, login


def test_hello_keeps_other_authextra():
    mine = {"site": "roof"}
    details = {"authextra": mine}
    key(3).hello(details)
    assert details["authextra"] == {"site": "roof", "pubkey": PUBLICS[3]}
    assert mine == {"site": "roof"}


def test_anonymous_refuses_challenges():
    raises(AuthenticationError, run, auth.Anonymous().challenge({}))


def test_ticket():
    assert run(auth.Ticket("alice", "ticket1").challenge({})) == ("ticket1", {})


def test_cra_signatures():
    logins = {}  # one for each secret: the key of the salted rows takes a while on a board
    for name, secret, extra, signature in CRA:
        login = logins.setdefault(repr(secret), auth.CRA("bob", secret))
        before = dict(extra)
        assert run(login.challenge(extra)) == (signature, {}), name
        assert extra == before, name


def test_cra_hostile_challenges():
    for extra, error in CRA_HOSTILE:
        login = auth.CRA("bob", "hunter2")
        text = str(raises(error, run, login.challenge(extra)))
        assert "hunter2" not in text and len(text) < 200, text


def test_cra_limits_are_inclusive():
    generator = auth.CRA("bob", "s").challenge(
        {"challenge": "c", "salt": "s", "iterations": authcra.ITERATIONS_MAX, "keylen": 64}
    )
    next(generator)  # accepted: it computes
    generator.close()


def test_cra_yields_while_it_derives_and_keeps_the_key():
    login = auth.CRA("bob", "s")
    extra = {"challenge": "c", "salt": "salt", "iterations": 65, "keylen": 32}
    assert len(list(login.challenge(extra))) == 5
    signature = run(login.challenge(extra))
    for changed, steps in (
        ({}, 1),
        ({"challenge": "d"}, 1),
        ({"salt": "pepper"}, 5),
        ({"keylen": 31}, 5),
        ({"iterations": 33}, 3),
        ({}, 5),  # one key is kept, the last
    ):
        row = dict(extra)
        row.update(changed)
        assert len(list(login.challenge(row))) == steps, changed
        if not changed:
            assert run(login.challenge(row)) == signature


def test_cra_abandoned_challenge_leaves_no_key():
    login = auth.CRA("bob", "s")
    extra = {"challenge": "c", "salt": "salt", "iterations": 65}
    generator = login.challenge(extra)
    next(generator)
    generator.close()
    assert run(login.challenge(extra)) == run(auth.CRA("bob", "s").challenge(extra))


def test_cryptosign_signatures():
    for n, message, signature in CRYPTOSIGN:
        answer = run(key(n).challenge({"challenge": message}))
        assert answer == (signature + message, {}), (n, message)


def test_cryptosign_accepts_upper_case():
    n, message, signature = CRYPTOSIGN[1]
    for text in (message.upper(), message[:32] + message[32:].upper()):
        assert run(key(n).challenge({"challenge": text})) == (signature + message, {}), text


def test_cryptosign_tolerates_what_it_did_not_ask_for():
    n, message, signature = CRYPTOSIGN[1]
    extra = {
        "challenge": message,
        "channel_binding": None,
        "pubkey": PUBLICS[2],
        "signature": "00" * 96,
        "attest": [0],
    }
    assert run(key(n).challenge(extra)) == (signature + message, {})


def test_cryptosign_hostile_challenges():
    for extra, error in CRYPTOSIGN_HOSTILE:
        text = str(raises(error, run, key(1).challenge(extra)))
        assert SEEDS[1] not in text and len(text) < 200, text


def test_cryptosign_without_public_key():
    n, message, signature = CRYPTOSIGN[0]
    login = auth.Cryptosign(unhexlify(SEEDS[n]))
    assert login.public is None
    assert len(list(login.prepare())) > 8
    assert login.public == unhexlify(PUBLICS[n])
    assert not list(login.prepare())
    # And straight to the challenge:
    login = auth.Cryptosign(unhexlify(SEEDS[n]))
    assert run(login.challenge({"challenge": message})) == (signature + message, {})


def test_cryptosign_yields():
    assert len(list(key(0).challenge({"challenge": CHALLENGE}))) >= 10


def test_cryptosign_with_another_signer():
    seen = []

    def sign(message):
        seen.append(message)
        return b"\x5a" * 64

    login = auth.Cryptosign(None, unhexlify(PUBLICS[0]), sign=sign)
    details = {}
    login.hello(details)
    assert details == {"authextra": {"pubkey": PUBLICS[0]}}
    assert run(login.challenge({"challenge": CHALLENGE})) == ("5a" * 64 + CHALLENGE, {})
    assert seen == [unhexlify(CHALLENGE)]
    short = auth.Cryptosign(None, unhexlify(PUBLICS[0]), sign=lambda message: b"short")
    raises(AuthenticationError, run, short.challenge({"challenge": CHALLENGE}))


def test_welcome():
    for login in (auth.Anonymous(), auth.Ticket("a", "t"), auth.CRA("a", "s"), key(0)):
        login.welcome({})
        login.welcome({"authmethod": None})
        login.welcome({"authmethod": login.method, "authid": "somebody", "authrole": "user"})
        for other in ("anonymous", "ticket", "wampcra", "cryptosign", "scram", "", 7, ["ticket"]):
            if other != login.method:
                raises(AuthenticationError, login.welcome, {"authmethod": other})


def test_arguments_that_cannot_work():
    seed = bytes(32)
    rows = (
        (auth.Anonymous, ("",)),
        (auth.Anonymous, (7,)),
        (auth.Ticket, (None, "t")),
        (auth.Ticket, ("", "t")),
        (auth.Ticket, ("a", b"t")),
        (auth.Ticket, ("a", None)),
        (auth.CRA, (None, "s")),
        (auth.CRA, ("a", None)),
        (auth.CRA, ("a", 7)),
        (auth.Cryptosign, (seed[:31],)),
        (auth.Cryptosign, (seed + b"0",)),
        (auth.Cryptosign, ("00" * 32,)),
        (auth.Cryptosign, ("0" * 32,)),
        (auth.Cryptosign, (32,)),
        (auth.Cryptosign, (seed, seed[:31])),
        (auth.Cryptosign, (seed, "00" * 32)),
        (auth.Cryptosign, (seed, seed, "")),
        (auth.Cryptosign, (None,)),
        (auth.Cryptosign, (None, seed)),
        (auth.Cryptosign, (None, None, None, lambda message: message)),
        (auth.Cryptosign, (seed, seed, None, None, seed)),  # no random
        (auth.Cryptosign, (seed, seed, None, None, seed[:31], bytes)),
        (auth.Cryptosign, (seed, seed, None, None, (), bytes)),
        (auth.Cryptosign, (seed, seed, None, None, "00" * 32, bytes)),
        (auth.Scram, (None, "p", bytes)),
        (auth.Scram, ("a", "", bytes)),
        (auth.Scram, ("a", b"p", bytes)),
        (auth.Scram, ("a\n", "p", bytes)),
        (auth.CrossbarScram, ("a", "p\x00", bytes)),
        (auth.TOTP, (None, b"s", int)),
        (auth.TOTP, ("a", b"", int)),
        (auth.TOTP, ("a", "", int)),
        (auth.TOTP, ("a", "1", int)),
        (auth.TOTP, ("a", 7, int)),
    )
    for make, arguments in rows:
        raises(ConfigurationError, make, *arguments)
    raises(AttributeError, lambda: auth.Nothing)


def test_secrets_are_in_no_text():
    secret = "correct horse"
    seed = unhexlify(SEEDS[0])
    rows = (
        (auth.Ticket("alice", secret), "Ticket(authid='alice')"),
        (auth.CRA("bob", secret), "CRA(authid='bob')"),
        (auth.CRA("bob", secret.encode()), "CRA(authid='bob')"),
        (auth.Scram("bob", secret, bytes), "Scram(authid='bob')"),
        (auth.TOTP("bob", secret.encode(), int), "TOTP(authid='bob')"),
        (auth.Cryptosign(seed), "Cryptosign(public=None, authid=None)"),
        (key(0), "Cryptosign(public='%s', authid='erin')" % PUBLICS[0]),
    )
    for login, text in rows:
        assert repr(login) == str(login) == text, repr(login)
    for make, arguments in (
        (auth.Ticket, (None, secret)),
        (auth.Ticket, ("a", secret.encode())),
        (auth.CRA, (None, secret)),
        (auth.CRA, ("a", [secret])),
        (auth.Cryptosign, (SEEDS[0],)),
        (auth.Cryptosign, (seed + b"0",)),
    ):
        text = str(raises(ConfigurationError, make, *arguments))
        for leak in (secret, SEEDS[0], repr(seed), hexlify(seed).decode()):
            assert leak not in text, text
