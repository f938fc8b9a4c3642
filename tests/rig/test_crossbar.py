"""The crossbar.io node: what its transports and roles allow, and its life."""

import socket
import ssl
import struct
from typing import Any

import cbor2
import pytest

from microwamp_rig import crossbar as xb


class Peer:
    """Just enough RawSocket and WAMP to see what the node does."""

    def __init__(self, url: str, certificate: str | None = None) -> None:
        if url.startswith("rs://unix:"):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(60)
            self._socket.connect(url.removeprefix("rs://unix:"))
        else:
            scheme, _, place = url.partition("://")
            host, _, port = place.partition(":")
            self._socket = socket.create_connection((host, int(port)), timeout=60)
            if scheme == "rss":
                context = ssl.create_default_context(cafile=certificate)
                self._socket = context.wrap_socket(self._socket, server_hostname="localhost")
        self._socket.sendall(b"\x7f\xf3\x00\x00")
        assert self._read(4) == b"\x7f\xf3\x00\x00"

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def _read(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            more = self._socket.recv(count - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets

    def ask(self, *message: object) -> list[Any]:
        octets = cbor2.dumps(list(message))
        self._socket.sendall(struct.pack(">I", len(octets)) + octets)
        answer: list[Any] = cbor2.loads(self._read(struct.unpack(">I", self._read(4))[0]))
        return answer

    def hello(self, realm: str = xb.REALM, **details: object) -> list[Any]:
        roles: dict[str, object] = {"caller": {}, "callee": {}, "publisher": {}, "subscriber": {}}
        return self.ask(1, realm, {"roles": roles, **details})


@pytest.mark.parametrize("where", ["url", "tls_url", "unix_url"])
def test_anonymous_joins_both_realms(crossbar, where):
    for realm in (xb.REALM, xb.OTHER_REALM):
        with Peer(getattr(crossbar, where), str(crossbar.certificate)) as peer:
            welcome = peer.hello(realm, authmethods=["anonymous"])
            assert welcome[0] == 2
            assert welcome[2]["authrole"] == "anonymous"


@pytest.mark.parametrize(
    ("method", "authid"),
    [
        ("ticket", xb.TICKET_AUTHID),
        ("wampcra", xb.CRA_AUTHID),
        ("wampcra", xb.CRA_SALTED_AUTHID),
        ("cryptosign", xb.CRYPTOSIGN_AUTHID),
    ],
)
@pytest.mark.parametrize("where", ["auth_url", "tls_url", "unix_url"])
def test_every_login_is_challenged(crossbar, where, method, authid):
    with Peer(getattr(crossbar, where), str(crossbar.certificate)) as peer:
        extra = {"pubkey": xb.CRYPTOSIGN_PUBLIC} if method == "cryptosign" else {}
        challenge = peer.hello(authmethods=[method], authid=authid, authextra=extra)
        assert challenge[:2] == [4, method]
        assert ("salt" in challenge[2]) == (authid == xb.CRA_SALTED_AUTHID)


def test_no_anonymous_where_a_login_is_wanted(crossbar):
    with Peer(crossbar.auth_url) as peer:
        assert peer.hello(authmethods=["anonymous"])[0] == 3


def test_restricted_role_is_refused_under_the_forbidden_prefix(crossbar):
    with Peer(crossbar.auth_url) as peer:
        peer.hello(authmethods=["ticket"], authid=xb.RESTRICTED_AUTHID)
        assert peer.ask(5, xb.RESTRICTED_TICKET, {})[2]["authrole"] == "restricted"
        refused = peer.ask(64, 1, {}, xb.FORBIDDEN + ".x")
        assert [refused[1], refused[4]] == [64, "wamp.error.not_authorized"]
        refused = peer.ask(16, 2, {"acknowledge": True}, xb.FORBIDDEN + ".x")
        assert [refused[1], refused[4]] == [16, "wamp.error.not_authorized"]
        assert peer.ask(64, 3, {}, "com.example.allowed")[0] == 65


def test_no_such_realm(crossbar):
    with Peer(crossbar.url) as peer:
        assert peer.hello("nowhere")[2] == "wamp.error.no_such_realm"


def test_stop_kill_and_start_again_on_the_same_ports(own_crossbar):
    own_crossbar.start()
    with Peer(own_crossbar.url) as peer:
        assert peer.hello()[0] == 2
        own_crossbar.kill()
        with pytest.raises((EOFError, ConnectionError)):
            peer.ask(48, 1, {}, "com.example.x")
    with pytest.raises(ConnectionRefusedError):
        Peer(own_crossbar.url)
    own_crossbar.start()
    with Peer(own_crossbar.url) as peer:
        assert peer.hello()[0] == 2
    own_crossbar.stop()
    assert not own_crossbar.running
    with pytest.raises(ConnectionRefusedError):
        Peer(own_crossbar.url)


def test_a_node_that_cannot_start_shows_its_log(own_crossbar):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(own_crossbar.url.rpartition(":")[2])))
        with pytest.raises(xb.CrossbarError, match="ended at its start(?s:.*)already in use"):
            own_crossbar.start(timeout_s=60)
    assert not own_crossbar.running


def test_absent_crossbar_is_named_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("MICROWAMP_CROSSBAR", "/nowhere/crossbar")
    with pytest.raises(xb.CrossbarError, match="make setup-crossbar"):
        xb.CrossbarNode(tmp_path)
