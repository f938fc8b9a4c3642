"""What can go wrong before and while a session is made: exit status and one line on stderr."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
from commands import (
    TOTP,
    WELCOME,
    Credentials,
    RouterProcess,
    microwamp,
    says,
    scripted,
    serving,
    silent,
    tidy,
)

from microwamp import cli
from microwamp_rig import crossbar as xb
from microwamp_rig.crossbar import CrossbarNode

# Each joins a router and does nothing else of note.
COMMANDS = [
    ["call", "com.example.f"],
    ["publish", "com.example.t"],
    ["subscribe", "com.example.t"],
    ["register", "--echo", "com.example.g"],
]

# (words, what stderr holds): status 2
USAGE = [
    (["call"], "PROCEDURE"),
    (["publish"], "TOPIC"),
    (["subscribe"], "TOPIC"),
    (["register"], "PROCEDURE"),
    (["register", "--"], "PROCEDURE"),
    (["register", "com.x"], "one of COMMAND, --echo and --value"),
    (["register", "com.x", "--echo", "true"], "one of COMMAND"),
    (["register", "com.x", "--echo", "--value", "1"], "one of COMMAND"),
    (["register", "com.x", "no-such-command-at-all"], "there is no command no-such-command"),
    (["register", "com.x", "--no-such-option", "true"], "unrecognized arguments"),
    (["register", "--concurrency", "0", "com.x", "true"], "--concurrency"),
    (["register", "--limit", "-1", "com.x", "true"], "--limit"),
    (["register", "--value", "@hex:0", "com.x"], "hex"),
    (["call", "com.x", "--no-such-option"], "unrecognized arguments"),
    (["call", "com.x", "--kw", "x"], "NAME=VALUE"),
    (["call", "com.x", "--kw", "=1"], "NAME=VALUE"),
    (["call", "com.x", "--kw", "a=1", "--kw", "a=2"], "two of that name"),
    (["call", "com.x", "--kw", "a=@hex:0"], "hex"),
    (["call", "com.x", "@file:/nowhere"], "No such file"),
    (["call", "com.x", "\udcff"], "not UTF-8"),
    (["call", "com..x"], "empty component"),
    (["call", "com x"], "white space"),
    (["call", ""], "URI"),
    (["publish", "com#x"], "white space"),
    (["subscribe", "com..x"], "empty component"),
    (["subscribe", "com.x", "--match", "regex"], "--match"),
    (["subscribe", "com.x", "--count", "0"], "--count"),
    (["subscribe", "com.x", "--count", "x"], "--count"),
    (["subscribe", "com.x", "--duration", "0"], "--duration"),
    (["call", "com.x", "--timeout", "0"], "--timeout"),
    (["call", "com.x", "--timeout", "nan"], "--timeout"),
    (["call", "com.x", "--timeout", "inf"], "--timeout"),
    (["call", "com.x", "--timeout", "soon"], "--timeout"),
    (["call", "com.x", "--realm", ""], "realm"),
    (["call", "com.x", "--url", "localhost:8080"], "rs://host:port"),
    (["call", "com.x", "--url", "http://localhost:8080/ws"], "rs://host:port"),
    (["call", "com.x", "--url", "ws://"], "URL ws://"),
    (["call", "com.x", "--url", "ws://x:1", "--cafile", "/nowhere"], "--cafile is for rss://"),
    (["call", "com.x", "--url", "rs://localhost"], "host and port expected"),
    (["call", "com.x", "--url", "rs://localhost:0"], "host and port expected"),
    (["call", "com.x", "--url", "rs://localhost:65536"], "host and port expected"),
    (["call", "com.x", "--url", "rs://unix:here"], "absolute path"),
    (["call", "com.x", "--url", "serial:"], "a port is missing"),
    (["call", "com.x", "--url", "serial:/dev/null?baud=fast"], "baud=fast"),
    (["call", "com.x", "--cafile", "/nowhere"], "--cafile is for rss://"),
    (["call", "com.x", "--url", "rss://x:1", "--cafile", "/nowhere"], "No such file"),
    (["call", "com.x", "--url", "rss://x:1", "--cafile", __file__], "no certificates"),
    (["call", "com.x", "--key", "/nowhere"], "there is no key file /nowhere"),
    (["call", "com.x", "--authid", "a", "--ticket-file", "/nowhere"], "No such file"),
    (["call", "com.x", "--authid", "a", "--secret-file", "/"], "Is a directory"),
]


def free_port() -> int:
    """A port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_usage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("MICROWAMP_")]:
        monkeypatch.delenv(name)
    for words, text in USAGE:
        status = cli.main(words)
        out, err = capsys.readouterr()
        assert status == 2 and out == "" and text in tidy(err), (words, status, err)
    assert microwamp("call", "com..x") == (
        2,
        "",
        "microwamp call: procedure 'com..x' is not a URI: it has an empty component\n",
    )


