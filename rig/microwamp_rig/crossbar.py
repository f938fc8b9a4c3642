"""A crossbar.io node of the rig's own: two realms, every login, TCP, TLS and Unix sockets.

    REALM, OTHER_REALM           both with the roles below
    anonymous, user, restricted  roles: everything is allowed, the caller and publisher are
                                 disclosed; `restricted` may neither register nor publish under
                                 FORBIDDEN
    url                          rs://   RawSocket over TCP; anonymous only
    auth_url                     rs://   ticket, wampcra, scram, cryptosign; no anonymous
    tls_url                      rss://  all five logins; `certificate` is the CA to trust
    websocket_url                ws://   WebSocket, all five logins
    secure_websocket_url         wss://  the same, with the certificate of tls_url
    unix_url                     rs://unix:/path, all five logins
    public_key                   the node's own, with which it proves itself to cryptosign clients

The logins are TICKET_*, CRA_*, CRA_SALTED_*, SCRAM_*, CRYPTOSIGN_* below and the keys given to the
node.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nacl.pwhash import argon2id

from microwamp_rig import process

REALM = "devices"
OTHER_REALM = "other"
FORBIDDEN = "com.example.forbidden"

TICKET_AUTHID, TICKET = "alice", "ticket-of-alice"
RESTRICTED_AUTHID, RESTRICTED_TICKET = "rita", "ticket-of-rita"
CRA_AUTHID, CRA_SECRET = "bob", "secret-of-bob"
CRA_SALTED_AUTHID, CRA_SALTED_SECRET = "carol", "secret-of-carol"
SCRAM_AUTHID, SCRAM_PASSWORD = "dave", "password-of-dave"
SCRAM_ARGON2_AUTHID, SCRAM_ARGON2_PASSWORD = "dora", "password-of-dora"
CRYPTOSIGN_AUTHID = "erin"
CRYPTOSIGN_SEED = bytes(range(32))
CRYPTOSIGN_PUBLIC = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"

#: A node takes 3 s to start on an idle machine and 16 s on a busy one.
START_LIMIT_S = 120.0

_START = ("start", "--loglevel", "warn", "--color", "false")

# Run by crossbar's own Python, which has the package cryptography.
_MAKE_CERTIFICATE = """
import datetime, ipaddress, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, sys.argv[3])])
names = [x509.DNSName(sys.argv[3])]
if sys.argv[3] == "localhost":
    names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
