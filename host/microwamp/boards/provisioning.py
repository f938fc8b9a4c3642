"""Keys that are made on the board: the private one never leaves it."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

from wamp.errors import ConfigurationError, RemoteProtocolError

from . import deployment
from .remote import Remote

# On the board. The key is written to PATH.new, read back, and moved: a power cut leaves the old
# key or the new one; on FAT, where moving is copying, perhaps half of the new one and all of it in
# PATH.new, which the next time takes its place. What is printed is the public key, or why there is
# none.
_MAKE = """
import os
from binascii import hexlify, unhexlify
from wamp import ed25519, errors, keys
def _make(path, entropy, comment, force):
    new = path + ".new"
    try:
        os.stat(path)
        try:
            keys.read_key(path)
        except errors.ConfigurationError:
            keys.read_key(new)
            _m(new, path)
    except (OSError, errors.ConfigurationError):
        pass
    try:
        os.remove(new)
    except OSError:
        pass
    if not force:
        try:
            os.stat(path)
        except OSError:
            pass
        else:
            try:
                seed, public = keys.read_key(path)
                public = public or ed25519.run(ed25519.public_key(seed))
                print("there", hexlify(public).decode())
            except errors.ConfigurationError as error:
                print("broken", error)
            return
    try:
        seed = keys.new_seed(unhexlify(entropy))
        public = ed25519.run(ed25519.public_key(seed))
        keys.write_key(new, seed, public, comment)
    except errors.ConfigurationError as error:
        print("refused", error)
        return
    again = keys.read_key(new)
    if again[0] != seed or again[1] != public:
        print("refused what was written reads otherwise: is the flash worn out?")
        return
    _m(new, path)
    print("made", hexlify(public).decode())
"""


@dataclass
class Key:
    """A public key, and the line of crossbar's configuration for it."""

    public: str
    name: str

    @property
    def crossbar(self) -> str:
        """Below auth.cryptosign.principals."""
        principal = {self.name: {"authorized_keys": [self.public], "role": "device"}}
        return json.dumps(principal)[1:-1]

    @property
    def router(self) -> str:
        """The embedded router's command; anonymous: programs on this machine."""
        return f"microwamp router --anonymous --cryptosign {self.public}:{self.name}"


def provision(remote: Remote, path: str, name: str, force: bool) -> Key:
    """Make a key on the board. Raises ConfigurationError where there is one, unless `force`."""
    facts = remote.facts()
    deployment.check_fits(remote.port, facts)
    with deployment.safe_mode(remote, facts):
        remote.helpers()
        remote.exec(_MAKE)
        entropy = secrets.token_hex(32)
        word, _, rest = (
            remote.exec(f"_make({path!r}, {entropy!r}, {name!r}, {force})").strip().partition(" ")
        )
    remote.reset()
    if word == "there":
        raise ConfigurationError(
            f"port {remote.port}: there is a key {path} already, its public key is {rest};"
            " --force makes a new one in its place"
        )
    if word == "broken":
        raise ConfigurationError(f"port {remote.port}: {rest}; --force makes a new one")
    if word == "refused":
        raise ConfigurationError(f"port {remote.port}: {rest}")
    if word != "made" or not _is_key(rest):
        raise RemoteProtocolError(f"port {remote.port}: no public key came back")
    return Key(rest, name)


def _is_key(text: str) -> bool:
    from nacl.bindings import crypto_core_ed25519_is_valid_point

    try:
        octets = bytes.fromhex(text)
    except ValueError:
        return False
    return len(octets) == 32 and bool(crypto_core_ed25519_is_valid_point(octets))
