"""microwamp.cryptosign: vectors, files of each kind, whole and damaged, and autobahn's results."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from autobahn_side import ask_keys
from covering import covers
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from nacl.signing import SigningKey, VerifyKey

from microwamp.cryptosign import CryptosignAuthextra, CryptosignKey, channel_id_of
from microwamp.exception import (
    AuthenticationError,
    ConfigurationError,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
)
from microwamp.interfaces import ICryptosignKey
from microwamp.types import Challenge
from microwamp_rig.crossbar import make_certificate

SEED = bytes(range(32))
PUBLIC = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
CHANNEL = "62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff"
# The specification's: private key, challenge, signature, signature with the channel id above
VECTORS = [
    (
        "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510",
        "ff" * 32,
        "b32675b221f08593213737bef8240e7c15228b07028e19595294678c90d11c0c"
        "ae80a357331bfc5cc9fb71081464e6e75013517c2cf067ad566a6b7b728e5d03",
        "9b6f41540c9b95b4b7b281c3042fa9c54cef43c842d62ea3fd6030fcb66e70b3"
        "e80d49d44c29d1635da9348d02ec93f3ed1ef227dfb59a07b580095c2b82f80f",
    ),
    (
        "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd",
        "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
        "d4209ad10d5aff6bfbc009d7e924795de138a63515efc7afc6b01b7fe5201372"
        "190374886a70207b042294af5bd64ce725cd8dceb344e6d11c09d1aaaf4d660f",
        "305aaa3ac25e98f651427688b3fc43fe7d8a68a7ec1d7d61c61517c519bd4a42"
        "7c3015599d83ca28b4c652333920223844ef0725eb5dc2febfd6af7677b73f01",
    ),
    (
        "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b",
        "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2",
        "7beb282184baadd08f166f16dd683b39cab53816ed81e6955def951cb2ddad1e"
        "c184e206746fd82bda075af03711d3d5658fc84a76196b0fa8d1ebc92ef9f30b",
        "ee3c7644fd8070532bc1fde3d70d742267da545d8c8f03e63bda63f1ad4214f4"
        "d2c4bfdb4eb9526def42deeb7e31602a6ff99eba893e0a4ad4d45892ca75e608",
    ),
]
# BIP-39's own first English vector
PHRASE = " ".join(["abandon"] * 11 + ["about"])


def sign(key: CryptosignKey, challenge: Any, *binding: Any, **extra: Any) -> Any:
    return asyncio.run(
        key.sign_challenge(Challenge("cryptosign", {"challenge": challenge, **extra}), *binding)
    )


def private_file(path: Path, octets: bytes | str) -> str:
    path.unlink(missing_ok=True)
    path.write_bytes(octets.encode() if isinstance(octets, str) else octets)
    path.chmod(0o600)
    return str(path)


def openssh(seed: bytes = SEED, passphrase: bytes | None = None) -> str:
    """A private key file as the package cryptography writes it."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, how).decode()


# Signatures


@covers(
    "cryptosign.CryptosignKey",
    "cryptosign.CryptosignKey.sign",
    "cryptosign.CryptosignKey.can_sign",
    "cryptosign.CryptosignKey.comment",
    "cryptosign.CryptosignKey.key_no",
    "cryptosign.CryptosignKey.key_type",
    "cryptosign.CryptosignKey.public_key",
    "cryptosign.CryptosignKey.security_module",
)
def test_a_key_and_its_public_half():
    key = CryptosignKey(SigningKey(SEED), True, comment="mine")
    assert isinstance(key, ICryptosignKey)
    assert key.can_sign and key.comment == "mine"
    assert key.key_no is None and key.security_module is None
    assert key.key_type == "cryptosign"
    assert key.public_key() == PUBLIC and key.public_key(binary=True) == bytes.fromhex(PUBLIC)
    signature = asyncio.run(key.sign(b"data"))
    assert signature == SigningKey(SEED).sign(b"data").signature
    public = CryptosignKey(VerifyKey(bytes.fromhex(PUBLIC)), False)
    assert not public.can_sign and public.public_key() == PUBLIC and public.comment is None
    for one in (key, public):
        assert one.verify(b"data", signature) and not one.verify(b"date", signature)
        assert not one.verify(b"data", signature[:-1]) and not one.verify(b"data", b"")
        assert SEED.hex() not in repr(one)
    with pytest.raises(LocalProtocolError, match="this is a public key"):
        asyncio.run(public.sign(b"data"))
    with pytest.raises(LocalProtocolError, match="not octets"):
        asyncio.run(key.sign("data"))  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="does not tell its key"):
        asyncio.run(key.recover(b"data", signature))
    for wrong in ((SigningKey(SEED), False), (VerifyKey(bytes(32)), True), (SEED, True)):
        with pytest.raises(LocalProtocolError, match="CryptosignKey"):
            CryptosignKey(*wrong)
    for make in (CryptosignKey.from_bytes, CryptosignKey.from_pubkey):
        for octets in (b"", SEED + b"x", PUBLIC, None):
            with pytest.raises(ConfigurationError, match="32 octets"):
                make(octets)  # type: ignore[arg-type]


