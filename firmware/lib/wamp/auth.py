"""The logins: anonymous, ticket, wampcra, cryptosign (WAMP advanced profile, "Authentication").

An object of these classes says all that the client needs to know of a login:

method              the authmethod to offer in HELLO, the only one to accept in CHALLENGE
needs_private_link  True: must not be used where others can read the link
prepare()           generator; what can be computed before HELLO, so that `hello` returns at once
hello(details)      writes authid and authextra into HELLO's details
challenge(extra)    generator; returns the signature and the extra dict of AUTHENTICATE
welcome(details)    raises AuthenticationError where the session must not be entered

The generators yield None every few milliseconds of device time; wamp.ed25519.run drives one
without a pause. A challenge that is malformed raises RemoteProtocolError, one that this side
cannot or will not answer AuthenticationError. No secret is ever part of a repr or an error.
"""

from binascii import b2a_base64, hexlify, unhexlify

from .errors import AuthenticationError, ConfigurationError, RemoteProtocolError

# A hostile router may ask for any effort: 100,000 iterations are 45 s on an RP2040, and
# more than any deployment uses. The router's default is 1,000 iterations and 32 octets.
ITERATIONS_MAX = 100000
KEYLEN_MAX = 64


class Authenticator:
    """What the logins share; not a login itself."""

    method = ""
    needs_private_link = False

    def __init__(self, authid=None):
        if authid is not None and not (isinstance(authid, str) and authid):
            raise ConfigurationError("authid must be a text that is not empty")
        self.authid = authid

    def __repr__(self):
        return "%s(authid=%r)" % (self.__class__.__name__, self.authid)

    def prepare(self):
        """Generator; nothing to compute ahead."""
        yield

    def hello(self, details):
        """Write the authid, if there is one, into HELLO's details."""
        if self.authid is not None:
            details["authid"] = self.authid

    def challenge(self, extra):
        """Generator; here it raises AuthenticationError, for lack of an answer."""
        yield
        raise AuthenticationError("the router wants a login, and this client offered none")

    def welcome(self, details):
        """Raise AuthenticationError when WELCOME names another method than the one offered."""
        method = details.get("authmethod")
        if method is not None and method != self.method:
            raise AuthenticationError(
                "the router says it let us in by another method than %s" % self.method
            )


class Anonymous(Authenticator):
    """No login; `authid` is a wish that the router may ignore."""

    method = "anonymous"


class Ticket(Authenticator):
    """The ticket itself goes to the router (authmethod "ticket").

    Whoever reads the link can log in with it from then on. On a serial line that includes the
    bridge. The client therefore refuses to use it where the link is not private, unless
    `allow_clear` is True.
    """

    method = "ticket"

    def __init__(self, authid, ticket, allow_clear=False):
        super().__init__(_required(authid))
        if not isinstance(ticket, str):
            raise ConfigurationError("the ticket must be a text")
        self._ticket = ticket
        self.needs_private_link = not allow_clear

    def challenge(self, extra):
        """Generator; returns the ticket and {}."""
        yield
        return self._ticket, {}


class CRA(Authenticator):
    """A secret, plain or salted, signs the router's challenge (authmethod "wampcra").

    secret: text (UTF-8) or octets. The secret stays here, but who reads the link can try guesses
    against what was signed: let it be long and random.
    """

    method = "wampcra"

    def __init__(self, authid, secret):
        super().__init__(_required(authid))
        if isinstance(secret, str):
            secret = secret.encode()
        elif not isinstance(secret, bytes):
            raise ConfigurationError("the secret must be a text or bytes")
        self._secret = secret
        self._derived = None  # (salt, iterations, keylen), key: the last one, for the next join

    def challenge(self, extra):
        """Generator; returns the signature in base64 and {}.

        With a salt the key is the base64 text of PBKDF2's octets, as all routers have it (the
        specification does not say), and the salt is UTF-8 text, not base64.
        """
        from . import kdf

        # Signed as it came: the same JSON written again would be another text.
        message = _octets(extra, "challenge")
        key = self._secret
        if extra.get("salt") is not None:
            salt = _octets(extra, "salt")
            iterations = _count(extra, "iterations", 1000, ITERATIONS_MAX)
            keylen = _count(extra, "keylen", 32, KEYLEN_MAX)
            wanted = (salt, iterations, keylen)
            if self._derived is None or self._derived[0] != wanted:
                key = yield from kdf.pbkdf2_sha256(key, salt, iterations, keylen)
                self._derived = (wanted, _base64(key).encode())
            key = self._derived[1]
        yield
        return _base64(kdf.hmac_sha256(key, message)), {}


