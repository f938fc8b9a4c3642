"""Key files: the Ed25519 key that a device or host logs in with.

A key file is one of
* lines `tag: value`, of which `private-key-ed25519` (64 hex digits) must be there and
  `public-key-ed25519` (the same) may be; other tags, lines without a colon and lines that begin
  with # are passed over. crossbar's node keys are of this form;
* 64 hex digits and nothing else;
* 32 raw octets.
What they hold is never part of an error. Where the system has owners and modes, a file that
others can read is refused, as ssh does; a microcontroller's file system has neither.
"""

import os
from binascii import hexlify, unhexlify

from . import ed25519
from .auth import Cryptosign
from .errors import ConfigurationError
from .sha512 import sha512

PRIVATE = "private-key-ed25519"
PUBLIC = "public-key-ed25519"

_SIZE_MAX = 4096  # crossbar's files have about 400 octets
_ENOENT = 2
_EEXIST = 17

# Hosts have time to check that the public key fits (0.5 ms), and files with owners.
_HOST = hasattr(os, "fstat")


def cryptosign(path, authid=None):
    """The login of wamp.auth.Cryptosign with the key in the file at `path`.

    Raises ConfigurationError as `read_key` does.
    """
    seed, public = read_key(path)
    return Cryptosign(seed, public, authid)


def read_key(path):
    """(private key, public key) from the file at `path`, 32 octets each.

    On a device the public key is None where the file does not hold it, and taken as it stands
    where it does (computing it takes 100 ms on an RP2040); hosts compute and compare it.
    Raises ConfigurationError, which says what is wrong, where, and what to do.
    """
    octets = _read(path)
    if len(octets) == 32 and not _is_text(octets):
        seed = octets
        public = None
    else:
        try:
            text = octets.decode()
        except UnicodeError:
            raise ConfigurationError(
                "key file %s is neither text nor 32 raw octets: replace it with a key file" % path
            ) from None
        if ":" in text:
            tags = _tags(text, path)
            if PRIVATE not in tags:
                raise ConfigurationError(
                    "key file %s has no line %s: name the file that holds the private key"
                    % (path, PRIVATE)
                )
            seed = _unhex(tags[PRIVATE], PRIVATE, path)
            public = _unhex(tags[PUBLIC], PUBLIC, path) if PUBLIC in tags else None
        else:
            seed = _unhex(text.strip(), "the key", path)
            public = None
    if _HOST:
        computed = ed25519.run(ed25519.public_key(seed))
        if public is not None and public != computed:
            raise ConfigurationError(
                "in key file %s the public key is not that of the private key: restore the file,"
                " or remove the line %s" % (path, PUBLIC)
            )
        public = computed
    return seed, public


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
    if _HOST:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
    try:
        os.stat(path)
    except OSError:
        return open(path, "w")
    raise OSError(_EEXIST)


def _read(path):
    try:
        with open(path, "rb") as file:
            if _HOST and os.name == "posix":
                mode = os.fstat(file.fileno()).st_mode & 0o777
                if mode & 0o077:
                    raise ConfigurationError(
                        "key file %s can be used by others (mode %04o): chmod 600 %s"
                        % (path, mode, path)
                    )
            octets = file.read(_SIZE_MAX + 1)
    except OSError as error:
        if error.errno == _ENOENT:
            raise ConfigurationError(
                "there is no key file %s: put the key there or correct the path" % path
            ) from None
        raise ConfigurationError(
            "key file %s cannot be read (%s): check the path and its permissions" % (path, error)
        ) from None
    if len(octets) > _SIZE_MAX:
        raise ConfigurationError(
            "%s is longer than %d octets: name the key file" % (path, _SIZE_MAX)
        )
    return octets


def _is_text(octets):
    # 32 random octets are all printable once in 10^14 keys; half a key in hex always is.
    for octet in octets:
        if not (31 < octet < 127 or octet in (9, 10, 13)):
            return False
    return True


def _tags(text, path):
    tags = {}
    for line in text.split("\n"):
        if ":" not in line or line[0] == "#":
            continue
        tag, value = line.split(":", 1)
        tag = tag.strip()
        if tag in tags and tag in (PRIVATE, PUBLIC):
            raise ConfigurationError(
                "key file %s has two lines %s: remove the one that is not meant" % (path, tag)
            )
        tags[tag] = value.strip()
    return tags


def _unhex(text, name, path):
    octets = b""
    if len(text) == 64:
        try:
            octets = unhexlify(text)
        except ValueError:
            pass
    if len(octets) != 32:  # MicroPython's unhexlify passes over white space
        what = "has %d characters" % len(text) if len(text) != 64 else "is not hex"
        raise ConfigurationError(
            "in key file %s %s %s, and should be 64 hex digits: restore the file"
            % (path, name, what)
        )
    return octets
