"""The login with an Ed25519 key (authmethod "cryptosign"), and the router's proof of its own."""

from binascii import hexlify, unhexlify

from ._signing import load, unload
from .auth import Authenticator
from .errors import AuthenticationError, ConfigurationError, RemoteProtocolError


class Cryptosign(Authenticator):
    """An Ed25519 key signs the router's challenge.

    seed: the private key, 32 octets. public: the public key, 32 octets; without it, it is
    computed by `prepare` or, where that was not run, by `hello` (wamp.ed25519 has the times).
    sign: a function from octets to their signature of 64 octets, in place of wamp.ed25519: PyNaCl
    on hosts, a secure element, an agent; with it and `public`, seed may be None.
    The private key stays here; who reads the link learns nothing that helps to log in later.
    wamp.ed25519 is not constant-time: who can time many signatures exactly, or measure the chip's
    current, may learn the key. Pass `sign` where an attacker can get at the chip.

    router: the router's public key, 32 octets, or a tuple of several, of which any will do. The
    router must then sign a challenge of ours before it gets an answer to its own. It says who the
    router is, not that nobody stands between (SECURITY.md). Needs `random`, a function from a
    number to that many random octets. verify: a function (public key, message, signature) to
    True or False, in place of wamp.ed25519.
    """

    method = "cryptosign"
    needs_authid = False

    def __init__(
        self, seed, public=None, authid=None, sign=None, router=None, random=None, verify=None
    ):
        super().__init__(authid)
        if seed is None:
            if sign is None or public is None:
                raise ConfigurationError("cryptosign without a seed needs both public= and sign=")
        else:
            seed = _key(seed, "private key")
        self.public = None if public is None else _key(public, "public key")
        self._seed = seed
        self._sign = sign
        self._routers = ()
        if router is not None:
            if random is None:
                raise ConfigurationError("cryptosign with router= needs random= too")
            if not isinstance(router, (tuple, list)):
                router = (router,)
            self._routers = [_key(public, "router's public key") for public in router]
            self.unproved = True
            if not router:
                raise ConfigurationError("router= names no key")
        self._random = random
        self._verify = verify
        self._asked = b""  # our challenge to the router

    def __repr__(self):
        public = self.public and hexlify(self.public).decode()
        return "Cryptosign(public=%r, authid=%r)" % (public, self.authid)

    def prepare(self):
        """Generator; computes the public key where it was not given."""
        if self.public is None:
            ed25519, passing = yield from load()
            try:
                self.public = yield from ed25519.public_key(self._seed)
            finally:
                unload(passing)

    def hello(self, details):
        """Write the public key, the authid if there is one, and the challenge to a router that
        must prove itself into HELLO's details."""
        for _ in self.prepare():
            pass
        super().hello(details)
        authextra = dict(details.get("authextra") or {})
        authextra["pubkey"] = hexlify(self.public).decode()
        if self._routers:
            self.unproved = True
            asked = self._random(32)
            if len(asked) != 32 or asked == self._asked or asked == asked[:1] * 32:
                raise AuthenticationError(
                    "random= repeats itself: a router's old proof could be shown again"
                )
            self._asked = asked
            authextra["challenge"] = hexlify(asked).decode()
        details["authextra"] = authextra

    def challenge(self, extra):
        """Generator; returns hex(signature) + hex(challenge), 192 characters, and {}.

        The challenge must be 64 hex digits, in either case, and not be bound to a TLS channel:
        binding was not asked for. A router that must prove itself has done so before.
        """
        message = unhex(extra.get("challenge"), 32)
        if message is None:
            raise RemoteProtocolError("CHALLENGE: challenge must be 64 hex digits")
        message = self._bound(message, extra)
        if self.unproved:
            yield from self._prove(extra)
        yield from self.prepare()
        if self._sign:
            signature = self._sign(message)
            if len(signature) != 64:
                raise AuthenticationError("sign= must return 64 octets")
        else:
            ed25519, passing = yield from load()
            try:
                signature = yield from ed25519.sign(self._seed, self.public, message)
            finally:
                unload(passing)
        return hexlify(signature).decode() + hexlify(message).decode(), {}

    def _bound(self, octets, extra):
        """What is signed for a challenge of `octets`: here the same, as no binding was asked for.

        A host overrides it for channel binding.
        """
        if extra.get("channel_binding") is not None:
            raise AuthenticationError(
                "the router binds its challenge to a TLS channel, and this client did not ask so"
            )
        return octets

    def _prove(self, extra):
        """Generator; returns once the router has signed our challenge, raises where it did not."""
        octets = unhex(extra.get("signature"), 96)
        if octets is None:
            raise AuthenticationError(
                "the router does not prove who it is: CHALLENGE has no signature of 192 hex digits"
            )
        asked = self._bound(self._asked, extra)
        if octets[64:] != asked:
            raise AuthenticationError("the router signed something else than what it was asked to")
        named = extra.get("pubkey")
        routers = self._routers
        if named is not None:
            named = unhex(named, 32)
            routers = [public for public in routers if public == named]
        for public in routers:
            if self._verify:
                right = self._verify(public, asked, octets[:64])
            else:
                ed25519, passing = yield from load(True)
                try:
                    right = yield from ed25519.verify(public, asked, octets[:64])
                finally:
                    unload(passing)
            if right:
                self.unproved = False
                return
        raise AuthenticationError(
            "the router's key is not the one pinned here, or its signature is wrong"
        )


def _key(octets, name):
    if not isinstance(octets, (bytes, bytearray)) or len(octets) != 32:
        raise ConfigurationError("the %s must be 32 octets, as bytes" % name)
    return bytes(octets)


def unhex(text, length):
    """That many octets, or None where `text` is not exactly their hex digits."""
    octets = b""
    if isinstance(text, str) and len(text) == 2 * length:
        try:
            octets = unhexlify(text)
        except ValueError:
            pass
    # MicroPython's unhexlify passes over white space.
    return octets if len(octets) == length else None