class Cryptosign(Authenticator):
    """An Ed25519 key signs the router's challenge (authmethod "cryptosign").

    seed: the private key, 32 octets. public: the public key, 32 octets; without it, it is
    computed (100 ms on an RP2040) by `prepare` or, where that was not run, by `hello`.
    sign: a function from octets to their signature of 64 octets, in place of wamp.ed25519: PyNaCl
    on hosts, a secure element, an agent; with it and `public`, seed may be None.
    The private key stays here; who reads the link learns nothing that helps to log in later.
    """

    method = "cryptosign"

    def __init__(self, seed, public=None, authid=None, sign=None):
        super().__init__(authid)
        if seed is None:
            if sign is None or public is None:
                raise ConfigurationError("cryptosign without a seed needs both public= and sign=")
        else:
            seed = _key(seed, "private key")
        self.public = None if public is None else _key(public, "public key")
        self._seed = seed
        self._sign = sign

    def __repr__(self):
        public = self.public and hexlify(self.public).decode()
        return "Cryptosign(public=%r, authid=%r)" % (public, self.authid)

    def prepare(self):
        """Generator; computes the public key where it was not given."""
        if self.public is None:
            from . import ed25519

            self.public = yield from ed25519.public_key(self._seed)

    def hello(self, details):
        """Write the public key, and the authid if there is one, into HELLO's details."""
        for _ in self.prepare():
            pass
        super().hello(details)
        authextra = dict(details.get("authextra") or {})
        authextra["pubkey"] = hexlify(self.public).decode()
        details["authextra"] = authextra

    def challenge(self, extra):
        """Generator; returns hex(signature) + hex(challenge), 192 characters, and {}.

        The challenge must be 64 hex digits, in either case, and not be bound to a TLS channel:
        binding was not asked for.
        """
        message = b""
        text = extra.get("challenge")
        if isinstance(text, str) and len(text) == 64:
            try:
                message = unhexlify(text)
            except ValueError:
                pass
        if len(message) != 32:  # MicroPython's unhexlify passes over white space
            raise RemoteProtocolError("CHALLENGE: challenge must be 64 hex digits")
        if extra.get("channel_binding") is not None:
            raise AuthenticationError(
                "the router binds its challenge to a TLS channel, and this client did not ask so"
            )
        yield from self.prepare()
        if self._sign:
            signature = self._sign(message)
            if len(signature) != 64:
                raise AuthenticationError("sign= must return 64 octets")
        else:
            from . import ed25519

            signature = yield from ed25519.sign(self._seed, self.public, message)
        return hexlify(signature).decode() + hexlify(message).decode(), {}


def _required(authid):
    if authid is None:
        raise ConfigurationError("this login needs an authid")
    return authid


def _key(octets, name):
    if not isinstance(octets, (bytes, bytearray)) or len(octets) != 32:
        raise ConfigurationError("the %s must be 32 octets, as bytes" % name)
    return bytes(octets)


def _octets(extra, name):
    text = extra.get(name)
    if not isinstance(text, str):
        raise RemoteProtocolError("CHALLENGE: %s must be a text" % name)
    try:
        return text.encode()
    except ValueError:  # half a surrogate pair, which JSON can write
        raise RemoteProtocolError("CHALLENGE: %s is no Unicode text" % name) from None


def _count(extra, name, default, limit):
    number = extra.get(name)
    if number is None:
        return default
    if type(number) is not int or number < 1:  # `is`: True is an int too
        raise RemoteProtocolError("CHALLENGE: %s must be a positive integer" % name)
    if number > limit:
        raise AuthenticationError(
            "the router asks for more %s than the %d of this client's limit" % (name, limit)
        )
    return number


def _base64(octets):
    return b2a_base64(octets)[:-1].decode()
