"""Security modules: keys, counters, locking, and files that are damaged."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from microwamp import auth, securitymodule
from microwamp.cryptosign import CryptosignKey
from microwamp.ethereum import EthereumKey
from microwamp.exception import ConfigurationError, LocalProtocolError
from microwamp.interfaces import ISecurityModule
from microwamp.securitymodule import FileSecurityModule, MemorySecurityModule
from microwamp.types import Challenge


def run(what: Any) -> Any:
    return asyncio.run(what)


def opened(path: Path, passphrase: str | None = None) -> FileSecurityModule:
    module = FileSecurityModule(path, passphrase)
    run(module.open())
    if passphrase is not None:
        run(module.unlock())
    return module


def both(tmp_path: Path) -> list[MemorySecurityModule]:
    return [
        MemorySecurityModule(),
        opened(tmp_path / "plain"),
        opened(tmp_path / "secret", "a passphrase"),
    ]


def test_keys_and_counters(tmp_path):
    wrong: Any
    for module in both(tmp_path):
        assert isinstance(module, ISecurityModule) and module.is_open and not module.is_locked
        numbers = [run(module.create_key("cryptosign")) for _ in range(3)]
        assert numbers == [0, 1, 2] == list(module) and len(module) == 3
        key = module[1]
        assert isinstance(key, CryptosignKey)
        assert key.security_module is module and key.key_no == 1 and key.can_sign
        assert key.verify(b"data", run(key.sign(b"data")))
        run(module.delete_key(1))
        assert run(module.create_key("cryptosign")) == 3, "a number is never given again"
        for wrong in (1, 7, None):
            with pytest.raises(LocalProtocolError, match="no key"):
                run(module.delete_key(wrong))
            with pytest.raises(LocalProtocolError, match="no key"):
                module[wrong]
        with pytest.raises(LocalProtocolError, match="key_type"):
            run(module.create_key("nosuch"))
        assert run(module.get_counter(0)) == 0
        assert [run(module.increment_counter(0)) for _ in range(3)] == [1, 2, 3]
        assert run(module.get_counter(0)) == 3 and run(module.get_counter(1)) == 0
        for wrong in (-1, 16, "0", True):
            with pytest.raises(LocalProtocolError, match="counter_no"):
                run(module.increment_counter(wrong))
        assert len(run(module.get_random(33))) == 33
        assert run(module.get_random(33)) != run(module.get_random(33))
        for wrong in (-1, 1 << 40, "1"):
            with pytest.raises(LocalProtocolError, match="octets"):
                run(module.get_random(wrong))
        while len(module) < 16:
            run(module.create_key("cryptosign"))
        with pytest.raises(LocalProtocolError, match="keeps 16 keys"):
            run(module.create_key("cryptosign"))
        run(module.close())
        with pytest.raises(LocalProtocolError, match="closed: open"):
            run(key.sign(b"data"))
        with pytest.raises(LocalProtocolError, match="closed"):
            run(module.get_counter(0))


def test_a_file_keeps_them(tmp_path):
    for passphrase in (None, "a passphrase"):
        path = tmp_path / str(passphrase)
        module = opened(path, passphrase)
        for _ in range(16):
            run(module.create_key("cryptosign"))
        run(module.increment_counter(15))
        public = module[3].public_key()
        seed = module._seeds[3].hex()
        run(module.close())
        assert path.stat().st_mode & 0o777 == 0o600
        assert list(tmp_path.glob(f"{passphrase}*")) == [path], "nothing is left behind"
        assert (seed in path.read_text()) == (passphrase is None)
        again = opened(path, passphrase)
        assert again[3].public_key() == public and len(again) == 16
        assert run(again.get_counter(15)) == 1
        path.chmod(0o644)
        with pytest.raises(ConfigurationError, match="chmod 600"):
            opened(path, passphrase)


def test_locking(tmp_path):
    module = FileSecurityModule(tmp_path / "keys", "a passphrase")
    run(module.open())
    assert module.can_lock and module.is_locked
    with pytest.raises(LocalProtocolError, match="locked: unlock"):
        run(module.create_key("cryptosign"))
    run(module.unlock())
    run(module.create_key("cryptosign"))
    key = module[0]
    signature = run(key.sign(b"data"))
    run(module.lock())
    assert module.is_locked
    with pytest.raises(LocalProtocolError, match="locked: unlock"):
        run(key.sign(b"data"))
    run(module.unlock())
    assert run(key.sign(b"data")) == signature == run(module[0].sign(b"data"))
    for other in (MemorySecurityModule(), opened(tmp_path / "plain")):
        assert not other.can_lock and not other.is_locked
        for step in (other.lock, other.unlock):
            with pytest.raises(LocalProtocolError, match="cannot be locked"):
                run(step())


def test_wrong_passphrases(tmp_path):
    path = tmp_path / "keys"
    opened(path, "right")  # no key in it yet
    with pytest.raises(ConfigurationError, match="passphrase .* is wrong"):
        opened(path, "wrong")
    with pytest.raises(ConfigurationError, match="has a passphrase"):
        opened(path)
    opened(tmp_path / "plain")
    with pytest.raises(ConfigurationError, match="has no passphrase"):
        opened(tmp_path / "plain", "right")


def test_damaged_files(tmp_path):
    path = tmp_path / "keys"
    run(opened(path).create_key("cryptosign"))
    good = json.loads(path.read_text())
    changes: list[Any] = [
        {"next": -1},
        {"next": 0},
        {"next": "1"},
        {"counters": []},
        {"counters": {"x": 1}},
        {"counters": {"99": 1}},
        {"counters": {"0": -1}},
        {"salt": "zz"},
        {"salt": "00"},
        {"check": None},
        {"keys": {"0": "00"}},
        {"keys": {"x": "00" * 32}},
        {"keys": None},
        {"types": None},
        {"types": {"0": "rsa"}},
        {"types": {"x": "ethereum"}},
    ]
    del good["digest"]

    def signed(value: dict[str, Any]) -> str:
        return json.dumps({**value, "digest": securitymodule._digest(value)})

    path.write_text(signed(good))
    assert len(opened(path)) == 1
    texts = [signed({**good, **change}) for change in changes]
    texts += [signed({k: v for k, v in good.items() if k != name}) for name in good]
    texts += [json.dumps(good), json.dumps({**good, "digest": "00"})]
    texts += ["", "[]", "null", "{", signed(good)[:-3], "\xff", "[" * 4000, "x" * 5000]
    for text in texts:
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(ConfigurationError, match="damaged|longer than"):
            opened(path)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        opened(tmp_path / "nosuch" / "keys")


def test_a_key_of_a_module_logs_in():
    module = MemorySecurityModule()
    run(module.create_key("cryptosign"))
    assert isinstance(module[0], CryptosignKey)
    login = auth.AuthCryptoSign(key=module[0])
    assert login.authextra["pubkey"] == module[0].public_key()
    challenge = Challenge("cryptosign", {"challenge": "ab" * 32})
    assert module[0].verify_challenge(challenge, run(login.on_challenge(None, challenge)))


def test_a_full_module_is_read_again(tmp_path):
    """With the most that it keeps, its file is below what key files may have."""
    module = opened(tmp_path / "keys", "a passphrase")
    for _ in range(16):
        run(module.create_key("ethereum"))
    module._counters = {number: 1 << 53 for number in range(16)}
    module._changed()
    again = opened(tmp_path / "keys", "a passphrase")
    assert len(again) == 16 and run(again.get_counter(15)) == 1 << 53
    with pytest.raises(LocalProtocolError, match="16 keys"):
        run(again.create_key("ethereum"))


def test_ethereum_keys(tmp_path):
    for passphrase in (None, "a passphrase"):
        path = tmp_path / str(passphrase)
        module = opened(path, passphrase)
        kinds = ["cryptosign", "ethereum", "ethereum"]
        assert [run(module.create_key(kind)) for kind in kinds] == [0, 1, 2]
        key = module[2]
        assert isinstance(key, EthereumKey) and key.key_no == 2 and key.security_module is module
        signature = run(key.sign(b"data"))
        assert run(key.recover(b"data", signature)) == key.public_key(binary=True)
        run(module.delete_key(1))
        run(module.close())
        with pytest.raises(LocalProtocolError, match="closed: open"):
            run(key.sign(b"data"))
        again = opened(path, passphrase)
        assert [again[number].key_type for number in again] == ["cryptosign", "ethereum"]
        assert run(again[2].sign(b"data")) == signature


# Increments a counter and makes keys while others do; prints what it got.
OTHER = """
import asyncio, json, sys
from microwamp.securitymodule import FileSecurityModule