now = datetime.datetime.now(datetime.timezone.utc)
certificate = (
    x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    .serial_number(x509.random_serial_number())
    .not_valid_before(now + datetime.timedelta(hours=float(sys.argv[5])))
    .not_valid_after(now + datetime.timedelta(hours=float(sys.argv[4])))
    .add_extension(x509.SubjectAlternativeName(names), False)
    .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    .sign(key, hashes.SHA256())
)
pem = serialization.Encoding.PEM
open(sys.argv[1], "wb").write(certificate.public_bytes(pem))
open(sys.argv[2], "wb").write(key.private_bytes(
    pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
"""


class CrossbarError(RuntimeError):
    """The node is not there or did not start; the text has the end of its log."""


def program() -> Path:
    """The `crossbar` command: $MICROWAMP_CROSSBAR, else that of the source tree's .venv-crossbar.
    CrossbarError if there is none."""
    named = os.environ.get("MICROWAMP_CROSSBAR")
    path = Path(named or Path(__file__).parents[2] / ".venv-crossbar" / "bin" / "crossbar")
    if not os.access(path, os.X_OK):
        what = f"MICROWAMP_CROSSBAR={named} is no program" if named else f"{path} is not there"
        raise CrossbarError(f"no crossbar.io: {what}; `make setup-crossbar` installs it")
    return path


def make_certificate(
    certificate: Path,
    key: Path,
    host: str = "localhost",
    hours: float = 365 * 24,
    since: float = -24,
) -> None:
    """Writes a self-signed certificate and its private key, both PEM; "localhost" is good for
    127.0.0.1 too. Valid for so many hours from now, since so many hours from now."""
    python = program().with_name("python")
    subprocess.run(
        [python, "-c", _MAKE_CERTIFICATE, certificate, key, host, str(hours), str(since)],
        check=True,
        timeout=60,
    )
    key.chmod(0o600)


class CrossbarNode:
    """A node in a folder of its own, on free ports of 127.0.0.1.

    folder: existing, empty, its path short enough for a Unix socket (107 octets with `/rs.sock`).
    keys: further cryptosign logins, authid to public key (64 hex digits), in the role `user`.

    `start` returns when all transports accept connections; `stop` and `kill` end both of the
    node's processes; a node that was ended can be started again, on the same ports. It ends with
    this process at the latest. Usable as a context manager. All calls block: in asyncio use
    `asyncio.to_thread`.
    """

    def __init__(self, folder: Path, keys: Mapping[str, str] | None = None) -> None:
        self._program = program()
        self.folder = folder
        self.log = folder / "crossbar.log"
        self.certificate = folder / "server.crt"
        self._socket = folder / "rs.sock"
        self._ports = process.free_ports(5)
        self.url, self.auth_url = (f"rs://127.0.0.1:{port}" for port in self._ports[:2])
        self.tls_url = f"rss://127.0.0.1:{self._ports[2]}"
        self.websocket_url = f"ws://127.0.0.1:{self._ports[3]}"
        self.secure_websocket_url = f"wss://127.0.0.1:{self._ports[4]}"
        self.unix_url = f"rs://unix:{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None
        make_certificate(self.certificate, folder / "server.key")
        config = _config(self._ports, self._socket, keys or {})
        (folder / "config.json").write_text(json.dumps(config, indent=1))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def public_key(self) -> str:
        """The node's Ed25519 key, 64 hex digits; it makes one when it is first started."""
        text = (self.folder / "key.pub").read_text()
        found = re.search(r"^public-key-ed25519: ([0-9a-f]{64})$", text, re.MULTILINE)
        if found is None:
            raise CrossbarError(f"there is no key in {self.folder / 'key.pub'}")
        return found[1]

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, timeout_s: float = START_LIMIT_S) -> None:
        """Starts the node and waits until it accepts. CrossbarError if it does not."""
        if self.running:
            return
        self._socket.unlink(missing_ok=True)
        with self.log.open("wb") as log:
            self._process = process.start(
                [self._program, *_START, "--cbdir", self.folder],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait(self._process, time.monotonic() + timeout_s)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ends the node in good order (SIGTERM to controller and worker; what is left after 10 s
        is killed). No error if it does not run."""
        if self._process is not None:
            process.stop(self._process)
            self._wait_closed()

    def kill(self) -> None:
        """Ends both processes at once (SIGKILL): connections are reset, nobody is told."""
        if self._process is not None:
            process.signal_group(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._wait_closed()

    def _wait(self, started: subprocess.Popen[bytes], deadline: float) -> None:
        addresses: list[tuple[socket.AddressFamily, Any]] = [
            (socket.AF_INET, ("127.0.0.1", port)) for port in self._ports
        ]
        addresses.append((socket.AF_UNIX, str(self._socket)))
        while addresses:
            family, address = addresses[0]
            with socket.socket(family) as probe:
                probe.settimeout(1.0)
                if probe.connect_ex(address) == 0:
                    addresses.pop(0)
                    continue
            if started.poll() is not None:
                raise CrossbarError(f"crossbar ended at its start; {self._tail()}")
            if time.monotonic() > deadline:
                raise CrossbarError(f"crossbar does not accept connections; {self._tail()}")
            time.sleep(0.05)

    def _wait_closed(self) -> None:
        """The worker, which holds the ports, is not our child: we learn of its end by them."""
        deadline = time.monotonic() + 5.0
        for port in self._ports:
            while time.monotonic() < deadline:
                with socket.socket() as probe:
                    probe.settimeout(1.0)
                    if probe.connect_ex(("127.0.0.1", port)) != 0:
                        break
                time.sleep(0.02)

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-40:]
        return "its log ends with" + "".join(f"\n  {line}" for line in lines)


def _scram(kdf: str, salted: bytes, salt: bytes, iterations: int, memory: int) -> dict[str, Any]:
    """A principal of crossbar's scram. salted: the password as the KDF leaves it."""
    client = hmac.digest(salted, b"Client Key", "sha256")
    return {
        "kdf": kdf,
        "iterations": iterations,
        "memory": memory,
        "salt": salt.hex(),
        "stored-key": hashlib.sha256(client).hexdigest(),
        "server-key": hmac.digest(salted, b"Server Key", "sha256").hex(),
        "role": "user",
    }


def _scram_principals() -> dict[str, Any]:
    salt = bytes(range(16))
    derived = hashlib.pbkdf2_hmac("sha256", SCRAM_PASSWORD.encode(), salt, 4096)
    raw = argon2id.kdf(32, SCRAM_ARGON2_PASSWORD.encode(), salt, opslimit=4, memlimit=512 << 10)
    # crossbar takes argon2id's octets as base64 text.
    text = base64.b64encode(raw).rstrip(b"=")
    return {
        SCRAM_AUTHID: _scram("pbkdf2", derived, salt, 4096, 512),
        SCRAM_ARGON2_AUTHID: _scram("argon2id-13", text, salt, 4, 512),
    }


def _config(ports: list[int], socket_path: Path, keys: Mapping[str, str]) -> dict[str, Any]:
    """The node's configuration (crossbar.io node configuration, version 2)."""

    def permission(uri: str, **denied: bool) -> dict[str, Any]:
        allowed = {"call": True, "register": True, "publish": True, "subscribe": True}
        return {
            "uri": uri,
            "match": "prefix",
            "allow": {**allowed, **denied},
            "disclose": {"caller": True, "publisher": True},
            "cache": True,
        }

    roles = [
        {"name": "anonymous", "permissions": [permission("")]},
        {"name": "user", "permissions": [permission("")]},
        {
            "name": "restricted",
            "permissions": [
                permission(""),
                permission(FORBIDDEN, register=False, publish=False),
            ],
        },
    ]
    anonymous = {"anonymous": {"type": "static", "role": "anonymous"}}
    public = {CRYPTOSIGN_AUTHID: CRYPTOSIGN_PUBLIC, **keys}
    logins = {
        "ticket": {
            "type": "static",
            "principals": {
                TICKET_AUTHID: {"ticket": TICKET, "role": "user"},
                RESTRICTED_AUTHID: {"ticket": RESTRICTED_TICKET, "role": "restricted"},
            },
        },
        "wampcra": {
            "type": "static",
            "users": {
                CRA_AUTHID: {"secret": CRA_SECRET, "role": "user"},
                CRA_SALTED_AUTHID: {
                    "secret": CRA_SALTED_SECRET,
                    "role": "user",
                    "salt": "salt-of-carol",
                    "iterations": 100,
                    "keylen": 32,
                },
            },
        },
        "scram": {"type": "static", "principals": _scram_principals()},
        "cryptosign": {
            "type": "static",
            "principals": {
                authid: {"authorized_keys": [key], "role": "user"}
                for authid, key in public.items()
            },
        },
    }

    def transport(endpoint: dict[str, Any], auth: dict[str, Any]) -> dict[str, Any]:
        names = ["cbor", "json", "msgpack", "ubjson"]
        return {"type": "rawsocket", "serializers": names, "endpoint": endpoint, "auth": auth}

    def websocket(endpoint: dict[str, Any], auth: dict[str, Any]) -> dict[str, Any]:
        # crossbar offers the batched form of each by itself. It cannot serve flatbuffers: its
        # check refuses the name on RawSocket, and its worker fails on WebSocket.
        return {**transport(endpoint, auth), "type": "websocket"}

    def tcp(port: int, **options: Any) -> dict[str, Any]:
        return {"type": "tcp", "interface": "127.0.0.1", "port": port, **options}

    tls = {"key": "server.key", "certificate": "server.crt"}
    return {
        "version": 2,
        "controller": {},
        "workers": [
            {
                "type": "router",
                "realms": [{"name": name, "roles": roles} for name in (REALM, OTHER_REALM)],
                "transports": [
                    transport(tcp(ports[0]), anonymous),
                    transport(tcp(ports[1]), logins),
                    transport(tcp(ports[2], tls=tls), {**logins, **anonymous}),
                    transport({"type": "unix", "path": str(socket_path)}, {**logins, **anonymous}),
                    websocket(tcp(ports[3]), {**logins, **anonymous}),
                    websocket(tcp(ports[4], tls=tls), {**logins, **anonymous}),
                ],
            }
        ],
    }
