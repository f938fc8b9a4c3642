"""One embedded router for all tests of the commands, and keys and secrets for it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import TOTP, Credentials, RouterProcess, Running, microwamp

from microwamp.auth import derive_scram_credential
from microwamp_rig.crossbar import make_certificate


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """Erin's key, a key that nobody knows, alice's ticket, bob's secret, carol's password, what
    dan's authenticator has, and the key of the router."""
    folder = tmp_path_factory.mktemp("credentials")
    found = []
    for name in ("erin.key", "other.key"):
        path = folder / name
        assert microwamp("keygen", str(path)).status == 0
        found.append(str(path))
    for name, text in (
        ("ticket", "ticket-of-alice\n"),
        ("secret", "secret-of-bob"),
        ("password", "password-of-carol\n"),
        ("totp", f"{TOTP}\n"),
    ):
        path = folder / name
        path.touch(0o600)
        path.write_text(text)
        found.append(str(path))
    path = folder / "identity"
    public = microwamp("keygen", str(path), "--json")
    found.append(json.loads(public.out)["public_key"])
    return Credentials(*found)


def pbkdf2_keys(password: str) -> dict[str, str]:
    """What a router keeps of a password (RFC 5802, with SHA-256)."""
    salt = bytes(range(16))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 4096)
    client = hmac.digest(salted, b"Client Key", "sha256")
    return {
        "salt": salt.hex(),
        "stored": hashlib.sha256(client).hexdigest(),
        "server": hmac.digest(salted, b"Server Key", "sha256").hex(),
    }


@pytest.fixture(scope="session")
def router(
    tmp_path_factory: pytest.TempPathFactory, credentials: Credentials
) -> Iterator[RouterProcess]:
    """Realm `devices` is open, `com.closed.` in it is not; realm `locked` wants a login."""
    public = next(
        line.split()[1]
        for line in Path(credentials.key).read_text().splitlines()
        if line.startswith("public-key")
    )
    # As crossbar's tool and autobahn have it: argon2id, in crossbar's dialect of SCRAM alone.
    carol = pbkdf2_keys("password-of-carol")  # and she has the specification's alone
    carl = derive_scram_credential("carl", "password-of-carol")
    path = tmp_path_factory.mktemp("router") / "router.toml"
    path.touch(0o600)
    path.write_text(f"""
identity = "{Path(credentials.key).with_name("identity")}"
[[realm]]
name = "devices"
anonymous = "guest"
[[realm.role]]
name = "guest"
[[realm.role.allow]]
uri = ""
actions = ["call", "register", "publish", "subscribe"]
[[realm.role.allow]]
uri = "com.closed."
actions = []
[[realm]]
name = "locked"
[[realm.principal]]
authid = "alice"
ticket = "ticket-of-alice"
[[realm.principal]]
authid = "bob"
secret = "secret-of-bob"
salt = "pepper"
[[realm.principal]]
authid = "carol"
[realm.principal.scram]
salt = "{carol["salt"]}"
stored_key = "{carol["stored"]}"
server_key = "{carol["server"]}"
[[realm.principal]]
authid = "carl"
[realm.principal.scram]
dialect = "scram"
kdf = "argon2id13"
iterations = {carl["iterations"]}
memory = {carl["memory"]}
salt = "{carl["salt"]}"
stored_key = "{carl["stored-key"]}"
server_key = "{carl["server-key"]}"
[[realm.principal]]
authid = "dan"
totp = "{TOTP}"
[[realm.principal]]
authid = "erin"
public_keys = ["{public}"]
""")
    with RouterProcess("--config", str(path), "--listen", "rs://127.0.0.1:0") as one:
        yield one


@pytest.fixture(scope="session")
def url(router: RouterProcess) -> str:
    """Where the router listens."""
    return router.url


@pytest.fixture(scope="session")
def echo(url: str) -> Iterator[str]:
    """A procedure that answers with its arguments."""
    with Running("register", "--url", url, "com.example.echo", "--echo") as one:
        one.wait("registered", one.err)
        yield "com.example.echo"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PEM file with key and certificate for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key, path = folder / "key.pem", folder / "certificate.pem"
    make_certificate(path, key)
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return str(path)
