"""microwamp.ethereum: published vectors, eth-account's results, and data that does not fit."""

from __future__ import annotations

import asyncio
import copy
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from autobahn_side import ask_keys
from covering import covers

from microwamp.ethereum import EthereumKey, _curve, _typed
from microwamp.exception import ConfigurationError, LocalProtocolError
from microwamp.interfaces import IEthereumKey

# EIP-55's own
ADDRESSES = (
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)
# The phrase of all development networks, m/44'/60'/0'/0/0 and on
PHRASE = "test " * 11 + "junk"
ACCOUNTS = (
    (
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    ),
    (
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    ),
    (
        "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    ),
)
# EIP-712's example, with what its Example.js expects
MAIL: dict[str, Any] = {
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
        "Mail": [
            {"name": "from", "type": "Person"},
            {"name": "to", "type": "Person"},
            {"name": "contents", "type": "string"},
        ],
    },
    "primaryType": "Mail",
    "domain": {
        "name": "Ether Mail",
        "version": "1",
        "chainId": 1,
        "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
    },
    "message": {
        "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
        "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
        "contents": "Hello, Bob!",
    },
}
COW = _curve.keccak(b"cow")
MAIL_TYPE = "a0cedeb2dc280ba39b857546d74f5549c3a1d7bdc2dd96bf881f76108e23dac2"
MAIL_DOMAIN = "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f"
MAIL_STRUCT = "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e"
MAIL_DIGEST = "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
MAIL_SIGNATURE = (
    "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
    "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c"
)


def run(what: Any) -> Any:
    return asyncio.run(what)


def test_keccak():
    """Of the Keccak team's known answers, and EIP-712's."""
    for octets, digest in (
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ):
        assert _curve.keccak(octets).hex() == digest


def test_addresses():
    for address in ADDRESSES:
        octets = bytes.fromhex(address[2:])
        for given in (address, address.lower(), "0x" + address[2:].upper(), octets):
            key = EthereumKey.from_address(given)
            assert key.address() == address and key.address(binary=True) == octets
    mixed = ADDRESSES[4]
    for wrong in (
        mixed[:-1] + mixed[-1].swapcase(),
        mixed[:-1],
        mixed + "0",
        mixed[:-1] + "g",
        mixed[:-2] + " 0",
        "",
        bytes(19),
        None,
        7,
    ):
        with pytest.raises(ConfigurationError, match="an address expected"):
            EthereumKey.from_address(wrong)  # type: ignore[arg-type]


@covers("interfaces.IEthereumKey", "interfaces.IEthereumKey.address")
def test_accounts_of_a_seed_phrase():
    for index, (address, private) in enumerate(ACCOUNTS):
        key = EthereumKey.from_seedphrase(PHRASE, index)
        assert isinstance(key, IEthereumKey) and key.address() == address
        assert EthereumKey.from_bytes(bytes.fromhex(private)).public_key() == key.public_key()
        assert private not in repr(key)
    with pytest.raises(ConfigurationError, match="checksum"):
        EthereumKey.from_seedphrase("test " * 12)


@covers("interfaces.IEthereumKey.sign_typed_data", "interfaces.IEthereumKey.verify_typed_data")
def test_the_example_of_eip_712():
    types = _typed._types(MAIL["types"])
    assert _typed._type_hash(types, "Mail").hex() == MAIL_TYPE
    domain = _typed._struct(types, "EIP712Domain", MAIL["domain"], "domain", 0)
    assert domain.hex() == MAIL_DOMAIN
    assert _typed._struct(types, "Mail", MAIL["message"], "message", 0).hex() == MAIL_STRUCT
    assert _typed.digest(MAIL).hex() == MAIL_DIGEST
    cow = EthereumKey.from_bytes(COW)
    signature = run(cow.sign_typed_data(MAIL))
    assert signature.hex() == MAIL_SIGNATURE
    address = MAIL["message"]["from"]["wallet"]
    other = EthereumKey.from_seedphrase(PHRASE)
    for verifier in (cow, other, EthereumKey.from_address(address)):
        for who in (address, address.lower(), cow.address(binary=True)):
            assert verifier.verify_typed_data(MAIL, signature, who)
        assert not verifier.verify_typed_data(MAIL, signature, other.address())
    assert cow.verify_typed_data(MAIL, signature)
    assert not other.verify_typed_data(MAIL, signature)
    changed = copy.deepcopy(MAIL)
    changed["message"]["contents"] = "Hello, Bob?"
    assert not cow.verify_typed_data(changed, signature)
    # EIP712Domain may be left out: it follows from what the domain has.
    short = {**MAIL, "types": {k: v for k, v in MAIL["types"].items() if k != "EIP712Domain"}}
    assert _typed.digest(short).hex() == MAIL_DIGEST