@covers("cryptosign.CryptosignKey.sign_challenge")
@pytest.mark.parametrize("seed, challenge, plain, bound", VECTORS)
def test_vectors_of_the_specification(seed, challenge, plain, bound):
    key = CryptosignKey.from_bytes(bytes.fromhex(seed))
    channel = bytes.fromhex(CHANNEL)
    mixed = bytes(a ^ b for a, b in zip(bytes.fromhex(challenge), channel, strict=True)).hex()
    asked = Challenge("cryptosign", {"challenge": challenge})
    assert sign(key, challenge) == plain + challenge
    for binding in ("tls-unique", "tls-exporter"):
        assert sign(key, challenge, channel, binding) == bound + mixed
        assert sign(key, challenge, channel, binding, channel_binding=binding) == bound + mixed
        assert key.verify_challenge(asked, bound + mixed, channel, binding)
        assert not key.verify_challenge(asked, bound + mixed)
        assert not key.verify_challenge(asked, plain + challenge, channel, binding)
    public = CryptosignKey.from_pubkey(key.public_octets)
    for signature in (plain + challenge, bytes.fromhex(plain + challenge), bytes.fromhex(plain)):
        assert public.verify_challenge(asked, signature)
    for wrong in (plain + "00" * 32, plain, "zz" * 96, b"", bytes(64), bytes(96)):
        assert not public.verify_challenge(asked, wrong)
    found = ask_keys(
        ("sign", bytes.fromhex(seed), challenge, None, None),
        ("sign", bytes.fromhex(seed), challenge, channel, "tls-unique"),
    )
    assert found == [plain + challenge, bound + mixed]


def test_challenges_that_are_not_signed():
    key = CryptosignKey.from_bytes(SEED)
    for wrong in (None, 7, "", "00" * 31, "zz" * 32, "00" * 33):
        with pytest.raises(RemoteProtocolError, match="64 hex digits"):
            sign(key, wrong)
    assert sign(key, "AB" * 32) == sign(key, "ab" * 32)
    for binding in (
        (bytes(32), None),
        (None, "tls-unique"),
        (bytes(12), "tls-unique"),
        (bytes(32), "tls-server-end-point"),
    ):
        with pytest.raises(LocalProtocolError, match="channel_id"):
            sign(key, "ab" * 32, *binding)
    with pytest.raises(AuthenticationError, match="channel binding"):
        sign(key, "ab" * 32, channel_binding="tls-unique")
    for challenge in (Challenge("ticket", {}), {"challenge": "ab" * 32}):
        with pytest.raises(LocalProtocolError):
            asyncio.run(key.sign_challenge(challenge))  # type: ignore[arg-type]


# Files


@covers("cryptosign.CryptosignKey.from_file")
def test_raw_files(tmp_path):
    path = tmp_path / "raw.key"
    for seed in (SEED, b"a raw key that could be a text!!"):
        key = CryptosignKey.from_file(private_file(path, seed), "a comment")
        assert key.public_key() == SigningKey(seed).verify_key.encode().hex()
        assert key.comment == "a comment" and key.can_sign
    for wrong in (b"", SEED[:31], SEED + b"\n", SEED.hex().encode()):
        with pytest.raises(ConfigurationError, match=f"has {len(wrong)} octets"):
            CryptosignKey.from_file(private_file(path, wrong))
    private_file(path, SEED)
    for mode in (0o640, 0o604, 0o666):
        path.chmod(mode)
        with pytest.raises(ConfigurationError, match="chmod 600"):
            CryptosignKey.from_file(str(path))
    with pytest.raises(ConfigurationError, match="there is no key file"):
        CryptosignKey.from_file(str(tmp_path / "nosuch"))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        CryptosignKey.from_file(str(tmp_path))
    with pytest.raises(ConfigurationError, match="longer than"):
        CryptosignKey.from_file(private_file(path, bytes(100_000)))
    with pytest.raises(LocalProtocolError):
        CryptosignKey.from_file(7)  # type: ignore[arg-type]


