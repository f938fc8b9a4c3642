"""Key files: every form, every way in which one can be wrong, and what errors do not say."""

import os
from binascii import hexlify, unhexlify

from helpers import raises

from wamp import keys
from wamp.errors import ConfigurationError

SEED = "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510"
PUBLIC = "1adfc8bfe1d35616e64dffbd900096f23b066f914c8c2ffbb66f6075b96e116d"
OTHER = "6ed32739ff04a6074044ff0b0e3bfc7c856bc9d5f1d25efc57363bda0af3a8b0"

HOST = hasattr(os, "fstat")

CROSSBAR = """Crossbar.io node private key - KEEP THIS SAFE!

creator: root@node-01
created-at: 2026-11-22T10:00:00.000Z
machine-id: 7f9b3c
node-authid: node-01
public-key-ed25519: %s
private-key-ed25519: %s
""" % (PUBLIC, SEED)

# name, content, whether the file itself tells the public key
GOOD = (
    ("raw octets", unhexlify(SEED), False),
    ("hex", SEED, False),
    ("hex with line end", SEED + "\n", False),
    ("hex with blanks and CR LF", "  " + SEED.upper() + "\r\n\r\n", False),
    ("crossbar", CROSSBAR, True),
    ("crossbar, CR LF", CROSSBAR.replace("\n", "\r\n"), True),
    ("private line only", "private-key-ed25519:" + SEED, False),
    ("comments", "# a: b\n#\n\nprivate-key-ed25519 : %s\nx:y:z\n" % SEED.upper(), False),
    ("a comment with a key", "#private-key-ed25519: 00\nprivate-key-ed25519: " + SEED, False),
)