def test_signatures_that_are_none():
    cow = EthereumKey.from_bytes(COW)
    good = bytes.fromhex(MAIL_SIGNATURE)
    low = int.from_bytes(good[32:64], "big")
    high = good[:32] + (_curve.ORDER - low).to_bytes(32, "big") + bytes((27,))
    none: list[Any] = [good[:-1], good + b"\0", b"", None, MAIL_SIGNATURE, high]
    none += [good[:64] + bytes((v,)) for v in (2, 26, 29, 255)]
    none += [bytes(32) + good[32:], good[:32] + bytes(32) + good[64:], b"\xff" * 64 + b"\x1b"]
    for wrong in none:
        assert not cow.verify_typed_data(MAIL, wrong)
    assert cow.verify_typed_data(MAIL, good[:64] + b"\x01"), "0 and 1 for 27 and 28, too"
    for at in range(len(good)):
        damaged = good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :]
        assert not cow.verify_typed_data(MAIL, damaged)


def test_a_key_and_its_address():
    key = EthereumKey.from_bytes(COW)
    assert key.can_sign and key.key_type == "ethereum"
    assert key.key_no is None and key.security_module is None
    public = key.public_key(binary=True)
    assert isinstance(public, bytes) and len(public) == 64 and public.hex() == key.public_key()
    assert run(key.recover(b"data", run(key.sign(b"data")))) == public
    assert run(key.recover(b"date", run(key.sign(b"data")))) != public
    only = EthereumKey.from_address(key.address())
    assert not only.can_sign and only.address() == key.address()
    for attempt in (only.sign(b"data"), only.sign_typed_data(MAIL)):
        with pytest.raises(LocalProtocolError, match="signing takes the private key"):
            run(attempt)
    with pytest.raises(LocalProtocolError, match="does not tell its public key"):
        only.public_key()
    for octets, signature in ((b"data", b"x"), (b"data", None), ("data", bytes(65))):
        with pytest.raises(LocalProtocolError):
            run(key.recover(octets, signature))  # type: ignore[arg-type]
    for wrong in (b"", bytes(32), COW + b"x", COW.hex(), b"\xff" * 32, None):
        with pytest.raises(ConfigurationError, match="Ethereum key") as caught:
            EthereumKey.from_bytes(wrong)  # type: ignore[arg-type]
        assert COW.hex()[:16] not in str(caught.value)


def generated(seed: int) -> dict[str, Any]:
    """Typed data of all types, drawn from a seed: structures in structures, arrays of arrays."""
    rng = random.Random(seed)
    names = [f"S{n}" for n in range(rng.randrange(1, 5))]
    plain = ["bool", "address", "string", "bytes", "uint8", "uint256", "int8", "int128", "int256"]
    plain += [f"bytes{n}" for n in (1, 4, 31, 32)]

    def value_of(kind: str) -> Any:
        if kind.endswith("]"):
            kind, _, size = kind[:-1].rpartition("[")
            return [value_of(kind) for _ in range(int(size or rng.randrange(3)))]
        if kind in types:
            return {field["name"]: value_of(field["type"]) for field in types[kind]}
        if kind == "bool":
            return rng.random() < 0.5
        if kind == "string":
            letters = "abc \u00e4\u20ac\U0001f600"
            return "".join(rng.choice(letters) for _ in range(rng.randrange(9)))
        if kind == "address":
            return EthereumKey.from_address(rng.randbytes(20)).address()
        if kind.startswith("bytes"):
            return "0x" + rng.randbytes(int(kind[5:] or rng.randrange(70))).hex()
        bits = int(kind.removeprefix("u")[3:])
        least, most = (0, 2**bits) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        return rng.choice((least, most - 1, rng.randrange(least, most)))

    types: dict[str, list[dict[str, str]]] = {}
    for at, name in enumerate(names):
        types[name] = []
        for field in range(rng.randrange(1, 5)):
            kind = rng.choice([*plain, *names[at + 1 :] * 4])
            kind += rng.choice(("", "", "[]", "[2]", "[][1]"))
            types[name].append({"name": f"f{field}", "type": kind})
    domain = {"name": "Test", "version": "1", "chainId": seed}
    own = [{"name": "name", "type": "string"}, {"name": "version", "type": "string"}]
    own.append({"name": "chainId", "type": "uint256"})
    # eth-account looks for the root among all types: those that nobody uses would be roots too.
    message = value_of(names[0])
    used, due = {names[0]}, [names[0]]
    while due:
        for item in types[due.pop()]:
            base = item["type"].partition("[")[0]
            if base in types and base not in used:
                used.add(base)
                due.append(base)
    kept = {name: fields for name, fields in types.items() if name in used}
    return {
        "types": {"EIP712Domain": own, **kept},
        "primaryType": names[0],
        "domain": domain,
        "message": message,
    }