def test_help_tells_of_arguments_environment_and_status():
    for name in ("call", "publish", "subscribe", "register"):
        found = microwamp(name, "--help")
        assert found.status == 0 and found.err == ""
        for text in ("--url", "--totp-file", "MICROWAMP_PASSWORD", "exit status"):
            assert text in found.out, (name, text)
        assert max(map(len, found.out.splitlines())) < 100, name


def test_nothing_listens(tmp_path: Path):
    urls = (f"rs://127.0.0.1:{free_port()}", f"rss://127.0.0.1:{free_port()}")
    for url in urls:
        for words in COMMANDS:
            found = microwamp(*words, "--url", url)
            assert found.status == 3 and found.out == "" and found.err.count("\n") == 1, found
            assert f"{url}: nothing listens there" in found.err
    for url in (f"rs://unix:{tmp_path}/none", f"serial:{tmp_path}/none"):
        found = microwamp("call", "com.x", "--url", url)
        assert found.status == 3 and f"{url}: it does not exist" in found.err, found


def test_host_that_is_not_there():
    for host in ("no.such.host.invalid", "exa mple", "[zz]"):
        found = microwamp("call", "com.x", "--url", f"rs://{host}:1", "--timeout", "5")
        assert found.status in (2, 3, 5) and found.err.count("\n") == 1, (host, found)


def test_host_and_port_that_cannot_be():
    for address in ("a..b:1", ".:1", "x" * 70 + ":1", "localhost:²", "localhost:٣"):
        found = microwamp("call", "com.x", "--url", f"rs://{address}", "--timeout", "5")
        assert found.status in (2, 3) and found.err.count("\n") == 1, (address, found)


def test_realm_that_is_not_there(url: str):
    for words in COMMANDS:
        found = microwamp(*words, "--url", url, "--realm", "nowhere")
        assert found.status == 4 and "wamp.error.no_such_realm" in found.err, found
        assert found.err.count("\n") == 1
    found = microwamp(*COMMANDS[0], "--url", url, env={"MICROWAMP_REALM": "nowhere"})
    assert found.status == 4


# (what a server sends when it hears from us, status, what stderr holds)
SPEAKERS = [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", 3, "it speaks HTTP"),
    (b"\x15\x03\x01\x00\x02\x02\x28", 3, "it speaks TLS"),
    (b"SSH-2.0-x\r\n", 3, "not a RawSocket router"),
    (b"\x1b[2J\x07", 3, "not a RawSocket router"),
    (b"\x7f\x10\x00\x00", 3, "serializer unsupported"),
    (b"\x7f\xf1\x00\x00", 3, "serializer 1"),
    (b"\x7f\xf3\x00\x01", 3, "reserved bits"),
    (b"\x7f\xf3\x00\x00", 3, "closed the connection"),
    (b"\x7f\xf3\x00\x00\x00\x00\x00\x01\xff", 3, ""),
    (b"\x7f\xf3\x00\x00\xff\x00\x00\x00", 3, "RawSocket frame"),
    (b"\x7f", 3, ""),
    (b"", 3, ""),
]


