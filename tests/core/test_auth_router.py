"""A router that must prove itself before a device logs in; code that is dropped after a login."""

import sys
from binascii import unhexlify

from helpers import raises
from playedrouter import Router, welcome
from test_auth import CHALLENGE, CRYPTOSIGN, PUBLICS, SEEDS, key

from wamp import _signing, auth, ed25519, session
from wamp.errors import AuthenticationError

run = ed25519.run

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


def test_the_code_of_a_signature_is_dropped_after_it():
    parts = ["wamp.ed25519", "wamp._sha512_viper"]
    for group in (_signing._FIRST, _signing._FAST, _signing._PLAIN, _signing._CHECKING):
        parts += ["wamp." + part for part in group]
    micropython = sys.implementation.name == "micropython"
    extra = {"challenge": CRYPTOSIGN[1][1]}
    before = [name for name in parts if name in sys.modules]
    assert "wamp.ed25519" in before  # this file has imported it: so it stays
    run(key(1).challenge(extra))
    assert [name for name in parts if name in sys.modules] == before
    kept = sys.modules.pop("wamp.ed25519")
    try:
        for _ in range(2):
            steps = list(key(1).challenge(extra))
            assert len(steps) > 10 and run(key(1).challenge(extra))[0][:128] == CRYPTOSIGN[1][2]
            left = [name for name in parts if name in sys.modules]
            assert not micropython or not left
        login, _ = demanding()
        run(login.challenge(proof()))
        assert login.unproved is False
        left = [name for name in parts if name in sys.modules]
        assert not micropython or not left
    finally:
        sys.modules["wamp.ed25519"] = kept


class Refusing:
    """The package on an interpreter that cannot run machine code of ours, as MicroPython says it:
    no generator for a decorator, or a .mpy file for another processor."""

    def __init__(self, package):
        self.package = package

    def __getattr__(self, name):
        if name == "_sha512_viper":
            raise SyntaxError("invalid micropython decorator")
        if name == "_ed25519_thumb":
            raise ValueError("incompatible .mpy arch")
        return getattr(self.package, name)


def test_a_login_where_machine_code_is_refused():
    package = sys.modules["wamp"]
    kept = sys.modules.pop("wamp.ed25519")
    sys.modules["wamp"] = Refusing(package)
    try:
        steps = list(_signing.load())
        assert sys.implementation.name != "micropython" or len(steps) >= 7
    finally:
        sys.modules["wamp"] = package
        sys.modules["wamp.ed25519"] = kept
        package.ed25519 = kept
    assert run(key(1).challenge({"challenge": CRYPTOSIGN[1][1]}))[0][:128] == CRYPTOSIGN[1][2]
