"""Reading key files: the Ed25519 key that a device or host logs in with.

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

from .authcryptosign import Cryptosign, unhex
from .errors import ConfigurationError

PRIVATE = "private-key-ed25519"
PUBLIC = "public-key-ed25519"

_SIZE_MAX = 4096  # crossbar's files have about 400 octets
_ENOENT = 2

# Hosts have time to check that the public key fits (0.5 ms), and files with owners.
HOST = hasattr(os, "fstat")


def cryptosign(path, authid=None, router=None):
    """The login of wamp.authcryptosign.Cryptosign with the key in the file at `path`.

    The signature is not constant-time: see there. router: the public key of the router, which
    must then prove itself, as 64 hex digits; or several, in a tuple.
    Raises ConfigurationError as `read_key` does.
    """
    seed, public = read_key(path)
    if router is not None:
        texts = router if isinstance(router, (tuple, list)) else (router,)
        router = [_key(text, "router=") for text in texts]
    return Cryptosign(seed, public, authid, None, router, os.urandom)


def read_key(path):
    """(private key, public key) from the file at `path`, 32 octets each.

    On a device the public key is None where the file does not hold it, and taken as it stands
    where it does (computing it takes 100 ms on an RP2040); hosts compute and compare it.
    Raises ConfigurationError, which says what is wrong, where, and what to do.
    """
    octets = read_octets(path)
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
            seed = _key(tags[PRIVATE], "key file %s: %s" % (path, PRIVATE))
            public = None
            if PUBLIC in tags:
                public = _key(tags[PUBLIC], "key file %s: %s" % (path, PUBLIC))
        else:
            seed = _key(text.strip(), "key file %s: the key" % path)
            public = None
    if HOST:
        from . import ed25519

        computed = ed25519.run(ed25519.public_key(seed))
        if public is not None and public != computed:
            raise ConfigurationError(
                "in key file %s the public key is not that of the private key: restore the file,"
                " or remove the line %s" % (path, PUBLIC)
            )
        public = computed
    return seed, public


def read_octets(path, owned=True):
    """The octets of a key file; owned: refuse one that others can use, where the system knows."""
    try:
        if HOST and os.stat(path).st_mode & 0o170000 == 0o010000:
            raise ConfigurationError("%s is a pipe: name a regular file" % path)
        with open(path, "rb") as file:
            if owned and HOST and os.name == "posix":
                mode = os.fstat(file.fileno()).st_mode & 0o777
                if mode & 0o077:
                    raise ConfigurationError(
                        "key file %s can be used by others (mode %04o): chmod 600 %s"
                        % (path, mode, path)
                    )
            octets = file.read(_SIZE_MAX + 1)
    except (OSError, ValueError) as error:  # ValueError: no path can have U+0000
        if getattr(error, "errno", 0) == _ENOENT:
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


def _key(text, name):
    octets = unhex(text, 32)
    if octets is None:
        what = "is not hex"
        if not isinstance(text, str) or len(text) != 64:
            what = "has %d characters" % len(text) if isinstance(text, str) else "is no text"
        raise ConfigurationError("%s %s, and should be 64 hex digits: correct it" % (name, what))
    return octets