@covers("cryptosign.CryptosignKey.from_keyfile")
def test_key_files(tmp_path):
    path = tmp_path / "key"
    text = f"A comment\n\ncreator: me\npublic-key-ed25519: {PUBLIC}\n"
    private = text + f"private-key-ed25519: {SEED.hex()}\n"
    name = private_file(path, private)
    assert CryptosignKey.from_keyfile(name).can_sign
    assert ask_keys(("keyfile", name)) == [CryptosignKey.from_keyfile(name).public_key()]
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        CryptosignKey.from_keyfile(name)
    private_file(path, text)
    path.chmod(0o644)
    key = CryptosignKey.from_keyfile(name)
    assert key.public_key() == PUBLIC and not key.can_sign
    for wrong, words in (
        ("", "0 characters"),
        ("creator: me\n", "no line private-key-ed25519"),
        (private.replace(PUBLIC, "00" * 32), "not that of the private key"),
        (private + f"private-key-ed25519: {SEED.hex()}\n", "two lines"),
        (private.replace(SEED.hex(), SEED.hex()[:-2]), "62 characters"),
        (private.replace(SEED.hex(), "zz" * 32), "not hex"),
        (text.replace(PUBLIC, PUBLIC[:-1]), "63 characters"),
        (text + f"public-key-ed25519: {PUBLIC}\n", "two lines"),
        (b"\xff" * 40, "neither text nor"),
    ):
        with pytest.raises(ConfigurationError, match=words) as caught:
            CryptosignKey.from_keyfile(private_file(path, wrong))
        assert SEED.hex()[:16] not in str(caught.value)


@covers("cryptosign.CryptosignKey.from_ssh_bytes", "cryptosign.CryptosignKey.from_ssh_file")
def test_openssh_files_of_ssh_keygen(tmp_path):
    """OpenSSH itself writes them, with a passphrase and without."""
    for passphrase in ("", "a passphrase"):
        path = tmp_path / f"id{len(passphrase)}"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "me@here", "-f", path],
            check=True,
            timeout=60,
        )
        key = CryptosignKey.from_ssh_file(str(path), passphrase or None)
        public = CryptosignKey.from_ssh_file(f"{path}.pub")
        assert key.can_sign and not public.can_sign
        assert key.public_key() == public.public_key() and public.comment == "me@here"
        texts = [Path(f"{path}{suffix}").read_text().strip() for suffix in ("", ".pub")]
        assert CryptosignKey.from_ssh_bytes(texts[1]).public_key() == key.public_key()
        found = ask_keys(*(("ssh", text) for text in texts))
        assert found[1] == [key.public_key(), False, "me@here"]
        if passphrase:
            for wrong in ("wrong", "", b"\xff"):
                with pytest.raises(ConfigurationError, match="passphrase is wrong|cannot be"):
                    CryptosignKey.from_ssh_file(str(path), wrong)
            with pytest.raises(ConfigurationError, match="has a passphrase"):
                CryptosignKey.from_ssh_file(str(path))
            assert found[0].startswith("error: ")  # autobahn cannot
        else:
            assert found[0] == [key.public_key(), True, "me@here"] and key.comment == "me@here"
        path.chmod(0o644)
        with pytest.raises(ConfigurationError, match="chmod 600"):
            CryptosignKey.from_ssh_file(str(path), passphrase)


