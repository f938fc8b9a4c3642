"""`microwamp`: the commands' frame, `microwamp router` and `microwamp keygen`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import stat
import subprocess
import sys
import types
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from peer import Peer

from microwamp import cli
from wamp import errors, keys

KEY = "ab" * 32

# (exception of a command, exit status, words on stderr)
STATUSES: list[tuple[BaseException, int, str]] = [
    (errors.ConfigurationError("a\nb  c"), 2, "microwamp call: a b c\n"),
    (errors.LocalProtocolError("unknown option"), 2, "unknown option"),
    (errors.ApplicationError("com.e", 1, k=2), 1, "com.e: 1 {'k': 2}"),
    (errors.SessionAborted("wamp.error.no_such_realm", "no realm"), 4, "no realm"),
    (errors.AuthenticationError("no key"), 4, "no key"),
    (errors.HandshakeRefused("refused"), 3, "refused"),
    (errors.TransportLost("gone"), 3, "gone"),
    (errors.TransportError("cannot connect"), 3, "cannot connect"),
    (errors.RemoteProtocolError("bad octets"), 3, "bad octets"),
    (errors.RequestTimeout("no answer"), 5, "no answer"),
    (errors.Error("other"), 1, "other"),
    (KeyError("x"), 1, "internal error: KeyError: 'x'"),
    (KeyboardInterrupt(), 130, ""),
]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A command `call` of our own; its `run` is to be set."""
    module = types.ModuleType("microwamp_test_command")

    def arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--number", type=int)

    module.arguments = arguments  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(cli.COMMANDS, "call", (module.__name__, "call it"))
    return module