def test_servers_of_other_protocols():
    for octets, status, text in SPEAKERS:
        with serving(says(octets)) as address:
            found = microwamp("call", "com.x", "--url", f"rs://{address}")
            assert (found.status, found.out) == (status, ""), (octets, found)
            assert text in found.err and found.err.count("\n") == 1, (octets, found)
    with serving(says(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as address:
        for words in COMMANDS[1:]:
            found = microwamp(*words, "--url", f"rs://{address}")
            assert found.status == 3 and "HTTP" in found.err, found


def test_router_that_never_answers():
    # A TLS port is such a one: four octets are no record yet.
    for talk, commands in (
        (silent, COMMANDS),
        (scripted(None, None), COMMANDS[1:3]),
        (scripted(WELCOME, None, None), COMMANDS),
    ):
        with serving(talk) as address:
            for words in commands:
                found = microwamp(*words, "--url", f"rs://{address}", "--timeout", "0.3")
                assert found.status == 5 and found.err.count("\n") == 1, (words, found)


def test_key_files(url: str, tmp_path: Path, credentials: Credentials):
    good = Path(credentials.key).read_text()
    # (octets, mode, what stderr holds)
    for i, (text, mode, words) in enumerate(
        [
            ("", 0o600, "0 characters"),
            (good[:150], 0o600, ""),
            ("ab" * 31, 0o600, "62 characters"),
            ("\xff" * 40, 0o600, ""),
            ("x" * 5000, 0o600, "longer"),
            (good, 0o644, "can be used by others (mode 0644): chmod 600"),
            (good, 0o640, "can be used by others"),
        ]
    ):
        path = tmp_path / str(i)
        path.write_bytes(text.encode("latin-1"))
        path.chmod(mode)
        found = microwamp("call", "com.x", "--url", url, "--key", str(path))
        assert found.status == 2 and words in found.err and found.err.count("\n") == 1, found
        found = microwamp("call", "com.x", env={"MICROWAMP_URL": url, "MICROWAMP_KEY": str(path)})
        assert found.status == 2, found


def test_files_of_secrets(url: str, tmp_path: Path):
    # (octets, mode, what stderr holds)
    for i, (octets, mode, words) in enumerate(
        [
            (b"", 0o600, "one line that is not empty"),
            (b"\n", 0o600, "one line that is not empty"),
            (b"hush\nhush\n", 0o600, "one line"),
            (b"hush\xff", 0o600, "not text"),
            (b"hush" * 2000, 0o600, "longer"),
            (b"hush\n", 0o644, "chmod 600"),
        ]
    ):
        path = tmp_path / str(i)
        path.write_bytes(octets)
        path.chmod(mode)
        for option in ("--ticket-file", "--secret-file", "--password-file", "--totp-file"):
            found = microwamp("call", "com.x", "--url", url, "--authid", "a", option, str(path))
            assert found.status == 2 and words in found.err and "hush" not in found.err, found
            assert option in found.err and found.err.count("\n") == 1
    path.chmod(0o600)
    found = microwamp("call", "com.x", "--url", url, "--ticket-file", str(path))
    assert found.status == 2 and "--authid" in found.err
    path.write_text("ABCD")
    for elsewhere in ("rs://192.0.2.1:80", "serial:/dev/null"):
        for option in ("--ticket-file", "--totp-file"):
            login = ("--authid", "a", option, str(path))
            found = microwamp("call", "com.x", "--url", elsewhere, *login)
            assert found.status == 2 and "in clear" in found.err and "--allow-clear" in found.err


# (words, environment, what stderr holds): of logins that do not go together
LOGINS = [
    (["--router-key", "00" * 32], {}, "--router-key (or MICROWAMP_ROUTER_KEY) takes a login by"),
    (["--router-key", "00" * 32, "--key", "K", "--ticket-file", "F"], {}, "by --key alone"),
    (["--ticket-file", "F"], {"MICROWAMP_ROUTER_KEY": "00" * 32}, "by --key alone"),
    (["--key", "K", "--router-key", "0g" * 32], {}, "router= is not hex"),
    (["--key", "K"], {"MICROWAMP_ROUTER_KEY": "00"}, "router= has 2 characters"),
    (["--ticket-file", "F", "--totp-file", "F", "--authid", "a"], {}, "are one method"),
    (["--password-file", "F", "--secret-file", "F"], {}, "password or secret needs --authid"),
    (["--totp-file", "F", "--authid", "a", "--allow-clear"], {}, "not base32"),
    ([], {"MICROWAMP_PASSWORD": "hush-hush"}, "a login by password needs --authid"),
    (["--authid", "a"], {"MICROWAMP_PASSWORD": "hush\u0007hush"}, "the password cannot be used"),
]


def test_logins_that_do_not_go_together(
    tmp_path: Path,
    credentials: Credentials,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    for name in [name for name in os.environ if name.startswith("MICROWAMP_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "secret"
    path.touch(0o600)
    path.write_text("hush-hush\n")
    known = {"F": str(path), "K": credentials.key}
    for words, env, text in LOGINS:
        with monkeypatch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            status = cli.main(["call", "com.x", *(known.get(word, word) for word in words)])
        _, err = capsys.readouterr()
        assert status == 2 and text in tidy(err), (words, err)
        assert err.count("\n") == 1 and "hush" not in err, err


def test_logins(url: str, router: RouterProcess, credentials: Credentials):
    key, other, ticket, secret, password, totp, pinned = credentials
    where = {"MICROWAMP_URL": url, "MICROWAMP_REALM": "locked"}
    # (words, environment, who logs in and how; None for who is turned away)
    for words, env, who in (
        (["--key", key], {}, "erin by cryptosign"),
        (["--key", key, "--authid", "erin"], {"MICROWAMP_TICKET": "x"}, "erin by cryptosign"),
        ([], {"MICROWAMP_KEY": key}, "erin by cryptosign"),
        (["--authid", "alice", "--ticket-file", ticket], {}, "alice by ticket"),
        (["--ticket-file", ticket], {"MICROWAMP_AUTHID": "alice"}, "alice by ticket"),
        (["--authid", "alice"], {"MICROWAMP_TICKET": "ticket-of-alice"}, "alice by ticket"),
        (["--authid", "bob", "--secret-file", secret], {}, "bob by wampcra"),
        (["--authid", "bob"], {"MICROWAMP_SECRET": "secret-of-bob"}, "bob by wampcra"),
        (["--authid", "carol", "--password-file", password], {}, "carol by wamp-scram"),
        (["--authid", "carl", "--password-file", password], {}, "carl by scram"),
        (["--authid", "carl"], {"MICROWAMP_PASSWORD": "password-of-carol"}, "carl by scram"),
        (["--authid", "dan", "--totp-file", totp], {}, "dan by ticket"),
        (["--key", key, "--router-key", pinned], {}, "erin by cryptosign"),
        (["--key", key], {"MICROWAMP_ROUTER_KEY": f"{'00' * 32} {pinned}"}, "erin by cryptosign"),
        ([], {}, None),
        (["--key", other], {}, None),
        (["--key", key, "--authid", "bob"], {}, None),
        (["--authid", "alice"], {"MICROWAMP_TICKET": "wrong"}, None),
        (["--authid", "bob", "--ticket-file", ticket], {}, None),
        (["--authid", "bob", "--secret-file", ticket], {}, None),
        (["--authid", "nobody", "--secret-file", secret], {}, None),
        (["--authid", "carol", "--password-file", ticket], {}, None),
        (["--authid", "carl"], {"MICROWAMP_PASSWORD": "wrong"}, None),
        (["--authid", "dan"], {"MICROWAMP_TOTP": TOTP[2:]}, None),
        (["--key", key, "--router-key", "00" * 32], {}, None),
        (["--key", key], {"MICROWAMP_ROUTER_KEY": "00" * 32}, None),
    ):
        before = len(router.lines)
        words = [*words, "--allow-clear"]
        found = microwamp("publish", "com.x", "--no-acknowledge", *words, env=where | env)
        assert "-of-" not in found.err and TOTP not in found.err
        if who is None:
            assert found.status == 4 and found.err.count("\n") == 1, (words, env, found)
        else:
            assert found == (0, "", ""), (words, env, found)
            assert any(f"locked {who} " in line for line in router.lines[before:]), (words, env)


def test_a_code_is_good_for_one_login(url: str, credentials: Credentials):
    words = ["publish", "com.x", "--no-acknowledge", "--allow-clear"]
    words += ["--authid", "dan", "--totp-file", credentials.totp]

    def login() -> tuple[set[int], int]:
        """The codes' periods that it touched, and how it ended."""
        first = int(time.time()) // 30
        found = microwamp(*words, env={"MICROWAMP_URL": url, "MICROWAMP_REALM": "locked"})
        return {first, int(time.time()) // 30}, found.status

    one = login()
    for _ in range(20):
        other = login()
        if one[0] == other[0] and len(one[0]) == 1:
            assert other[1] == 4
            break
        one = other
    else:
        raise AssertionError("no two logins within half a minute")


def test_tls(certificate: str, credentials: Credentials):
    listen = ("--listen", "rss://127.0.0.1:0", "--listen", "rs://127.0.0.1:0")
    with RouterProcess("--anonymous", *listen, "--certificate", certificate) as router:
        plain = router.wait("listening on rs://").removeprefix("listening on ")
        words = ["publish", "com.x", "--no-acknowledge"]
        found = microwamp(*words, "--url", router.url, "--cafile", certificate)
        assert found == (0, "", "")
        found = microwamp(*words, "--url", router.url)
        assert found.status == 3 and "certificate" in found.err.lower(), found
        assert found.err.count("\n") == 1
        # RawSocket without TLS where TLS is, and the other way round.
        found = microwamp(*words, "--url", router.url.replace("rss:", "rs:"), "--timeout", "1")
        assert found.status in (3, 5) and found.err.count("\n") == 1, found
        found = microwamp(*words, "--url", plain.replace("rs:", "rss:"), "--cafile", certificate)
        assert found.status == 3 and found.err.count("\n") == 1, found


def test_websocket(
    crossbar: CrossbarNode, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """ws://, and what stands there in place of a router."""
    for name in [name for name in os.environ if name.startswith("MICROWAMP_")]:
        monkeypatch.delenv(name)
    words = ["call", "wamp.session.count", "--realm", xb.REALM, "--url"]
    assert cli.main([*words, crossbar.websocket_url]) == 0
    assert int(capsys.readouterr().out) > 0
    assert cli.main([*words, crossbar.url.replace("rs:", "wss:")]) == 3
    err = tidy(capsys.readouterr().err)
    assert "TLS" in err and err.count("\n") == 1, err
    with serving(says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")) as address:
        assert cli.main([*words, f"ws://{address}/ws"]) == 3
    err = tidy(capsys.readouterr().err)
    assert "404" in err and err.count("\n") == 1, err
    assert cli.main([*words, f"ws://127.0.0.1:{free_port()}/ws"]) == 3
    assert "nothing listens" in tidy(capsys.readouterr().err)


def test_logins_at_crossbar(
    crossbar: CrossbarNode,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    """SCRAM in crossbar's dialect with both of its functions, and crossbar's own key pinned."""
    for name in [name for name in os.environ if name.startswith("MICROWAMP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MICROWAMP_URL", crossbar.auth_url)
    monkeypatch.setenv("MICROWAMP_REALM", xb.REALM)
    # (authid, password, status)
    for authid, password, status in (
        (xb.SCRAM_AUTHID, xb.SCRAM_PASSWORD, 0),
        (xb.SCRAM_ARGON2_AUTHID, xb.SCRAM_ARGON2_PASSWORD, 0),
        (xb.SCRAM_AUTHID, "wrong", 4),
    ):
        monkeypatch.setenv("MICROWAMP_PASSWORD", password)
        found = cli.main(["publish", "com.example.x", "--no-acknowledge", "--authid", authid])
        err = tidy(capsys.readouterr().err)
        assert found == status and err.count("\n") == bool(status), (authid, err)
    monkeypatch.delenv("MICROWAMP_PASSWORD")
    key = tmp_path / "device.key"
    key.touch(0o600)
    key.write_text(f"private-key-ed25519: {xb.CRYPTOSIGN_SEED.hex()}\n")
    for pinned, status, words in (
        (crossbar.public_key, 0, ""),
        ("00" * 32, 4, "the router's key is not the one pinned here"),
    ):
        monkeypatch.setenv("MICROWAMP_ROUTER_KEY", pinned)
        login = ["--authid", xb.CRYPTOSIGN_AUTHID, "--key", str(key)]
        found = cli.main(["publish", "com.example.x", "--no-acknowledge", *login])
        err = tidy(capsys.readouterr().err)
        assert found == status and words in err and err.count("\n") == bool(status), err
