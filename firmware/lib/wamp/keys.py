"""Key files: making a key and writing it down; wamp.keyfile reads them, which is all that a device
needs."""

import os
from binascii import hexlify

from . import keyfile
from .errors import ConfigurationError
from .keyfile import PRIVATE, PUBLIC, cryptosign, read_key
from .sha512 import sha512

__all__ = ("PRIVATE", "PUBLIC", "cryptosign", "new_seed", "read_any_key", "read_key", "write_key")

_EEXIST = 17


def new_seed(entropy=b""):
    """A new private key, 32 octets: a hash of what the system's generator gives and of `entropy`,
    octets from elsewhere, such as the host that sets the board up.

    Raises ConfigurationError where that generator repeats itself, whatever the entropy: on some
    chips and emulators `os.urandom` is constant, and all their keys would be the same.
    """
    first = os.urandom(32)
    second = os.urandom(32)
    for octets in (first, second):
        if first == second or octets == octets[:1] * 32:
            raise ConfigurationError(
                "this system's random generator (os.urandom) repeats itself: make the key on "
                "another one, with `microwamp keygen`, and copy the file"
            )
    return sha512(first + second + bytes(entropy))[:32]


def read_any_key(path):
    """(private key, public key) as wamp.keyfile.read_key has it, or (None, public key) of a file
    that holds the public one alone, which others may read."""
    octets = keyfile.read_octets(path, False)
    try:
        tags = keyfile._tags(octets.decode(), path)
    except UnicodeError:
        tags = {}
    if PUBLIC in tags and PRIVATE not in tags:
        return None, keyfile._key(tags[PUBLIC], "key file %s: %s" % (path, PUBLIC))
    return read_key(path)


def write_key(path, seed, public, comment=""):
    """Write a key file that only its owner can read (mode 0600 where the system has modes).

    seed, public: 32 octets each. comment: one line for people. Raises ConfigurationError where
    there is a file already, which is never overwritten, and where none can be written.
    """
    if len(seed) != 32 or len(public) != 32:
        raise ConfigurationError("a private and a public key have 32 octets each")
    if "\n" in comment or "\r" in comment:
        raise ConfigurationError("the comment of a key file is one line")
    text = "# Ed25519 key for WAMP cryptosign: keep this file secret\n"
    if comment:
        text += "# %s\n" % comment
    text += "\n%s: %s\n" % (PUBLIC, hexlify(public).decode())
    text += "%s: %s\n" % (PRIVATE, hexlify(seed).decode())
    try:
        with _create(path) as file:
            file.write(text)
    except OSError as error:
        if error.errno == _EEXIST:
            raise ConfigurationError(
                "there is a file %s already: remove it or choose another name" % path
            ) from None
        raise ConfigurationError(
            "key file %s cannot be written (%s): check its folder" % (path, error)
        ) from None


def _create(path):
    if keyfile.HOST:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
    try:
        os.stat(path)
    except OSError:
        return open(path, "w")
    raise OSError(_EEXIST)