async def main(path, passphrase):
    module = FileSecurityModule(path, passphrase or None)
    await module.open()
    if passphrase:
        await module.unlock()
    values = [await module.increment_counter(3) for _ in range(20)]
    numbers = [await module.create_key("cryptosign") for _ in range(2)]
    print(json.dumps([values, numbers]))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("passphrase", ["", "a passphrase"])
def test_several_processes_lose_nothing(tmp_path, passphrase):
    """Each value of a counter, and each number of a key, is given once; the file is made once."""
    path = tmp_path / "keys"
    command = [sys.executable, "-c", OTHER, str(path), passphrase]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    said = [json.loads(process.communicate(timeout=120)[0]) for process in started]
    assert sorted(value for values, _ in said for value in values) == list(range(1, 61))
    assert sorted(number for _, numbers in said for number in numbers) == list(range(6))
    module = opened(path, passphrase or None)
    assert run(module.get_counter(3)) == 60 and list(module) == list(range(6))
    assert list(tmp_path.iterdir()) == [path]


def test_what_others_change_is_seen(tmp_path):
    one, other = opened(tmp_path / "keys", "secret"), opened(tmp_path / "keys", "secret")
    number = run(one.create_key("cryptosign"))
    assert run(other.increment_counter(0)) == 1 and run(one.get_counter(0)) == 1
    assert other[number].public_key() == one[number].public_key()
    run(other.delete_key(number))
    with pytest.raises(LocalProtocolError, match="no key"):
        run(one.delete_key(number))
    (tmp_path / "keys").unlink()
    with pytest.raises(ConfigurationError, match="there is no"):
        run(one.increment_counter(0))
    opened(tmp_path / "keys", "secret")
    with pytest.raises(ConfigurationError, match="made anew"):
        run(one.increment_counter(0))


def test_a_lock_that_is_not_given_back(tmp_path, monkeypatch):
    module = opened(tmp_path / "keys")
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    monkeypatch.setattr(securitymodule, "_BUSY_S", 0.05)
    try:
        with pytest.raises(ConfigurationError, match="in use: somebody holds the lock"):
            run(module.increment_counter(0))
    finally:
        os.close(folder)
    assert run(module.increment_counter(0)) == 1
