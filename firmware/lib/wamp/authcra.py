"""The login with a shared secret that signs the router's challenge (authmethod "wampcra")."""

from . import kdf
from ._challenge import base64, count, octets
from .auth import Authenticator
from .errors import ConfigurationError

# A hostile router may ask for any effort: 100,000 iterations are 45 s on an RP2040, and
# more than any deployment uses. The router's default is 1,000 iterations and 32 octets.
ITERATIONS_MAX = 100000
KEYLEN_MAX = 64


class CRA(Authenticator):
    """A secret, plain or salted, signs the router's challenge.

    secret: text (UTF-8) or octets. The secret stays here, but who reads the link can try guesses
    against what was signed: let it be long and random.
    """

    method = "wampcra"

    def __init__(self, authid, secret):
        super().__init__(authid)
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
        # Signed as it came: the same JSON written again would be another text.
        message = octets(extra, "challenge")
        key = self._secret
        if extra.get("salt") is not None:
            salt = octets(extra, "salt")
            iterations = count(extra, "iterations", 1000, ITERATIONS_MAX)
            keylen = count(extra, "keylen", 32, KEYLEN_MAX)
            wanted = (salt, iterations, keylen)
            if self._derived is None or self._derived[0] != wanted:
                key = yield from self._stretch(key, salt, iterations, keylen)
                self._derived = (wanted, base64(key).encode())
            key = self._derived[1]
        yield
        return base64(kdf.hmac_sha256(key, message)), {}

    def _stretch(self, secret, salt, iterations, length):
        """Generator; PBKDF2. A host does it in C."""
        return kdf.pbkdf2_sha256(secret, salt, iterations, length)