# name, content, words of the error
BAD = (
    ("empty", "", "0 characters"),
    ("blank", " \n", "0 characters"),
    ("half a key in hex", SEED[:32], "32 characters"),
    ("half a key in hex and line end", SEED[:31] + "\n", "31 characters"),
    ("too short", SEED[:-1], "63 characters"),
    ("too long", SEED + "00", "66 characters"),
    ("not hex", SEED[:-1] + "g", "not hex"),
    ("a blank inside", SEED[:-2] + " 0", "not hex"),
    ("blanks in pairs", SEED[:30] + "  " + SEED[32:], "not hex"),
    ("two keys", SEED + "\n" + SEED, "129 characters"),
    ("not UTF-8", b"\xff" * 33, "neither text"),
    ("not UTF-8, as long as hex", b"\xff" * 64, "neither text"),
    ("31 octets", bytes(31), "31 characters"),
    ("an OpenSSH key", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n", "characters"),
    ("public key only", "public-key-ed25519: %s\n" % PUBLIC, "no line private-key-ed25519"),
    ("short line", "private-key-ed25519: %s\n" % SEED[2:], "62 characters"),
    ("line not hex", "private-key-ed25519: x%s\n" % SEED[1:], "not hex"),
    ("line empty", "private-key-ed25519:\n", "0 characters"),
    (
        "short public key",
        "private-key-ed25519: %s\npublic-key-ed25519: %s\n" % (SEED, PUBLIC[2:]),
        "public-key-ed25519 has 62",
    ),
    (
        "two private keys",
        "private-key-ed25519: %s\nprivate-key-ed25519: %s\n" % (SEED, SEED),
        "two lines private-key-ed25519",
    ),
    (
        "two public keys",
        CROSSBAR + "public-key-ed25519: %s\n" % OTHER,
        "two lines public-key-ed25519",
    ),
    ("no key file at all", "x" * 5000, "longer than 4096"),
)


def folder():
    """Where a test may write: a temporary folder on hosts, the working folder elsewhere."""
    try:
        import tempfile

        return tempfile.mkdtemp() + "/"
    except ImportError:
        return ""


class File:
    """A file of this name and content, removed afterwards."""

    def __init__(self, content=None, mode=0o600, name="test_keys_scratch.key"):
        self.folder = folder()
        self.path = self.folder + name
        self.remove()
        if content is not None:
            if isinstance(content, str):
                content = content.encode()
            with open(self.path, "wb") as file:
                file.write(content)
            if HOST:
                os.chmod(self.path, mode)

    def __enter__(self):
        return self.path

    def __exit__(self, *error):
        self.remove()
        if self.folder:
            os.rmdir(self.folder)

    def remove(self):
        try:
            os.remove(self.path)
        except OSError:
            pass


def refused(path, *words):
    """The ConfigurationError of reading this file: one line, with its path and these words."""
    text = str(raises(ConfigurationError, keys.read_key, path))
    for word in (path,) + words:
        assert word in text, (word, text)
    for secret in (SEED, SEED[:31], SEED[:31].upper(), SEED[2:40], OTHER):
        assert secret not in text, text
    assert "\n" not in text, text
    return text


def test_every_form():
    for name, content, tells in GOOD:
        with File(content) as path:
            seed, public = keys.read_key(path)
        assert hexlify(seed).decode() == SEED, name
        if HOST or tells:
            assert hexlify(public).decode() == PUBLIC, name
        else:
            assert public is None, name


def test_raw_octets_with_some_text_in_them():
    for octet in (b"\x00", b"\x7f", b"\x80", b"\x1f"):
        with File(b"0" * 31 + octet) as path:
            assert keys.read_key(path)[0] == b"0" * 31 + octet


def test_every_defect():
    for name, content, words in BAD:
        with File(content, name="test_keys_%s.key" % name.replace(" ", "_")) as path:
            refused(path, words)


def test_public_key_that_does_not_fit():
    with File("private-key-ed25519: %s\npublic-key-ed25519: %s\n" % (SEED, OTHER)) as path:
        if HOST:
            refused(path, "not that of the private key")
        else:  # 100 ms for what the router finds out anyway
            assert keys.read_key(path) == (unhexlify(SEED), unhexlify(OTHER))


def test_absent_file():
    with File() as path:
        refused(path, "there is no key file")


def test_folder_in_place_of_a_file():
    scratch = File()
    with scratch as path:
        os.mkdir(path)
        if HOST:
            os.chmod(path, 0o700)
        try:
            refused(path, "cannot be read")
        finally:
            os.rmdir(path)


def test_files_that_others_can_read():
    if not HOST or os.name != "posix":
        return
    for mode in (0o640, 0o604, 0o644, 0o660, 0o610, 0o601, 0o777):
        with File(CROSSBAR, mode) as path:
            refused(path, "chmod 600 " + path, "mode %04o" % mode)
    for mode in (0o600, 0o400, 0o700):
        with File(CROSSBAR, mode) as path:
            keys.read_key(path)


def test_cryptosign():
    with File(CROSSBAR) as path:
        login = keys.cryptosign(path)
        named = keys.cryptosign(path, authid="erin")
    details = {}
    login.hello(details)
    assert details == {"authextra": {"pubkey": PUBLIC}}
    assert named.authid == "erin"
    assert SEED not in repr(login)
    with File("") as path:
        raises(ConfigurationError, keys.cryptosign, path)


class Generator:
    """`os` of wamp.keys, with another urandom."""

    def __init__(self, urandom):
        self.urandom = urandom

    def __enter__(self):
        keys.os = self

    def __exit__(self, *error):
        keys.os = os


def test_new_seeds():
    seeds = [keys.new_seed(), keys.new_seed(), keys.new_seed(b"x"), keys.new_seed(bytearray(99))]
    for n, seed in enumerate(seeds):
        assert len(seed) == 32 and type(seed) is bytes
        assert seed not in seeds[:n], n


def test_entropy_is_mixed_with_the_systems_own():
    def of(entropy, salt):
        reads = [b"a" * 31 + salt, b"b" * 32 + salt]
        with Generator(lambda n: (reads.pop(0) * 2)[1:33]):
            return keys.new_seed(entropy)

    assert of(b"x", b"1") == of(b"x", b"1")
    assert len(set([of(b"x", b"1"), of(b"y", b"1"), of(b"x", b"2"), of(b"", b"1")])) == 4


def test_generator_that_repeats_itself_is_refused():
    repeats = (
        ("all octets alike", [b"*" * 32, b"*" * 32]),
        ("zeros, then noise", [bytes(32), bytes(range(32))]),
        ("noise, then all alike", [bytes(range(32)), b"\xff" * 32]),
        ("the same noise again", [bytes(range(32)), bytes(range(32))]),
    )
    for name, reads in repeats:
        with Generator(lambda n: reads.pop(0)):
            text = str(raises(ConfigurationError, keys.new_seed, b"entropy of the host"))
        assert "os.urandom" in text, name
        assert not reads, name


def test_written_files_can_be_read():
    for comment in ("", "porch light", "private-key-ed25519: 00"):
        with File() as path:
            keys.write_key(path, unhexlify(SEED), unhexlify(PUBLIC), comment)
            assert keys.read_key(path) == (unhexlify(SEED), unhexlify(PUBLIC)), comment
            with open(path) as file:
                assert comment in file.read()
            if HOST and os.name == "posix":
                assert os.stat(path).st_mode & 0o777 == 0o600


def test_files_are_never_overwritten():
    with File("mine") as path:
        error = raises(
            ConfigurationError, keys.write_key, path, unhexlify(SEED), unhexlify(PUBLIC)
        )
        assert path in str(error) and "already" in str(error)
        with open(path) as file:
            assert file.read() == "mine"


def test_keys_that_cannot_be_written():
    seed = unhexlify(SEED)
    public = unhexlify(PUBLIC)
    with File() as path:
        for arguments in (
            (path, seed[:31], public),
            (path, seed, public[:31]),
            (path, seed, public, "one\nprivate-key-ed25519: 00"),
            (path, seed, public, "one\rtwo"),
            (path + "/nowhere", seed, public),
        ):
            text = str(raises(ConfigurationError, keys.write_key, *arguments))
            assert SEED not in text and repr(seed) not in text, text
        refused(path, "there is no key file")