def test_against_eth_account():
    """Digests and signatures are those of the package that wallets' backends use."""
    cases = [MAIL, *(generated(seed) for seed in range(1, 80))]
    texts = [b"", b"x", b"Hello", bytes(range(256))]
    found = ask_keys(
        *(("typed", COW, data) for data in cases), *(("personal", COW, text) for text in texts)
    )
    key = EthereumKey.from_bytes(COW)
    for data, theirs in zip(cases, found, strict=False):
        assert [_typed.digest(data), run(key.sign_typed_data(data))] == theirs, data
    for text, signature in zip(texts, found[len(cases) :], strict=True):
        assert run(key.sign(text)) == signature


def test_numbers_and_octets_in_each_form():
    data = {
        "types": {"T": [{"name": "n", "type": "int64"}, {"name": "o", "type": "bytes"}]},
        "primaryType": "T",
        "domain": {"name": "x"},
    }
    expected = _typed.digest({**data, "message": {"n": 255, "o": b"\1\2"}})
    for n in (255, "255", "0xff", "0xFF"):
        assert _typed.digest({**data, "message": {"n": n, "o": "0x0102"}}) == expected
    negative = _typed.digest({**data, "message": {"n": -1, "o": b""}})
    assert _typed.digest({**data, "message": {"n": "-1", "o": "0x"}}) == negative


def with_field(kind: Any, value: Any) -> dict[str, Any]:
    fields = [{"name": "f", "type": kind}]
    return {
        "types": {"T": fields, "P": [{"name": "a", "type": "bool"}]},
        "primaryType": "T",
        "domain": {},
        "message": {"f": value},
    }


def test_a_structure_that_is_null():
    """As wallets have it: 32 zeros, which lets a structure have itself as a field."""
    types = {"Node": [{"name": "n", "type": "uint8"}, {"name": "next", "type": "Node"}]}
    data = {"types": types, "primaryType": "Node", "domain": {"name": "x"}}
    absent = _typed.digest({**data, "message": {"n": 1}})
    assert absent == _typed.digest({**data, "message": {"n": 1, "next": None}})
    assert absent != _typed.digest({**data, "message": {"n": 1, "next": {"n": 1}}})
    deep: dict[str, Any] = {"n": 1}
    for _ in range(70):
        deep = {"n": 1, "next": deep}
    with pytest.raises(LocalProtocolError, match="nested deeper"):
        _typed.digest({**data, "message": deep})


@pytest.mark.parametrize(
    "kind, value, words",
    [
        ("uint8", 256, "message.f: 256 found, a number of uint8"),
        ("uint8", -1, "a number of uint8"),
        ("int8", 128, "a number of int8"),
        ("uint8", True, "a number of uint8"),
        ("uint8", 1.0, "a number of uint8"),
        ("uint8", "1e1", "a number of uint8"),
        ("uint8", None, "a number of uint8"),
        ("bool", 1, "true or false"),
        ("string", b"x", "a text"),
        ("string", "\ud800", "a text"),
        ("address", "0x" + "0" * 39, "an address"),
        ("address", ADDRESSES[4].swapcase().replace("X", "x"), "an address"),
        ("bytes", "01", "hex digits"),
        ("bytes", "0x0", "hex digits"),
        ("bytes", "0x0g", "hex digits"),
        ("bytes", "0x 01", "hex digits"),
        ("bytes2", b"x", "2 octets"),
        ("bytes2", "0x010203", "2 octets"),
        ("bool[]", True, "a list"),
        ("bool[2]", [True], "a list of 2"),
        ("bool[]", [True, 0], r"message\.f\[1\]"),
        ("P", {"a": True, "b": 1}, "message.f: 'b' found, a field of P"),
        ("P", {}, "there is no a, which P has"),
        ("P", 7, "for a P"),
        ("P[]", [None, 3], r"f\[1\]"),
        ("Q", {}, "a type of EIP-712"),
        ("uint", 1, "a type of EIP-712"),
        ("uint7", 1, "a type of EIP-712"),
        ("uint264", 1, "a type of EIP-712"),
        ("bytes33", b"", "a type of EIP-712"),
        ("bytes0", b"", "a type of EIP-712"),
        ("bool" + "[]" * 100, [], "a type of EIP-712"),
        ("bool[", [], "a type of EIP-712"),
        ("", [], "a type of EIP-712"),
        (None, [], "a type"),
    ],
)
def test_fields_that_do_not_fit(kind, value, words):
    with pytest.raises(LocalProtocolError, match=words) as caught:
        _typed.digest(with_field(kind, value))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "change, words",
    [
        ({"types": None}, "types: None found"),
        ({"types": {"uint8": []}}, "the name of a structure"),
        ({"types": {"a b": []}}, "the name of a structure"),
        ({"types": {7: []}}, "the name of a structure"),
        ({"types": {"T": None}}, "types.T: None found, a list"),
        ({"types": {"T": [1]}}, "a dictionary of name and type"),
        ({"types": {"T": [{"name": "f"}]}}, "a dictionary of name and type"),
        ({"types": {"T": [{"name": "", "type": "bool"}]}}, "the name of a field"),
        ({"types": {"T": [{"name": "f", "type": "bool"}] * 2}}, "two fields"),
        ({"primaryType": "U"}, "primaryType"),
        ({"primaryType": "EIP712Domain"}, "primaryType"),
        ({"primaryType": None}, "primaryType"),
        ({"domain": None}, "domain: None found"),
        ({"domain": {"nam": "x"}}, "domain: 'nam' found"),
        ({"domain": {"chainId": "x"}}, "domain.chainId"),
        ({"message": None}, "message: None found"),
        ({"more": 1}, "'more' found"),
    ],
)
def test_data_that_does_not_fit(change, words):
    with pytest.raises(LocalProtocolError, match=words):
        _typed.digest({**with_field("bool", True), **change})