def test_errors_become_one_line_and_a_status(
    command: types.ModuleType,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("MICROWAMP_DEBUG", raising=False)
    for error, status, words in STATUSES:

        def run(options: argparse.Namespace, error: BaseException = error) -> int:
            raise error

        command.run = run  # type: ignore[attr-defined]
        assert cli.main(["call"]) == status, error
        said = capsys.readouterr().err
        assert words in said, error
        assert said.count("\n") <= 1 and "Traceback" not in said, error
    monkeypatch.setenv("MICROWAMP_DEBUG", "1")
    assert cli.main(["call"]) == 130
    command.run = lambda options: [][1]  # type: ignore[attr-defined]
    assert cli.main(["call"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_results_usage_and_help(command: types.ModuleType, capsys: pytest.CaptureFixture[str]):
    command.run = lambda options: options.number  # type: ignore[attr-defined]
    assert cli.main(["call", "--number", "7"]) == 7
    for words, status in (
        ([], 2),
        (["--help"], 0),
        (["--version"], 0),
        (["call", "--help"], 0),
        (["call", "--number", "x"], 2),
        (["call", "--nothing"], 2),
        (["--nothing"], 2),
        (["nothing"], 2),
        (["nothing", "--help"], 0),
    ):
        assert cli.main(words) == status, words
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in cli.COMMANDS)
    assert "exit status" in text and "130" in text


def test_only_the_command_that_is_used_is_loaded():
    code = (
        "import sys, microwamp, microwamp.cli\n"
        "assert not {'asyncio', 'cbor2', 'nacl', 'microwamp.router'} & set(sys.modules)\n"
        "microwamp.cli.main(['keygen', '--help'])\n"
        "assert 'microwamp.router' not in sys.modules and 'asyncio' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_output_that_nobody_reads(tmp_path: Path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "microwamp", "keygen", str(tmp_path / "x.key")]
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"")


def test_keygen(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "erin.key"
    assert cli.main(["keygen", str(path), "--comment", "bench 3"]) == 0
    said = capsys.readouterr().out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    seed, public = keys.read_key(str(path))
    assert public is not None and SigningKey(seed).verify_key.encode() == public
    assert public.hex() in said and seed.hex() not in said
    assert f'"erin": {{"authorized_keys": ["{public.hex()}"], "role": "device"}}' in said
    assert "bench 3" in path.read_text()
    before = path.read_bytes()
    assert cli.main(["keygen", str(path)]) == 2
    assert path.read_bytes() == before
    assert cli.main(["keygen", str(tmp_path / "no" / "x.key")]) == 2
    capsys.readouterr()
    other = tmp_path / "other.key"
    assert cli.main(["keygen", str(other), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["public_key"] in answer["crossbar"]
    assert answer["public_key"] == keys.read_key(str(other))[1].hex()  # type: ignore[union-attr]


@asynccontextmanager
async def running(
    *words: str, signal_number: int = signal.SIGTERM
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`microwamp router`, ended by a signal, which must leave status 0 and say nothing."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "microwamp", "router", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
        if process.returncode is None:
            process.send_signal(signal_number)
        _, said = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, said
        assert said == b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 60)).decode().rstrip("\n")


async def test_router_prints_its_urls_and_a_line_an_event(tmp_path: Path):
    unix = f"rs://unix:{tmp_path}/s"
    for number in (signal.SIGTERM, signal.SIGINT):
        async with running(
            *("--listen", "rs://127.0.0.1:0", "--listen", unix),
            *("--anonymous", "--ticket", "alice:wonder:land"),
            signal_number=number,
        ) as process:
            url = re.fullmatch(r"listening on (rs://127\.0\.0\.1:\d+)", await line(process))
            assert url is not None
            assert await line(process) == f"listening on {unix}"
            async with await Peer.connect(url[1]) as peer:
                assert (await peer.hello("devices", authid="alice", authmethods=["ticket"]))[
                    0
                ] == 4
                await peer.send(5, "wonder:land", {})
                welcome = await peer.receive()
                assert welcome[0] == 2
                said = await line(process)
                assert re.match(r"\d\d:\d\d:\d\d joined +devices alice by ticket as user, ", said)
                assert f"session {welcome[1]}" in said and "\x1b" not in said
            assert "connection lost" in await line(process)
            async with await Peer.connect(unix) as peer:
                await peer.join("devices")
                assert "joined" in await line(process)
                await peer.send(6, {}, "com.example.\x1b[31m")
                assert (await peer.receive())[0] == 6
                assert "com.example.?[31m" in await line(process)
                await peer.send(99)
                await peer.aborted()
                assert "unknown WAMP message type 99" in await line(process)
            async with await Peer.connect(unix) as peer:
                await peer.join("devices")
                process.send_signal(number)
                assert await peer.receive() == [6, {}, "wamp.close.system_shutdown"]
                await peer.send(6, {}, "wamp.close.goodbye_and_out")
                assert await peer.ended()
                await asyncio.wait_for(process.wait(), 60)


async def test_router_with_json_and_a_file(tmp_path: Path):
    path = tmp_path / "router.toml"
    path.write_text(
        f"listen = ['rs://127.0.0.1:1']\n[[realm]]\nname = 'r'\n"
        f"[[realm.principal]]\nauthid = 'erin'\npublic_keys = ['{KEY}']\n"
    )
    async with running("--config", str(path), "--listen", "rs://127.0.0.1:0", "--json") as process:
        event = json.loads(await line(process))
        assert event["event"] == "listening"
        async with await Peer.connect(event["url"]) as peer:
            await peer.hello("r")
        event = json.loads(await line(process))
        assert event["event"] == "refused"
        assert event["reason"] == "wamp.error.authentication_required"
        assert event["time"] > 1e9


async def test_router_goes_on_when_nobody_reads_its_lines():
    async with running("--listen", "rs://127.0.0.1:0", "--anonymous") as process:
        url = (await line(process)).split()[-1]
        transport = process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
        transport.close()
        for _ in range(3):
            async with await Peer.connect(url) as peer:
                await peer.join("devices")
                assert await peer.silent()


# (arguments, exit status, words)
BAD_ARGUMENTS = [
    ([], 2, "nobody could log in"),
    (["--anonymous", "--listen", "http://127.0.0.1:1"], 2, "cannot listen on http://"),
    (["--anonymous", "--listen", "rss://127.0.0.1:0"], 2, "needs a certificate"),
    (
        ["--anonymous", "--listen", "rss://127.0.0.1:0", "--certificate", "/no"],
        2,
        "cannot read certificate /no",
    ),
    (["--anonymous", "--realm", "a b"], 2, "not a URI"),
    (["--ticket", "hush"], 2, "--ticket: AUTHID:TICKET needed"),
    (["--ticket", ":hush"], 2, "--ticket: AUTHID:TICKET needed"),
    (["--ticket", "a:hush", "--ticket", "a:b"], 2, "two values"),
    (["--wampcra", "a:"], 2, "--wampcra: AUTHID:SECRET needed"),
    (["--cryptosign", "abc:erin"], 2, "64 hex digits"),
    (["--scram", "a"], 2, "--scram: AUTHID:PASSWORD needed"),
    (["--scram", "a:b", "--scram", "a:hush"], 2, "two values of scram"),
    (["--totp", "a:hush!"], 2, "totp is not base32"),
    (["--totp", "a:JBSWY3DPEHPK3PXP", "--ticket", "a:hush"], 2, "ticket or totp"),
    (["--anonymous", "--identity", "/no.key"], 2, "/no.key"),
    (["--anonymous", "--admin", "a", "--admin", "a"], 2, "role a is there twice"),
    (["--config", "/nowhere.toml", "--admin", "a"], 2, "--admin goes into the file"),
    (["--config", "/nowhere.toml"], 2, "/nowhere.toml"),
    (["--config", "/nowhere.toml", "--realm", "x"], 2, "--realm goes into the file"),
    (["--anonymous", "--listen", "rs://unix:/no/where"], 3, "cannot listen"),
]


def test_router_arguments_that_cannot_work(capsys: pytest.CaptureFixture[str]):
    for words, status, said in BAD_ARGUMENTS:
        assert cli.main(["router", *words]) == status, words
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1 and "hush" not in error, (words, error)


def test_router_arguments(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    from microwamp.cli import router

    parser = argparse.ArgumentParser()
    router.arguments(parser)
    words = [
        *("--cryptosign", KEY.upper(), "--cryptosign", "cd" * 32 + ":erin"),
        *("--cryptosign", "ef" * 32 + ":erin", "--ticket", "erin:t", "--wampcra", "bob:s:s"),
        *("--scram", "pat:pen:cil", "--totp", "tim:JBSWY3DPEHPK3PXP", "--admin", "user"),
        *("--identity", "router.key"),
    ]
    config = router.configuration(parser.parse_args(words))
    assert config.listen == ("rs://127.0.0.1:8080",)
    realm = config.realms[0]
    assert realm.name == "devices" and realm.anonymous is None
    found = {one.authid: one for one in realm.principals}
    assert found["erin"].ticket == "t"
    assert found["erin"].public_keys == ("cd" * 32, "ef" * 32)
    assert found["bob"].secret == "s:s"
    assert found["pat"].scram is not None and found["pat"].scram.password == "pen:cil"
    assert found["tim"].totp == "JBSWY3DPEHPK3PXP"
    assert config.identity == "router.key"
    (role,) = realm.roles
    assert role.name == "user" and role.allows("call", "wamp.session.kill", "wamp.")
    assert role.allows("register", "com.a") and not role.allows("register", "wamp.x")
    assert found[KEY].public_keys == (KEY.upper(),)
    path = tmp_path / "router.toml"
    path.write_text("[[realm]]\nname = 'r'\n[[realm.principal]]\nauthid = 'a'\nticket = 't'\n")
    for mode, warned in ((0o600, False), (0o644, True)):
        path.chmod(mode)
        router.configuration(parser.parse_args(["--config", str(path)]))
        assert ("others can read it" in capsys.readouterr().err) is warned


def test_lines_for_a_terminal():
    from microwamp.cli.events import _line
    from microwamp.cli.router import _COLOURS, _FORMS

    text = _line("dropped", {"peer": "tcp:\x1b[2J", "message": "m"}, _COLOURS["dropped"], _FORMS)
    assert "\x1b[31mdropped" in text and "tcp:?[2J: m" in text
    assert "\x1b" not in _line("dropped", {"peer": "p", "message": "m"}, None, _FORMS)
    # Without a form: the plain words first, the others by name, what is empty not at all.
    text = _line("device", {"port": "tty", "state": "up", "software": "x", "gone": None}, None, {})
    assert text.endswith("device    tty up software=x")
