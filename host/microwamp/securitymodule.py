"""Security modules: keys that are kept together, with counters, in memory or in a file.

They keep keys of WAMP-cryptosign, and of Ethereum with the extra `ethereum`. A module in a file is
a file of JSON, mode 0600; with a passphrase the keys in it are encrypted (argon2id,
XSalsa20-Poly1305), and it can be locked. Several processes may use one file: each change is made
to what the file says then, under a lock of the system (flock) on its folder.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox
from nacl.signing import SigningKey

from wamp import keyfile

from ._text import shown
from .cryptosign import CryptosignKey
from .ethereum import EthereumKey
from .exception import ConfigurationError, Error, LocalProtocolError
from .interfaces import ISecurityModule

__all__ = ["FileSecurityModule", "MemorySecurityModule"]

_KEYS_MAX = 16  # encrypted, 2,600 octets: keyfile reads files of 4,096
_RANDOM_MAX = 1 << 20
_COUNTERS_MAX = 16
_TYPES = ("cryptosign", "ethereum")
_BUSY_S = 5.0  # a change takes some ms; who holds the lock for longer hangs
_RETRY_S = 0.01


class MemorySecurityModule(ISecurityModule):
    """Keys in memory; gone with the object. It is made open, and cannot be locked."""

    def __init__(self) -> None:
        self._open = True
        self._seeds: dict[int, bytes] = {}
        self._types: dict[int, str] = {}  # of those that are not of cryptosign
        self._counters: dict[int, int] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._seeds)

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._seeds))

    def __getitem__(self, key_no: int) -> CryptosignKey | EthereumKey:
        """The key of that number; LocalProtocolError where there is none."""
        self._usable()
        seed = self._seeds.get(key_no)
        if seed is None:
            raise LocalProtocolError(f"there is no key {shown(key_no)} in this security module")
        if self._types.get(key_no) == "ethereum":
            return EthereumKey(seed, True, self, key_no)
        return CryptosignKey(SigningKey(seed), True, self, key_no)

    async def open(self) -> None:
        """Open the module."""
        self._open = True

    async def close(self) -> None:
        """Close it: its keys do not sign until it is opened again."""
        self._open = False

    @property
    def is_open(self) -> bool:
        """Whether it is open."""
        return self._open

    @property
    def can_lock(self) -> bool:
        """Whether it can be locked."""
        return False

    @property
    def is_locked(self) -> bool:
        """Whether it is locked."""
        return False

    async def lock(self) -> None:
        """LocalProtocolError: it cannot be locked."""
        raise LocalProtocolError("this security module cannot be locked")

    async def unlock(self) -> None:
        """LocalProtocolError: it cannot be locked."""
        raise LocalProtocolError("this security module cannot be locked")

    async def create_key(self, key_type: str) -> int:
        """Make a key, `cryptosign` or `ethereum`; returns its number, which is never given again.

        ConfigurationError: `ethereum` needs the extra of that name.
        """
        self._usable()
        if key_type not in _TYPES:
            raise LocalProtocolError(
                f"key_type is {shown(key_type)}, and this security module makes "
                f"{' and '.join(_TYPES)}"
            )
        seed = secrets.token_bytes(32)
        if key_type == "ethereum":
            EthereumKey.from_bytes(seed)  # raises for what is no key: one in 2^127
        async with self._exclusive():
            if len(self._seeds) >= _KEYS_MAX:
                raise LocalProtocolError(f"a security module keeps {_KEYS_MAX} keys: delete one")
            number = self._next
            self._next += 1
            self._seeds[number] = seed
            if key_type != "cryptosign":
                self._types[number] = key_type
            self._changed()
        return number

    async def delete_key(self, key_no: int) -> None:
        """Delete a key; LocalProtocolError where there is none."""
        self._usable()
        async with self._exclusive():
            if key_no not in self._seeds:
                raise LocalProtocolError(
                    f"there is no key {shown(key_no)} in this security module"
                )
            del self._seeds[key_no]
            self._types.pop(key_no, None)
            self._changed()

    async def get_random(self, octets: int) -> bytes:
        """So many random octets."""
        self._usable()
        if type(octets) is not int or not 0 <= octets <= _RANDOM_MAX:
            raise LocalProtocolError(f"octets: {shown(octets)} found, 0 to {_RANDOM_MAX} expected")
        return secrets.token_bytes(octets)

    async def get_counter(self, counter_no: int) -> int:
        """The counter's value; 0 if it was never incremented."""
        self._usable()
        number = self._counter(counter_no)
        async with self._exclusive():
            return self._counters.get(number, 0)

    async def increment_counter(self, counter_no: int) -> int:
        """Increment the counter; returns the new value, which is kept by then."""
        self._usable()
        number = self._counter(counter_no)
        async with self._exclusive():
            value = self._counters[number] = self._counters.get(number, 0) + 1
            self._changed()
        return value

    def _counter(self, number: int) -> int:
        if type(number) is not int or not 0 <= number < _COUNTERS_MAX:
            raise LocalProtocolError(
                f"counter_no: {shown(number)} found, 0 to {_COUNTERS_MAX - 1} expected"
            )
        return number

    def _usable(self) -> None:
        if not self.is_open:
            raise LocalProtocolError("the security module is closed: open it first")
        if self.is_locked:
            raise LocalProtocolError("the security module is locked: unlock it first")

    @asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[None]:
        """Nobody else changes what is kept meanwhile."""
        yield

    def _changed(self) -> None:
        """Keep what is new."""