def test_data_that_is_incomplete():
    good = with_field("bool", True)
    for name in good:
        with pytest.raises(LocalProtocolError, match=f"has no {name}"):
            _typed.digest({k: v for k, v in good.items() if k != name})
    with pytest.raises(LocalProtocolError, match="a dictionary"):
        _typed.digest([])  # type: ignore[arg-type]


def test_key_files(tmp_path: Path):
    path = tmp_path / "key"
    address, private = ACCOUNTS[0]
    whole = f"A comment\n\ncreator: me\npublic-adr-eth: {address}\nprivate-key-eth: {private}\n"

    def read(text: str | bytes, mode: int = 0o600) -> EthereumKey:
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return EthereumKey.from_keyfile(path)

    assert read(whole).can_sign and read(whole).address() == address
    assert read(whole.replace("\n", "\r\n")).can_sign
    assert read(f"private-key-eth: {private}").can_sign
    public = read(f"public-adr-eth: {address}\n", 0o644)
    assert not public.can_sign and public.address() == address
    for text, words in (
        ("", "no line private-key-eth"),
        ("creator: me\n", "no line private-key-eth"),
        (b"\xff\xfe", "not text"),
        (bytes(5000), "longer than"),
        (whole.replace(private, private[:-2]), "64 hex digits"),
        (whole.replace(private, "zz" * 32), "64 hex digits"),
        (whole.replace(private, "00" * 32), "a number from 1"),
        (whole.replace(private, "ff" * 32), "a number from 1"),
        (whole.replace(address, ADDRESSES[0]), "the address is not that"),
        (whole.replace(address, address[:-1]), "an address expected"),
        (whole.replace(address, address.swapcase().replace("X", "x")), "an address expected"),
        (whole + f"private-key-eth: {private}\n", "two lines private-key-eth"),
    ):
        with pytest.raises(ConfigurationError, match=words) as caught:
            read(text)
        assert private[:16] not in str(caught.value)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read(whole, 0o644)
    with pytest.raises(ConfigurationError, match="there is no key file"):
        EthereumKey.from_keyfile(tmp_path / "nosuch")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        EthereumKey.from_keyfile(tmp_path)
    with pytest.raises(LocalProtocolError):
        EthereumKey.from_keyfile(7)  # type: ignore[arg-type]


def test_openssl_without_deterministic_signatures(monkeypatch):
    """They differ each time, and are as good."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec

    real = ec.ECDSA

    def old(algorithm: Any, deterministic_signing: bool = False) -> Any:
        if deterministic_signing:
            raise UnsupportedAlgorithm("not here")
        return real(algorithm)

    monkeypatch.setattr(ec, "ECDSA", old)
    key = EthereumKey.from_bytes(COW)
    found = {run(key.sign_typed_data(MAIL)) for _ in range(8)}
    assert len(found) == 8
    assert all(key.verify_typed_data(MAIL, signature) for signature in found)


@pytest.mark.parametrize("package", ["Crypto", "cryptography"])
def test_without_the_extra(package):
    """It can be imported, and says in one sentence what is missing."""
    program = f"""
import sys
sys.modules[{package!r}] = None
from microwamp.ethereum import EthereumKey
try:
    EthereumKey.from_bytes(bytes(31) + b"x")
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == (
        "ConfigurationError Ethereum keys need more packages: pip install microwamp[ethereum]\n"
    ), done.stderr
