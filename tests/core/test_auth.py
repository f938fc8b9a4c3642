"""The logins: signatures by the vectors of the peers, hostile challenges, what never leaks."""

from binascii import hexlify, unhexlify

from helpers import raises

from wamp import auth, authcra, authtotp, ed25519, session
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


# -- a router that must prove itself

# The specification's ("Cryptosign", router authentication): public key, challenge, signature. In
# the second row what is signed is challenge XOR channel id, which comes here as the challenge.
ROUTERS = (
    (
        "4a3838f6fe75251e613329d53fc69b262d5eac97fb1d73bebbaed4015b53c862",
        "bbae60ea44cdd7b20dc7010a618b0f0803fab25a817520b4b7f057299b524deb",
        "fd5128d2d207ba58a9d1d6f41b72c747964ad9d1294077b3b1eee6130b05843a"
        "b12c53c7f2519f73d4feb82db19d8ca0fc26b62bde6518e79a882f5795bc9f00",
    ),
    (  # the key is that of the next row, which this row must not be taken for
        PUBLICS[1],
        CHALLENGE,
        CRYPTOSIGN[1][2],
    ),
)


def demanding(n=0, said=True, **options):
    """A login that wants a proof of ROUTERS[n], and what it has written into HELLO's authextra."""
    public, challenge, _ = ROUTERS[n]
    login = auth.Cryptosign(
        unhexlify(SEEDS[1]),
        unhexlify(PUBLICS[1]),
        router=options.pop("router", unhexlify(public)),
        random=lambda count: unhexlify(challenge),
        **options,
    )
    details = {"authextra": None}
    if said:
        login.hello(details)
    return login, details["authextra"]


def proof(n=0, **changes):
    """A CHALLENGE with what proves it."""
    public, challenge, signature = ROUTERS[n]
    extra = {"challenge": CHALLENGE, "channel_binding": None, "pubkey": public}
    extra["signature"] = signature + challenge
    for name in changes:
        extra[name] = changes[name]
    return extra


def test_router_that_proves_itself():
    for n in range(len(ROUTERS)):
        login, authextra = demanding(n)
        assert login.unproved is True
        assert authextra == {"pubkey": PUBLICS[1], "challenge": ROUTERS[n][1]}
        raises(AuthenticationError, login.welcome, {"authmethod": "cryptosign"})
        extra = proof(n)
        assert run(login.challenge(extra)) == (CRYPTOSIGN[1][2] + CHALLENGE, {})
        assert login.unproved is False
        login.welcome({"authmethod": "cryptosign"})
        # A second round needs no second proof.
        run(login.challenge({"challenge": CHALLENGE}))


def test_router_may_show_less_or_write_it_otherwise():
    public, challenge, signature = ROUTERS[0]
    for extra in (
        proof(pubkey=None),
        proof(pubkey=public.upper(), signature=(signature + challenge).upper()),
    ):
        login, _ = demanding()
        run(login.challenge(extra))
        login.welcome({})
    login, _ = demanding(router=(unhexlify(PUBLICS[2]), unhexlify(public)))
    run(login.challenge(proof(pubkey=None)))
    login.welcome({})


def test_router_that_does_not_prove_itself():
    public, challenge, signature = ROUTERS[0]
    proven = signature + challenge
    rows = (
        {"signature": None},
        {"signature": ""},
        {"signature": 7},
        {"signature": signature},
        {"signature": proven + "00"},
        {"signature": "x" + proven[1:]},
        {"signature": unhexlify(proven)},
        {"signature": signature + CHALLENGE},  # another challenge
        {"signature": "0" + proven[1:]},
        {"signature": signature[:-2] + "80" + challenge},
        {"signature": "00" * 64 + challenge},
        {"pubkey": PUBLICS[2]},  # not the one that is pinned
        {"pubkey": "nothing"},
        {"pubkey": 7},
    )
    for changes in rows:
        login, _ = demanding()
        raises(AuthenticationError, run, login.challenge(proof(**changes)))
        assert login.unproved is True, changes
        raises(AuthenticationError, login.welcome, {})
        raises(AuthenticationError, login.confirm, {})
    # A key that was not pinned, though its signature is right.
    login, _ = demanding(router=unhexlify(PUBLICS[2]))
    for changes in ({}, {"pubkey": None}, {"pubkey": PUBLICS[2]}):
        raises(AuthenticationError, run, login.challenge(proof(**changes)))


def test_the_proof_is_asked_for_in_each_join():
    challenges = [unhexlify(ROUTERS[0][1]), unhexlify(CHALLENGE), unhexlify(CHALLENGE)]
    login = auth.Cryptosign(
        unhexlify(SEEDS[1]),
        unhexlify(PUBLICS[1]),
        router=unhexlify(ROUTERS[0][0]),
        random=lambda count: challenges.pop(0),
    )
    login.hello({})
    run(login.challenge(proof()))
    login.hello({})
    assert login.unproved is True
    raises(AuthenticationError, run, login.challenge(proof()))  # the proof of the last one
    raises(AuthenticationError, login.hello, {})  # a generator that repeats itself


def test_another_verifier():
    seen = []

    def verify(public, message, signature):
        seen.append((public, message, signature))
        return len(seen) > 1

    login, _ = demanding(verify=verify)
    raises(AuthenticationError, run, login.challenge(proof()))
    run(login.challenge(proof()))
    public, challenge, signature = ROUTERS[0]
    assert seen[0] == (unhexlify(public), unhexlify(challenge), unhexlify(signature))


class Router:
    """The other end of a session; what it is told is in `told`."""

    def __init__(self, *logins):
        self.told = []
        self.protocol = session.Protocol(self.told.append)
        self.protocol.join("realm1", logins)

    def says(self, *message):
        """What the session reports of a message."""
        return self.protocol.receive(list(message))

    def answered(self, report):
        """Answer a CHALLENGE that was reported."""
        assert report[0] == session.CHALLENGED, report
        self.protocol.authenticate(*run(report[1].challenge(report[2])))


WELCOME = {"roles": {"broker": {}, "dealer": {}}}


def welcome(**details):
    details.update(WELCOME)
    return details


def test_no_session_without_the_proof_whatever_else_was_offered():
    ways = (
        lambda router: router.says(2, 77, welcome()),
        lambda router: router.says(2, 77, welcome(authmethod="cryptosign")),
        lambda router: router.says(2, 77, welcome(authmethod="anonymous")),
        lambda router: router.says(2, 77, welcome(authmethod="ticket")),
        lambda router: router.says(4, "ticket", {}),
    )
    for way in ways:
        for first in (True, False):
            login, _ = demanding(said=False)
            others = (auth.Anonymous(), auth.Ticket("a", "secret"))
            router = Router(*((login,) + others if first else others + (login,)))
            report = way(router)
            assert report[0] == session.ENDED, report
            assert isinstance(report[1], AuthenticationError), report
            assert router.protocol.session is None
            assert router.told[-1][0] == 3 and "secret" not in str(router.told[1:])


def test_two_rounds():
    login, _ = demanding(said=False)
    router = Router(login, auth.Ticket("a", "secret"))
    router.answered(router.says(4, "cryptosign", proof()))
    router.answered(router.says(4, "ticket", {}))
    assert router.told[-1] == [5, "secret", {}]
    assert router.says(2, 77, welcome(authmethod="ticket"))[0] == session.JOINED


# -- SCRAM

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