def test_openssh_files_damaged_in_every_octet():
    """Whatever octet is changed or cut off, there is one error, or the key is the same."""
    text = openssh()
    lines = text.splitlines()
    blob = base64.b64decode("".join(lines[1:-1]))

    def read(octets: bytes) -> CryptosignKey:
        body = base64.b64encode(octets).decode()
        return CryptosignKey.from_ssh_bytes("\n".join([lines[0], body, lines[-1]]))

    assert read(blob).public_key() == PUBLIC
    failed = 0
    for at in range(len(blob)):
        for damage in (blob[:at] + bytes([blob[at] ^ 0x81]) + blob[at + 1 :], blob[:at]):
            try:
                assert read(damage).public_key() == PUBLIC
            except ConfigurationError as error:
                failed += 1
                assert SEED.hex() not in str(error)
    assert failed >= 2 * len(blob) - 32  # but for the octets of a comment


def test_openssh_files_with_a_passphrase_damaged():
    text = openssh(passphrase=b"secret")
    lines = text.splitlines()
    blob = base64.b64decode("".join(lines[1:-1]))
    assert CryptosignKey.from_ssh_bytes(text, "secret").public_key() == PUBLIC
    rounds = blob.index(b"bcrypt") + 6 + 4 + 4 + 16
    for damage in (
        blob[:rounds] + b"\xff\xff\xff\xff" + blob[rounds + 4 :],
        blob[:rounds] + bytes(4) + blob[rounds + 4 :],
        blob[:-1],
        blob[:-1] + bytes([blob[-1] ^ 1]),
        blob.replace(b"bcrypt", b"bcrypu"),
        blob.replace(b"aes256-ctr", b"aes256-ctx"),
    ):
        body = base64.b64encode(damage).decode()
        with pytest.raises(ConfigurationError):
            CryptosignKey.from_ssh_bytes("\n".join([lines[0], body, lines[-1]]), "secret")


def test_texts_that_are_no_ssh_keys(tmp_path):
    other = ec.generate_private_key(ec.SECP256R1())
    blob = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes.fromhex(PUBLIC)).decode()
    long = base64.b64encode(base64.b64decode(blob) + b"x").decode()
    assert CryptosignKey.from_ssh_bytes(f"ssh-ed25519 {blob}").comment == ""
    assert CryptosignKey.from_ssh_bytes(f"ssh-ed25519 {blob} two words\n").comment == "two words"
    for text, words in (
        ("", "empty"),
        ("nonsense", "no OpenSSH key"),
        (f"ssh-ed25519 {blob} a\nssh-ed25519 {blob} b", "no OpenSSH key"),
        (f"ssh-rsa {blob} a", "only ssh-ed25519"),
        (f"ssh-ed25519 {blob[:-8]} a", "cut short"),
        (f"ssh-ed25519 {long} a", "no key of 32 octets"),
        ("ssh-ed25519 !!!! a", "not base64"),
        (openssh().replace("-----END", "-----DNE"), "no line"),
        (
            other.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
            "only ssh-ed25519",
        ),
        (
            other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            "not OpenSSH's form",
        ),
        (
            other.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
            "only ssh-ed25519",
        ),
    ):
        with pytest.raises(ConfigurationError, match=words):
            CryptosignKey.from_ssh_bytes(text)
    with pytest.raises(ConfigurationError, match="not text"):
        CryptosignKey.from_ssh_file(private_file(tmp_path / "x", b"\xff\xfe"))
    with pytest.raises(LocalProtocolError):
        CryptosignKey.from_ssh_bytes(b"ssh-ed25519")  # type: ignore[arg-type]


# Seed phrases


@covers("cryptosign.CryptosignKey.from_seedphrase")
def test_seed_phrases():
    keys = [CryptosignKey.from_seedphrase(PHRASE, index) for index in (0, 1, 7)]
    assert len({key.public_key() for key in keys}) == 3 and all(key.can_sign for key in keys)
    found = ask_keys(*(("seedphrase", PHRASE, index) for index in (0, 1, 7)))
    assert found == [key.public_key() for key in keys]
    assert CryptosignKey.from_seedphrase(f"  {PHRASE}\n").public_key() == found[0]
    for phrase, words in (
        ("", "words"),
        ("abandon", "has 1 words"),
        (PHRASE + " about", "has 13 words"),
        (" ".join(["abandon"] * 12), "checksum"),
        (PHRASE.replace("about", "abuot"), "not in BIP-39's list"),
        ("word " * 5000, "12, 15"),
        (None, "12, 15"),
    ):
        with pytest.raises(ConfigurationError, match=words) as caught:
            CryptosignKey.from_seedphrase(phrase)  # type: ignore[arg-type]
        assert "abandon" not in str(caught.value)
    for index in (-1, 1 << 31, 1.0, True):
        with pytest.raises(ConfigurationError, match="index"):
            CryptosignKey.from_seedphrase(PHRASE, index)  # type: ignore[arg-type]


