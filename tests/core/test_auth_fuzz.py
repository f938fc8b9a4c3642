"""Logins that are told anything: they answer, or raise one of two errors, and never more."""

from binascii import hexlify

from test_auth import CHALLENGE, key
from test_auth_router import demanding, proof
from test_auth_scram import RFC_7677, SCRAM, scram

from wamp import auth
from wamp.errors import AuthenticationError, RemoteProtocolError

ROUNDS = 400
NAMES = (
    "challenge salt iterations keylen memory nonce kdf channel_binding pubkey signature verifier"
    " scram_server_signature authmethod authextra"
).split()
NUMBERS = [None, True, False, 0, 1, -1, 4096, 1 << 31, 1 << 63, 1 << 2000, 1.5, float("nan")]
TEXTS = ["", "x", "\x00", "\u00e9", "\u20ac" * 40, "=" * 64, "A" * 63, "0" * 64, "f" * 192]
TEXTS += ["g" * 192, CHALLENGE, "pbkdf2", "argon2id13", "argon2id-13", RFC_7677, RFC_7677 + "x"]
TEXTS += ["W22ZaJ0SNY7soEsUEjb6gQ==", "AA=="]
JUNK = NUMBERS + TEXTS + [b"", b"x", b"\xff" * 64, [], [[]], {}, {"": {}}, {"verifier": 7}]


class Random:
    """The same numbers on every interpreter."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        """From 0 to limit - 1."""
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % limit

    def spoilt(self, extra):
        """A copy with some of it replaced by junk, and some left out."""
        changed = dict(extra)
        for _ in range(1 + self.below(3)):
            name = NAMES[self.below(len(NAMES))]
            if self.below(4):
                changed[name] = JUNK[self.below(len(JUNK))]
            else:
                changed.pop(name, None)
        return changed


def logins():
    """(what makes a login, a challenge that it can answer)"""
    return (
        (auth.Anonymous, {}),
        (lambda: auth.Ticket("a", "t"), {}),
        (lambda: auth.TOTP("a", b"secret", lambda: 2000000000), {}),
        (lambda: auth.CRA("a", "s"), {"challenge": "c", "salt": "s", "iterations": 2}),
        (lambda: key(1), {"challenge": CHALLENGE}),
        (lambda: demanding()[0], proof()),
        (lambda: scram(SCRAM[0]), SCRAM[0][5]),
        (lambda: scram(("", "CrossbarScram") + SCRAM[0][2:]), SCRAM[0][5]),
    )


def test_challenges():
    source = Random(4)
    for make, good in logins():
        for _ in range(ROUNDS):
            extra = source.spoilt(good)
            steps = make().challenge(extra)
            try:
                for _ in range(3):  # what comes after is computing
                    next(steps)
                steps.close()
            except StopIteration as stop:
                signature, answer = stop.value
                assert isinstance(signature, str) and isinstance(answer, dict)
            except (AuthenticationError, RemoteProtocolError) as error:
                assert len(str(error)) < 200, extra


def test_welcomes():
    source = Random(5)
    for make, _ in logins():
        for _ in range(ROUNDS):
            login = make()
            details = source.spoilt({"authmethod": login.method, "authextra": {}})
            if source.below(2):
                details["authextra"] = source.spoilt({"verifier": "AA=="})
            login.unproved = bool(source.below(2)) or login.unproved
            try:
                login.welcome(details)
                assert not login.unproved, details
            except AuthenticationError as error:
                assert len(str(error)) < 200, details


def test_secrets_are_in_no_error():
    source = Random(6)
    secret = "correct horse"
    for make in (
        lambda: auth.Ticket("a", secret),
        lambda: auth.CRA("a", secret),
        lambda: scram(("", "Scram", "a", secret, RFC_7677)),
        lambda: auth.TOTP("a", secret.encode(), lambda: source.below(100)),
    ):
        for _ in range(ROUNDS // 4):
            try:
                next(make().challenge(source.spoilt({"challenge": "c", "nonce": RFC_7677 + "x"})))
            except (AuthenticationError, RemoteProtocolError) as error:
                text = str(error)
                assert secret not in text and hexlify(secret.encode()).decode() not in text
