"""Key files of each kind, damaged in each way: the same key, or one error in one sentence."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from microwamp.cryptosign import CryptosignKey
from microwamp.ethereum import EthereumKey
from microwamp.exception import ConfigurationError
from microwamp.securitymodule import FileSecurityModule

SEED = bytes(range(7, 39))
KEY = ed25519.Ed25519PrivateKey.from_private_bytes(SEED)
PUBLIC = KEY.public_key().public_bytes_raw().hex()
PASSPHRASE = "a passphrase"
ADDRESS = str(EthereumKey.from_bytes(SEED).address())


class Kind(NamedTuple):
    """A kind of key file. read: its public part, by the API. checked: whether it has something by
    which a wrong digit is noticed. private: whether others may not read it."""

    octets: Callable[[Path], bytes]
    read: Callable[[str], str]
    checked: bool = True
    private: bool = True


def ssh(passphrase: str | None) -> bytes:
    how = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, how)


def tags(name: str, public: str) -> bytes:
    text = f"A comment\n\ncreator: me\n{public}\n"
    return (text + (f"{name}: {SEED.hex()}\n" if name else "")).encode()


def module_file(path: Path, passphrase: str | None) -> bytes:
    async def make() -> None:
        module = FileSecurityModule(path, passphrase)
        await module.open()
        if passphrase:
            await module.unlock()
        module._seeds[0] = SEED  # a key that is known here
        module._next = 1
        module._changed()

    asyncio.run(make())
    return path.read_bytes()


def module_key(name: str, passphrase: str | None) -> str:
    async def read() -> str:
        module = FileSecurityModule(name, passphrase)
        await module.open()
        if passphrase:
            await module.unlock()
        return str(module[0].public_key())

    return asyncio.run(read())


def public_of(key: CryptosignKey) -> str:
    return str(key.public_key())


KINDS = {
    "raw": Kind(lambda _: SEED, lambda name: public_of(CryptosignKey.from_file(name)), False),
    "key file": Kind(
        lambda _: tags("private-key-ed25519", f"public-key-ed25519: {PUBLIC}"),
        lambda name: public_of(CryptosignKey.from_keyfile(name)),
    ),
    "public key file": Kind(
        lambda _: tags("", f"public-key-ed25519: {PUBLIC}"),
        lambda name: public_of(CryptosignKey.from_keyfile(name)),
        False,
        False,
    ),
    "hexadecimal": Kind(
        lambda _: SEED.hex().encode(),
        lambda name: public_of(CryptosignKey.from_keyfile(name)),
        False,
    ),
    "OpenSSH": Kind(
        lambda _: ssh(None), lambda name: public_of(CryptosignKey.from_ssh_file(name))
    ),
    "encrypted OpenSSH": Kind(
        lambda _: ssh(PASSPHRASE),
        lambda name: public_of(CryptosignKey.from_ssh_file(name, PASSPHRASE)),
    ),
    "public OpenSSH": Kind(
        lambda _: KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" me",
        lambda name: public_of(CryptosignKey.from_ssh_file(name)),
        False,
        False,
    ),
    "Ethereum": Kind(
        lambda _: tags("private-key-eth", f"public-adr-eth: {ADDRESS}"),
        lambda name: str(EthereumKey.from_keyfile(name).address()),
    ),
    "Ethereum address": Kind(
        lambda _: tags("", f"public-adr-eth: {ADDRESS}"),
        lambda name: str(EthereumKey.from_keyfile(name).address()),
        False,  # of eight wrong digits the checksum misses one
        False,
    ),
    "security module": Kind(
        lambda path: module_file(path, None), lambda name: module_key(name, None)
    ),
    "encrypted security module": Kind(
        lambda path: module_file(path, PASSPHRASE), lambda name: module_key(name, PASSPHRASE)
    ),
}


def damaged(good: bytes) -> Iterator[tuple[str, bytes]]:
    """(how, octets) of what can become of a file."""
    n = len(good)
    for at in sorted({0, 1, 4, n // 4, n // 2, 3 * n // 4, n - 2, n - 1}):
        yield f"cut after {at}", good[:at]
    yield "its beginning lost", good[7:]
    yield "its middle lost", good[: n // 3] + good[n // 3 + 5 :]
    yield "twice", good + good
    yield "octets behind it", good + b"\xff\x00\xff"
    yield "another magic", bytes(octet ^ 0x15 for octet in good[:12]) + good[12:]
    yield "zeros", bytes(n)
    yield "too long", good + b" " * 5000
    yield "BOM", b"\xef\xbb\xbf" + good
    yield "UTF-16", b"\xff\xfe" + b"".join(bytes((octet, 0)) for octet in good)
    yield "CRLF", good.replace(b"\n", b"\r\n")
    yield "CR", good.replace(b"\n", b"\r")
    yield "a blank line before it", b"\n\n" + good
    for step in range(40):
        at = step * n // 40
        changed = bytes((good[at] ^ (1 << step % 7),))
        yield f"octet {at} changed", good[:at] + changed + good[at + 1 :]


def one_sentence(error: ConfigurationError, path: Path) -> None:
    text = str(error).replace(str(path), "PATH")
    assert 20 < len(text) < 300 and all(c.isprintable() for c in text), repr(text)
    for secret in (SEED.hex()[:12], SEED.hex()[-12:], PASSPHRASE):
        assert secret not in text.replace("passphrase of", ""), text


@pytest.mark.parametrize("name", KINDS)
def test_damaged(name, tmp_path):
    kind = KINDS[name]
    path = tmp_path / "key"
    good = kind.octets(path)
    path.write_bytes(good)
    path.chmod(0o600)
    expected = kind.read(str(path))
    assert expected in (PUBLIC, ADDRESS)
    refused = 0
    # Each try takes 0.1 s where there is a passphrase.
    cases = list(damaged(good))[:: 2 if "encrypted" in name else 1]
    for how, octets in cases:
        path.write_bytes(octets)
        try:
            found = kind.read(str(path))
            assert found == expected or not kind.checked, how
        except ConfigurationError as error:
            refused += 1
            one_sentence(error, path)
    assert refused >= (5 if not kind.checked else len(cases) // 2), refused


def test_line_ends_do_not_matter(tmp_path):
    """Whoever moved a text file from Windows has his key all the same."""
    path = tmp_path / "key"
    for name, kind in KINDS.items():
        good = kind.octets(path)
        if b"\n" in good and name != "raw":
            path.write_bytes(good.replace(b"\n", b"\r\n"))
            path.chmod(0o600)
            assert kind.read(str(path)) in (PUBLIC, ADDRESS), name
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("name", KINDS)
def test_what_is_no_file_that_can_be_read(name, tmp_path):
    kind = KINDS[name]
    folder = tmp_path / "folder"
    folder.mkdir()
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    long = tmp_path / ("x" * 300)
    paths = [folder, loop, pipe, long, tmp_path / "a\0b", tmp_path / "no" / "such"]
    if "module" not in name:
        paths.append(tmp_path / "nosuch")  # a security module is made then
    for path in paths:
        with pytest.raises(ConfigurationError) as caught:
            kind.read(str(path))
        one_sentence(caught.value, path)
    path = tmp_path / "key"
    path.write_bytes(kind.octets(path))
    path.chmod(0o600)
    uid = os.geteuid()
    try:
        if uid:
            path.chmod(0)
        else:
            os.seteuid(65534)  # root can read all
        with pytest.raises(ConfigurationError, match=r"cannot be (read|written|opened)"):
            kind.read(str(path))
    finally:
        os.seteuid(uid)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.private])
def test_private_files_that_others_can_use(name, tmp_path):
    kind = KINDS[name]
    path = tmp_path / "key"
    path.write_bytes(kind.octets(path))
    for mode in (0o644, 0o640, 0o604, 0o620, 0o666, 0o777):
        path.chmod(mode)
        with pytest.raises(ConfigurationError, match="chmod 600") as caught:
            kind.read(str(path))
        one_sentence(caught.value, path)
    path.chmod(0o400)
    assert kind.read(str(path)) in (PUBLIC, ADDRESS)


@pytest.mark.parametrize("passphrase", ["", "a passphras", "A passphrase", "\0", "é"])
def test_wrong_passphrases(passphrase, tmp_path):
    path = tmp_path / "key"
    path.write_bytes(ssh(PASSPHRASE))
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="passphrase") as caught:
        CryptosignKey.from_ssh_file(str(path), passphrase)
    one_sentence(caught.value, path)
    path.write_bytes(module_file(tmp_path / "module", PASSPHRASE))
    with pytest.raises(ConfigurationError, match="passphrase of .* is wrong") as caught:
        module_key(str(path), passphrase or "x")
    one_sentence(caught.value, path)
