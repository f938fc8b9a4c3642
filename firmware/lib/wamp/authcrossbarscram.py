"""The login by SCRAM as crossbar and autobahn have it (authmethod "scram")."""

from ._challenge import base64
from .authscram import Scram


class CrossbarScram(Scram):
    """A password, as crossbar and autobahn have it.

    Other than in the specification, an authid is not escaped, the field of the channel binding is
    empty, AUTHENTICATE has no extra, and argon2id's octets are used as base64 text without
    padding.
    """

    method = "scram"
    _verifier = "scram_server_signature"
    _binding = ""

    def _salted(self, name, salt, iterations, memory):
        """Generator; returns SaltedPassword."""
        salted = yield from super()._salted(name, salt, iterations, memory)
        return salted if name == "pbkdf2" else base64(salted).rstrip("=").encode()

    def _name(self):
        return self.authid
