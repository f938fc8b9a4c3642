"""The login with a password that neither side shows (authmethod "wamp-scram").

This is the specification's form (WAMP advanced profile, "Salted Challenge Response"; RFC 5802);
wamp.authcrossbarscram has crossbar's. Both sides prove that they know the password, or what was
derived from it; a router that does not is not entered.
"""

from binascii import a2b_base64
from hashlib import sha256

from . import kdf
from ._challenge import base64, count, octets
from .auth import Authenticator
from .errors import AuthenticationError, ConfigurationError, RemoteProtocolError

# Fewer make a password that was listened to easy to guess (RFC 7677); as to more, see authcra.
ITERATIONS_MIN = 4096
ITERATIONS_MAX = 100000
# Of argon2id: iterations times KiB. crossbar's default is 4,096 of 512, about a second on a host.
ARGON2_MAX = 1 << 22
SALT_MAX = 128

_KDFS = ("pbkdf2", "argon2id13", "argon2id-13")


class Scram(Authenticator):
    """A password, as the specification has it; the key is derived by PBKDF2.

    password: text. Text beyond ASCII must be prepared (RFC 4013, SASLprep) by whoever passes it:
    its tables are larger than all of this library. random: a function from a number to that many
    random octets. argon2: a function (password, salt, iterations, KiB) to 32 octets, argon2id
    version 1.3 with one lane, for hosts; a board has not the memory, and refuses it.

    What was derived is kept for the next join: 4,096 iterations take 2 s on an RP2040.
    """

    method = "wamp-scram"
    _verifier = "verifier"
    _binding = "biws"  # base64 of "n,,": none, and none asked for

    def __init__(self, authid, password, random, argon2=None):
        super().__init__(authid)
        if not isinstance(password, str) or not password:
            raise ConfigurationError("the password must be a text that is not empty")
        for text in (authid, password):
            for octet in text.encode():
                if octet < 32 or octet == 127:
                    raise ConfigurationError("scram: no control characters in authid or password")
        self._password = password.encode()
        self._random = random
        self._argon2 = argon2
        self._nonce = ""
        self._expected = ""  # the router's verifier, once the challenge was answered
        self._derived = None  # what was asked for, ClientKey, ServerKey: of the last join

    def hello(self, details):
        """Write the authid and a new nonce into HELLO's details."""
        super().hello(details)
        # 18 octets: base64 without padding, so that crossbar's nonce, which is base64 of more
        # octets, begins with ours as text too.
        nonce = base64(self._random(18))
        if len(nonce) != 24 or nonce == self._nonce or nonce == nonce[:4] * 6:
            raise AuthenticationError("random= repeats itself: an old login could be shown again")
        self._nonce = nonce
        self.unproved = False  # until it has a challenge to prove that it knows the password by
        self._expected = ""
        authextra = dict(details.get("authextra") or {})
        authextra["nonce"] = nonce
        authextra["channel_binding"] = None
        details["authextra"] = authextra

    def challenge(self, extra):
        """Generator; returns the proof in base64 and AUTHENTICATE's extra."""
        nonce = octets(extra, "nonce").decode()
        mine = self._nonce
        if not mine or not nonce.startswith(mine) or nonce == mine or len(nonce) > 256:
            raise RemoteProtocolError("CHALLENGE: nonce does not go on from the client's")
        for octet in nonce.encode():
            if not 32 < octet < 127 or octet == 44:
                raise RemoteProtocolError("CHALLENGE: nonce must be printable, without commas")
        if extra.get("channel_binding"):
            raise AuthenticationError(
                "the router binds its challenge to a TLS channel, and this client did not ask so"
            )
        wanted = self._wanted(extra)
        if self._derived is None or self._derived[0] != wanted:
            self._derived = None
            salted = yield from self._salted(*wanted)
            hmac = kdf.hmac_sha256
            self._derived = (wanted, hmac(salted, b"Client Key"), hmac(salted, b"Server Key"))
        _, client, server = self._derived
        yield
        first = "n=%s,r=%s,r=%s,s=%s,i=%d" % (self._name(), mine, nonce, extra["salt"], wanted[2])
        message = ("%s,c=%s,r=%s" % (first, self._binding, nonce)).encode()
        mask = kdf.hmac_sha256(sha256(client).digest(), message)
        yield
        self._expected = base64(kdf.hmac_sha256(server, message))
        self.unproved = True
        proof = base64(bytes([a ^ b for a, b in zip(client, mask)]))
        return proof, {"nonce": nonce, "channel_binding": None} if self._binding else {}

    def confirm(self, details):
        """Raise AuthenticationError where the challenge was answered and the router's own proof
        is missing or wrong."""
        if self.unproved:
            authextra = details.get("authextra")
            verifier = authextra.get(self._verifier) if isinstance(authextra, dict) else None
            if not isinstance(verifier, str):
                verifier = ""
            if verifier[:2] == "v=":  # as the specification's example has it
                verifier = verifier[2:]
            if verifier != self._expected:
                raise AuthenticationError(
                    "the router does not prove that it knows the password: %s is %s"
                    % (self._verifier, "wrong" if verifier else "missing")
                )
            self.unproved = False

    def welcome(self, details):
        """Raise AuthenticationError unless the router has proved itself."""
        if not self._expected:
            raise AuthenticationError("the router lets us in without %s" % self.method)
        super().welcome(details)

    def _wanted(self, extra):
        """(kdf, salt, iterations, memory) of the challenge, checked."""
        name = octets(extra, "kdf").decode()
        if name not in _KDFS:
            raise AuthenticationError("scram: the router wants the unknown kdf %r" % name[:16])
        text = octets(extra, "salt")
        try:
            salt = a2b_base64(text)
        except ValueError:
            salt = b""
        if not 0 < len(salt) <= SALT_MAX or base64(salt).encode() != text:
            raise RemoteProtocolError(
                "CHALLENGE: salt must be base64 of 1 to %d octets" % SALT_MAX
            )
        if name != "pbkdf2":
            if self._argon2 is None:
                raise AuthenticationError(
                    "scram: the router wants argon2id, for which this device has not the memory: "
                    "configure this authid with kdf pbkdf2 at the router"
                )
            iterations = count(extra, "iterations", None, ARGON2_MAX)
            return name, salt, iterations, count(extra, "memory", None, ARGON2_MAX // iterations)
        iterations = count(extra, "iterations", None, ITERATIONS_MAX)
        if iterations < ITERATIONS_MIN:
            raise AuthenticationError(
                "scram: %d iterations are too few to be safe, %d are the least"
                % (iterations, ITERATIONS_MIN)
            )
        return name, salt, iterations, 0

    def _salted(self, name, salt, iterations, memory):
        """Generator; returns SaltedPassword."""
        if name == "pbkdf2":
            return (yield from kdf.pbkdf2_sha256(self._password, salt, iterations, 32))
        return self._argon2(self._password, salt, iterations, memory)

    def _name(self):
        return self.authid.replace("=", "=3D").replace(",", "=2C")