def test_bip32_vector():
    """BIP-32, test vector 1: the chain m/0'/1, its private keys."""
    from microwamp.cryptosign import _seedphrase

    node = _seedphrase._master(bytes(range(16)))
    assert node[0].hex() == "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35"
    node = _seedphrase._child(*node, 1 << 31)
    assert node[0].hex() == "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea"
    node = _seedphrase._child(*node, 1)
    assert node[0].hex() == "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368"


# authextra


@covers("cryptosign.CryptosignAuthextra")
def test_authextra():
    full: dict[str, Any] = {
        "pubkey": bytes(range(32)),
        "challenge": bytes(range(1, 33)),
        "channel_binding": "tls-unique",
        "channel_id": bytes(32),
        "trustroot": bytes(range(20)),
        "realm": bytes(range(2, 22)),
        "chain_id": 1,
        "block_no": 7,
        "delegate": bytes(20),
        "seeder": bytes(20),
        "bandwidth": 512,
        "signature": bytes(65),
    }
    extra = CryptosignAuthextra(**full)
    for name, value in full.items():
        assert getattr(extra, name) == value
        alone = CryptosignAuthextra(**{name: value})
        assert CryptosignAuthextra.parse(alone.marshal()) == alone != extra
    assert CryptosignAuthextra().marshal() == {}
    assert ask_keys(("authextra", full)) == [extra.marshal()]
    assert CryptosignAuthextra.parse(extra.marshal()) == extra
    assert CryptosignAuthextra.parse({"x_other": 1}) == CryptosignAuthextra()
    for name, wrong in (
        ("pubkey", bytes(31)),
        ("pubkey", "00" * 32),
        ("signature", bytes(64)),
        ("chain_id", 0),
        ("bandwidth", True),
        ("channel_binding", "nosuch"),
    ):
        with pytest.raises(LocalProtocolError, match=name):
            CryptosignAuthextra(**{name: wrong})  # type: ignore[arg-type]
        with pytest.raises(LocalProtocolError, match=name):
            setattr(extra, name, wrong)
    for data in (
        {"pubkey": 7},
        {"pubkey": "00" * 31},
        {"trustroot": "zz" * 20},
        {"reservation": 7},
        {"reservation": {"chain_id": "1"}},
        {"reservation": {"realm": "0x00"}},
        {"channel_binding": ["tls-unique"]},
    ):
        with pytest.raises(ProtocolError, match="authextra"):
            CryptosignAuthextra.parse(data)


# The id of a live channel


def handshake(folder: Path, version: ssl.TLSVersion) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """A TLS connection in memory: (client, server)."""
    make_certificate(folder / "server.crt", folder / "server.key")
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(folder / "server.crt", folder / "server.key")
    client_context = ssl.create_default_context(cafile=str(folder / "server.crt"))
    client_context.maximum_version = version
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(one, other, server_hostname="localhost")
    server = server_context.wrap_bio(other, one, server_side=True)
    for _ in range(4):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
    return client, server


def test_channel_id_of_a_connection(tmp_path):
    client, server = handshake(tmp_path, ssl.TLSVersion.TLSv1_2)
    found = channel_id_of(client, "tls-unique")
    assert len(found) == 32 and found == channel_id_of(server, "tls-unique")
    for channel, binding, words in (
        (client, "tls-exporter", "cannot export keying material"),
        (client, "nosuch", "not known"),
        (None, "tls-unique", "needs a TLS connection"),
        (handshake(tmp_path, ssl.TLSVersion.TLSv1_3)[0], "tls-unique", "needs TLS 1.2"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            channel_id_of(channel, binding)


def test_no_key_is_waited_for(tmp_path):
    """A named pipe in a key file's place is an error, not a wait."""
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o600)
    failed: list[Exception] = []

    def read() -> None:
        try:
            CryptosignKey.from_file(str(path))
        except ConfigurationError as error:
            failed.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(60)
    assert failed and "regular file" in str(failed[0])
