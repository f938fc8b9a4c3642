"""What a router is told: URLs, realms, principals, the TOML file; each mistake named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from microwamp.router import (
    Kept,
    Limits,
    Permission,
    Principal,
    RealmConfig,
    Role,
    Router,
    RouterConfig,
    Scram,
    Trust,
)
from microwamp.router.config import parse_listen
from microwamp.router.configfile import load, parse
from wamp.errors import ConfigurationError

KEY = "ab" * 32

# (URL, (tls, host, port, path), the URL to connect to if the port is 5)
URLS = [
    ("rs://127.0.0.1:0", (False, "127.0.0.1", 0, "", False), "rs://127.0.0.1:5"),
    ("rs://localhost:8080/", (False, "localhost", 8080, "", False), "rs://localhost:5"),
    ("rss://[::1]:443", (True, "::1", 443, "", False), "rss://[::1]:5"),
    ("rs://unix:/run/x.sock", (False, "", 0, "/run/x.sock", False), "rs://unix:/run/x.sock"),
    ("rs://unix:x.sock", (False, "", 0, "x.sock", False), "rs://unix:x.sock"),
    ("ws://127.0.0.1:8080/", (False, "127.0.0.1", 8080, "", True), "ws://127.0.0.1:5"),
    ("wss://[::1]:443", (True, "::1", 443, "", True), "wss://[::1]:5"),
]
BAD_URLS = [
    "",
    "127.0.0.1:8080",
    "http://127.0.0.1:8080",
    "ws://unix:/run/x.sock",
    "tcp://127.0.0.1:8080",
    "rs://",
    "rs://127.0.0.1",
    "rs://127.0.0.1:",
    "rs://:8080",
    "rs://127.0.0.1:x",
    "rs://127.0.0.1:-1",
    "rs://127.0.0.1:65536",
    "rs://127.0.0.1:\u0661",
    "rs://unix:",
    "rss://unix:/run/x.sock",
]


def test_listening_urls():
    for url, parts, real in URLS:
        assert parse_listen(url) == parts, url
        assert parse_listen(url).url(5) == real, url
    for url in BAD_URLS:
        with pytest.raises(ConfigurationError, match="cannot listen on"):
            parse_listen(url)


# (what makes the configuration, words of the error)
MISTAKES: list[tuple[Any, str]] = [
    (lambda: Principal("a"), "a secret, scram or public_keys"),
    (lambda: Principal("", ticket="t"), "authid"),
    (lambda: Principal("a", ticket=""), "empty ticket"),
    (lambda: Principal("a", secret=""), "empty ticket or secret"),
    (lambda: Principal("a", ticket="t", salt="s"), "salt without"),
    (lambda: Principal("a", secret="s", salt="s", iterations=0), "iterations"),
    (lambda: Principal("a", secret="s", salt="s", keylen=65), "keylen"),
    (lambda: Principal("a", public_keys=("xy" * 32,)), "64 hex digits"),
    (lambda: Principal("a", public_keys=(KEY[2:],)), "64 hex digits"),
    (lambda: RealmConfig("r"), "nobody could log in"),
    (lambda: RealmConfig("a b", anonymous="x"), "not a URI"),
    (
        lambda: RealmConfig("r", principals=(Principal("a", ticket="t"),) * 2),
        "principal a is there twice",
    ),
    (
        lambda: RealmConfig(
            "r",
            principals=(
                Principal("a", public_keys=(KEY,)),
                Principal("b", public_keys=(KEY.upper(),)),
            ),
        ),
        "public key .* is there twice",
    ),
    (lambda: RealmConfig("r", anonymous="x", roles=(Role("x"), Role("x"))), "role x is there"),
    (
        lambda: Permission("", frozenset({"dance"})),  # type: ignore[arg-type]
        "unknown action dance",
    ),
    (lambda: Trust(-1), "0 or more"),
    (lambda: Kept("a b"), "not a URI"),
    (lambda: Kept("com..a"), "not a URI"),
    (lambda: Kept("com", match="fuzzy"), "fuzzy"),
    (lambda: Kept("com", events=0), "greater than 0"),
    (
        lambda: RealmConfig("r", anonymous="x", history=(Kept("com"), Kept("com", events=5))),
        "history exact com is there twice",
    ),
    (lambda: RouterConfig(realms=()), "at least one realm"),
    (
        lambda: RouterConfig(realms=(RealmConfig("r", anonymous="x"),) * 2),
        "realm r is there twice",
    ),
    (lambda: RouterConfig((RealmConfig("r", anonymous="x"),), listen=()), "at least one URL"),
    (
        lambda: RouterConfig((RealmConfig("r", anonymous="x"),), listen=("rss://a:1",)),
        "needs a certificate",
    ),
    (lambda: RouterConfig((RealmConfig("r", anonymous="x"),), opening_timeout=0), "greater than"),
    (lambda: Limits(message=100), "message must be"),
    (lambda: Limits(message=(1 << 24) + 1), "message must be"),
]


def test_mistakes_in_the_configuration():
    for make, words in MISTAKES:
        with pytest.raises(ConfigurationError, match=words):
            make()


def test_a_secret_without_quotes_is_not_repeated(tmp_path: Path):
    path = tmp_path / "router.toml"
    for name in ("ticket", "secret"):
        path.write_text(f"[[realm]]\nname='r'\n[[realm.principal]]\nauthid='a'\n{name} = 4711\n")
        with pytest.raises(ConfigurationError) as error:
            load(str(path))
        assert name in str(error.value) and "4711" not in str(error.value)


def test_secrets_are_not_shown():
    one = Principal("a", ticket="hush-1", secret="hush-2", salt="hush-3")
    realm = RealmConfig("r", principals=(one,))
    assert "hush" not in repr(RouterConfig((realm,)))


FILE = f"""
listen = ["rs://127.0.0.1:0"]
opening_timeout = 5
certificate = "c.pem"
[limits]
connections = 7
[[realm]]
name = "devices"
anonymous = true
disclose = true
[[realm.principal]]
authid = "erin"
role = "sensor"
public_keys = ["{KEY}"]
[[realm.principal]]
authid = "bob"
secret = "s"
salt = "x"
iterations = 10
keylen = 16
[[realm.role]]
name = "sensor"
[[realm.role.allow]]
uri = "com.example."
actions = ["publish", "call"]
[[realm]]
name = "other"
anonymous = "guest"
"""


def test_file():
    config = parse(FILE)
    assert config == RouterConfig(
        listen=("rs://127.0.0.1:0",),
        opening_timeout=5,
        certificate="c.pem",
        limits=Limits(connections=7),
        realms=(
            RealmConfig(
                "devices",
                anonymous="anonymous",
                disclose=True,
                principals=(
                    Principal("erin", role="sensor", public_keys=(KEY,)),
                    Principal("bob", secret="s", salt="x", iterations=10, keylen=16),
                ),
                roles=(
                    Role("sensor", (Permission("com.example.", frozenset({"publish", "call"})),)),
                ),
            ),
            RealmConfig("other", anonymous="guest"),
        ),
    )


# (what is added to or instead of the file, words of the error)
BAD_FILES = [
    ("", "at least one realm"),
    ("[", "not TOML"),
    ("colour = 1", "line 1: unknown key colour; known: certificate, closing_timeout"),
    ("[[realm]]\nname='r'\nanonymus=true", r"line 3: unknown key realm\[0\].anonymus"),
    (
        "[[realm]]\nname='r'\n[[realm.principal]]\nauthid='a'\nTicket='hush'",
        r"unknown key realm\[0\].principal\[0\].Ticket",
    ),
    (
        "[[realm]]\nname='r'\n[[realm.role]]\nname='x'",
        r"line 3: key realm\[0\].role\[0\].allow is missing",
    ),
    ("[[realm]]\nanonymous=true", r"key realm\[0\].name is missing"),
    (
        "[[realm]]\nname='r'\nanonymous=true\n"
        "[[realm.role]]\nname='x'\n[[realm.role.allow]]\nurl=''",
        r"unknown key realm\[0\].role\[0\].allow\[0\].url",
    ),
    ("listen = 'rs://a:1'", "key listen is 'rs://a:1', a list needed"),
    ("listen = [5]", r"key listen\[0\] is 5, a string needed"),
    ("opening_timeout = '5'", "key opening_timeout is '5', a number needed"),
    ("[limits]\nmessage = 5", "line 2: message must be"),
    ("[[realm]]\nname='r'\n[[realm.principal]]\nauthid='a'", "line 3: .* or public_keys"),
    ("[limits]\nmessages = 5", "line 2: unknown key limits.messages"),
    ("[limits]\nmessage = true", "key limits.message is True, an integer needed"),
    ("[[realm]]\nname='r'\nanonymous=5", "a string or true or false needed"),
    ("[realm]\nname='r'", "key realm is .*, a list needed"),
]


def test_mistakes_in_the_file(tmp_path: Path):
    path = tmp_path / "router.toml"
    for text, words in BAD_FILES:
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=words) as caught:
            load(path)
        assert str(path) in str(caught.value)
        assert "hush" not in str(caught.value)
    for path, words in (
        (tmp_path / "none.toml", "No such file"),
        (tmp_path, "directory"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            load(path)
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="line 1: it is not UTF-8"):
        load(path)


async def test_an_observer_that_fails_does_no_harm():
    def observer(event: str, fields: Any) -> None:
        raise ValueError(event)

    realm = RealmConfig("test", anonymous="x")
    async with Router(RouterConfig((realm,), listen=("rs://127.0.0.1:0",)), observer) as router:
        assert router.counters["listening"] == 1
        with pytest.raises(ConfigurationError, match="started already"):
            await router.start()


EVERYTHING = """
identity = "router.key"
[[realm]]
name = "r"
payload_transparency = true
lenient = true
[[realm.principal]]
authid = "alice"
role = "operator"
totp = "JBSWY3DPEHPK3PXP"
factors = ["ticket", "wamp-scram"]
[realm.principal.scram]
password = "pencil"
kdf = "argon2id13"
iterations = 2
memory = 64
[[realm.role]]
name = "operator"
[[realm.role.allow]]
uri = "wamp."
actions = ["call"]
[[realm.trust]]
role = "operator"
uri = "com."
level = 2
[[realm.history]]
uri = "com.example."
match = "prefix"
events = 7
octets = 5000
"""


def test_a_file_with_all_that_realms_can_do():
    config = parse(EVERYTHING)
    assert config.identity == "router.key"
    (realm,) = config.realms
    assert realm.payload_transparency and realm.lenient
    assert realm.trust == (Trust(2, "com.", "operator"),)
    assert realm.history == (Kept("com.example.", "prefix", 7, 5000),)
    (alice,) = realm.principals
    assert alice.factors == ("ticket", "wamp-scram")
    assert alice.scram == Scram("pencil", "argon2id13", 2, 64)
    for before, after, words in (
        ("level = 2", 'level = "2"', r"realm\[0\].trust\[0\].level"),
        ("level = 2", "", r"realm\[0\].trust\[0\].level is missing"),
        ("events = 7", "event = 7", r"unknown key realm\[0\].history\[0\].event"),
        ('uri = "com.example."\nmatch', "match", r"history\[0\].uri is missing"),
        ("memory = 64", "mem = 64", r"unknown key realm\[0\].principal\[0\].scram.mem"),
        ("iterations = 2", "iterations = 2.5", r"scram.iterations is 2.5"),
        ('"wamp-scram"]', "5]", r"factors\[1\] is 5"),
        ("lenient = true", 'lenient = "hush"', r"realm\[0\].lenient"),
    ):
        assert before in EVERYTHING
        with pytest.raises(ConfigurationError, match=words):
            parse(EVERYTHING.replace(before, after))
    for name in ("totp", "password"):
        with pytest.raises(ConfigurationError) as error:
            parse(re.sub(rf'{name} = "[^"]*"', f"{name} = 4711", EVERYTHING))
        assert name in str(error.value) and "4711" not in str(error.value)
