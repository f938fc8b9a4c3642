"""The core's logins with the long computations in C, in a thread, and with channel binding."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from wamp.authcra import CRA
from wamp.authcrossbarscram import CrossbarScram
from wamp.authcryptosign import Cryptosign
from wamp.authscram import Scram

from .._saslprep import saslprep
from .._text import shown
from ..cryptosign._challenge import bound, check_binding
from ..exception import AuthenticationError, ConfigurationError
from ._argon2 import argon2id
from ._secrets import pbkdf2

# A step of a generator may take so long; the event loop turns between two.
_STEP_S = 0.002


def in_thread(function: Callable[[], bytes]) -> Generator[None, None, bytes]:
    """Run a computation that lets go of the interpreter's lock; yields until it is done."""
    found: list[bytes] = []
    failed: list[Exception] = []

    def compute() -> None:
        try:
            found.append(function())
        except Exception as error:  # it is raised where the result is waited for
            failed.append(error)

    # A daemon: who gives up the login, or the program, does not wait for it.
    thread = threading.Thread(target=compute, daemon=True, name="wamp-login")
    thread.start()
    while True:
        thread.join(_STEP_S)
        if not thread.is_alive():
            break
        yield
    if failed:
        raise failed[0]
    return found[0]


class HostCra(CRA):
    """wampcra."""

    def _stretch(
        self, secret: bytes, salt: bytes, iterations: int, length: int
    ) -> Generator[None, None, bytes]:
        return in_thread(lambda: pbkdf2(secret, salt, iterations, length))


class HostScram(Scram):
    """wamp-scram: authid and password prepared, argon2id known."""

    def __init__(
        self, authid: str, password: str, random: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        super().__init__(
            prepared("authid", authid), prepared("password", password), random, argon2id
        )
        self._secret = prepared("password", password).encode()

    def _salted(
        self, name: str, salt: bytes, iterations: int, memory: int
    ) -> Generator[None, None, bytes]:
        if name == "pbkdf2":
            return in_thread(lambda: pbkdf2(self._secret, salt, iterations))
        return in_thread(lambda: argon2id(self._secret, salt, iterations, memory))


class HostCrossbarScram(CrossbarScram, HostScram):
    """scram, as crossbar has it."""

    def __init__(
        self, authid: str, password: str, random: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        HostScram.__init__(self, authid, password, random)


def scrams(authid: str, password: str) -> list[HostScram]:
    """A password in both dialects, to be offered together in this order.

    crossbar's is the first: it refuses a HELLO when it comes to a method that it does not know.
    HELLO has one nonce, which the first draws and the second takes over.
    """
    drawn = b""

    def draw(count: int) -> bytes:
        nonlocal drawn
        drawn = secrets.token_bytes(count)
        return drawn

    return [
        HostCrossbarScram(authid, password, draw),
        HostScram(authid, password, lambda count: drawn),
    ]


class HostCryptosign(Cryptosign):
    """cryptosign: libsodium, and bound to the TLS channel where `binding` says so.

    channel_ids: the ids of the connection by binding, to be set before HELLO where there is a
    binding.
    """

    def __init__(
        self,
        public: bytes,
        authid: str | None,
        sign: Callable[[bytes], bytes],
        router: Sequence[bytes] | None,
        binding: str | None,
    ) -> None:
        super().__init__(None, public, authid, sign, router, secrets.token_bytes, _verify)
        self.binding = check_binding(binding)
        self.channel_ids: dict[str, bytes] = {}

    def hello(self, details: dict[str, Any]) -> None:
        """As the core's, with the channel binding that is wished for."""
        super().hello(details)
        if self.binding is not None:
            details["authextra"]["channel_binding"] = self.binding

    def _bound(self, octets: bytes, extra: dict[str, Any]) -> bytes:
        named = extra.get("channel_binding")
        if self.binding is None:
            return super()._bound(octets, extra)
        if named != self.binding:
            raise AuthenticationError(
                f"the router does not bind its challenge to the TLS channel as this client wants "
                f"it: {self.binding} was asked for, and the challenge has {shown(named)}"
            )
        return bound(octets, self.channel_id(), self.binding)

    def channel_id(self) -> bytes | None:
        """The id that the signature is bound to, None without a binding; AuthenticationError where
        the connection has none."""
        found = self.channel_ids.get(self.binding or "")
        if found is None and self.binding is not None:
            why = "it takes TLS 1.2"
            if self.binding == "tls-exporter":
                why = "Python's ssl cannot export keying material, use tls-unique on TLS 1.2"
            raise AuthenticationError(
                f"this connection has no channel id for {self.binding}: {why}"
            )
        return found


def prepared(what: str, text: object) -> str:
    """SASLprep of a name or password; ConfigurationError where it prohibits it."""
    if not isinstance(text, str):
        raise ConfigurationError(f"the {what} must be a text")
    try:
        return saslprep(text)
    except ValueError as error:
        raise ConfigurationError(f"the {what} cannot be used: {error}") from None


def _verify(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(public).verify(message, signature)
    except (CryptoError, ValueError):
        return False
    return True