class FileSecurityModule(MemorySecurityModule):
    """Keys in a file, which is made where there is none. It has to be opened.

    passphrase: encrypts the keys, and makes that it can be locked: it is locked when it is opened.
    What is written replaces the file as a whole; who has it open elsewhere finds keys that were
    made there with its next change or question. ConfigurationError: the file is damaged, others
    may read it, the passphrase is wrong, or somebody holds the lock for more than 5 s.
    """

    def __init__(self, path: str | os.PathLike[str], passphrase: str | None = None) -> None:
        super().__init__()
        try:
            # What is written replaces a file, not a symbolic link to it.
            self._path = Path(os.path.realpath(path))
        except (TypeError, ValueError):
            raise ConfigurationError(f"security module {path!r}: this is no path") from None
        self._open = False
        self._passphrase = passphrase
        self._locked = False
        self._salt = b""
        self._box: SecretBox | None = None

    def __repr__(self) -> str:
        return f"FileSecurityModule({str(self._path)!r})"

    @property
    def can_lock(self) -> bool:
        """Whether it can be locked: it has a passphrase."""
        return self._passphrase is not None

    @property
    def is_locked(self) -> bool:
        """Whether it is locked."""
        return self._locked

    async def open(self) -> None:
        """Read the file, or make it."""
        if self._open:
            return
        async with self._locked_file():
            if not os.path.lexists(self._path):
                self._salt = secrets.token_bytes(argon2id.SALTBYTES)
                self._seeds, self._types, self._counters, self._next = {}, {}, {}, 0
                if self._passphrase is not None:
                    self._box = self._derived()
                self._changed()
            self._load()
        self._locked = self._passphrase is not None
        if self._locked:
            self._forget()
        self._open = True

    async def close(self) -> None:
        """Close it, and forget the keys."""
        self._forget()
        self._open = False

    async def lock(self) -> None:
        """Forget the keys until it is unlocked."""
        self._lockable()
        self._forget()
        self._locked = True

    async def unlock(self) -> None:
        """Decrypt the keys; takes half a second or so."""
        self._lockable()
        self._box = self._derived()
        self._locked = False
        try:
            async with self._locked_file():
                self._load()
        except ConfigurationError:
            self._forget()
            self._locked = True
            raise

    @asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[None]:
        async with self._locked_file():
            self._usable()  # it may have been closed while this waited
            self._load()
            yield

    @asynccontextmanager
    async def _locked_file(self) -> AsyncIterator[None]:
        """Hold the lock of the file, within this process and among processes."""
        import fcntl

        # Of the folder: the file is replaced by each change, and nothing else is left behind.
        folder = self._path.parent
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ConfigurationError(
                f"security module {self._path} cannot be written ({error}): check its folder"
            ) from None
        try:
            limit = asyncio.get_running_loop().time() + _BUSY_S
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if asyncio.get_running_loop().time() > limit:
                        raise ConfigurationError(
                            f"security module {self._path} is in use: somebody holds the lock "
                            f"of {folder} for more than {_BUSY_S:g} s"
                        ) from None
                    await asyncio.sleep(_RETRY_S)
            yield
        finally:
            os.close(lock)

    def _lockable(self) -> None:
        if not self.can_lock:
            raise LocalProtocolError("this security module cannot be locked: it has no passphrase")
        if not self._open:
            raise LocalProtocolError("the security module is closed: open it first")

    def _forget(self) -> None:
        self._seeds = {}
        self._box = None

    def _derived(self) -> SecretBox:
        text = (self._passphrase or "").encode()
        return SecretBox(
            argon2id.kdf(
                SecretBox.KEY_SIZE,
                text,
                self._salt,
                argon2id.OPSLIMIT_INTERACTIVE,
                argon2id.MEMLIMIT_INTERACTIVE,
            )
        )

    def _load(self) -> None:
        octets = keyfile.read_octets(self._path)
        try:
            found = json.loads(octets)
            if found.pop("digest") != _digest(found):
                raise ValueError
            self._next = _number(found["next"])
            self._counters = {
                self._counter(int(number)): _number(value)
                for number, value in found["counters"].items()
            }
            salt = bytes.fromhex(found["salt"])
            encrypted = bool(salt)
            check = bytes.fromhex(found["check"])
            types = {int(number): kind for number, kind in found.get("types", {}).items()}
            if any(kind not in _TYPES for kind in types.values()):
                raise ValueError
            kept = {int(number): bytes.fromhex(text) for number, text in found["keys"].items()}
            if len(salt) not in (0, argon2id.SALTBYTES):
                raise ValueError
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, Error):
            raise ConfigurationError(
                f"security module {self._path} is damaged: restore it from a copy"
            ) from None
        if encrypted != (self._passphrase is not None):
            raise ConfigurationError(
                f"security module {self._path} "
                + ("has a passphrase: give it" if encrypted else "has no passphrase: give none")
            )
        if self._box is not None and salt != self._salt:
            raise ConfigurationError(
                f"security module {self._path} was made anew by somebody else: open it again"
            )
        self._salt = salt
        if self._box is not None:
            try:
                self._box.decrypt(check)  # there may be no key to notice a wrong passphrase by
                kept = {number: self._box.decrypt(sealed) for number, sealed in kept.items()}
            except (CryptoError, ValueError):
                raise ConfigurationError(
                    f"the passphrase of security module {self._path} is wrong, or it is damaged"
                ) from None
        if self._box is not None or not encrypted:
            if any(len(seed) != 32 or number >= self._next for number, seed in kept.items()):
                raise ConfigurationError(
                    f"security module {self._path} is damaged: restore it from a copy"
                )
            self._seeds = kept
            self._types = {number: kind for number, kind in types.items() if number in kept}

    def _changed(self) -> None:
        box = self._box
        kept = self._seeds
        if box is not None:
            kept = {number: bytes(box.encrypt(seed)) for number, seed in kept.items()}
        value: dict[str, Any] = {
            "next": self._next,
            "counters": self._counters,
            "salt": self._salt.hex() if box is not None else "",
            "check": bytes(box.encrypt(b"")).hex() if box is not None else "",
            "keys": {number: octets.hex() for number, octets in kept.items()},
        }
        if self._types:
            value["types"] = self._types
        text = json.dumps({**value, "digest": _digest(value)})
        try:
            # mkstemp's files have mode 0600; replaced at once, so no reader sees half a file.
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._path)
        except OSError as error:
            raise ConfigurationError(
                f"security module {self._path} cannot be written ({error}): check its folder"
            ) from None


def _digest(value: dict[str, Any]) -> str:
    """By which damage is noticed: a key that is not encrypted does not tell that it is whole."""
    # Numbers that are names become text in JSON, and text is ordered in another way.
    text = json.dumps(json.loads(json.dumps(value)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value
