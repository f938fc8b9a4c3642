"""One embedded router for all tests of the commands, and keys and secrets for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Credentials, RouterProcess, Running, microwamp

from microwamp_rig.crossbar import make_certificate


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """Erin's key, a key that nobody knows, alice's ticket, bob's secret."""
    folder = tmp_path_factory.mktemp("credentials")
    found = []
    for name in ("erin.key", "other.key"):
        path = folder / name
        assert microwamp("keygen", str(path)).status == 0
        found.append(str(path))
    for name, text in (("ticket", "ticket-of-alice\n"), ("secret", "secret-of-bob")):
        path = folder / name
        path.touch(0o600)
        path.write_text(text)
        found.append(str(path))
    return Credentials(*found)


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
    path = tmp_path_factory.mktemp("router") / "router.toml"
    path.touch(0o600)
    path.write_text(f"""
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
