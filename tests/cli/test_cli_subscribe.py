"""`microwamp subscribe`: lines, ends, restarts of the router."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from commands import (
    PATIENCE_S,
    WELCOME,
    RouterProcess,
    Running,
    environment,
    microwamp,
    scripted,
    serving,
    tidy,
)

GOODBYE = [6, {}, "wamp.close.goodbye_and_out"]


def test_lines_and_signals(url: str):
    for number in (signal.SIGINT, signal.SIGTERM):
        with Running("subscribe", "com.example.lines", "--url", url) as one:
            assert one.wait("subscribed", one.err) == "microwamp: subscribed to com.example.lines"
            assert (
                microwamp(
                    "publish", "com.example.lines", "--url", url, "1", "a\nb", "@hex:00",
                    "--kw", "é=\x1b[31m",
                ).status == 0
            )  # fmt: skip
            one.wait('com.example.lines 1 "a\\nb" @hex:00 é="\\u001b[31m"')
            assert microwamp("publish", "com.example.lines", "--url", url).status == 0
            one.wait("com.example.lines", count=2)
            found = one.stop(number)
            assert found.status == 0 and found.out.splitlines()[1] == "com.example.lines"
            assert found.err == "microwamp: subscribed to com.example.lines\n"


def test_json(url: str):
    with Running("subscribe", "com.example.json", "--url", url, "--json", "--count", "1") as one:
        one.wait("subscribed", one.err)
        found = microwamp("publish", "com.example.json", "--url", url, "@hex:00", "--kw", "a=\x7f")
        event = json.loads(one.wait("{"))
        assert event == {
            "topic": "com.example.json",
            "publication": int(found.out),
            "args": ["\0AA=="],
            "kwargs": {"a": "\x7f"},
            "details": {},
        }
        assert one.end().status == 0


def test_patterns(url: str):
    for match, pattern in (("prefix", "com.patt"), ("wildcard", "com..here")):
        with Running("subscribe", pattern, "--match", match, "--url", url, "--count", "2") as one:
            one.wait("subscribed", one.err)
            for topic in ("com.pattern.here.not", "com.pattern.here", "com.pattens.here"):
                assert microwamp("publish", topic, "1", "--url", url).status == 0
            found = one.end()
            assert found.status == 0
            assert "com.pattern.here 1" in found.out.splitlines()


def test_count_and_duration(url: str):
    began = time.monotonic()
    words = ["subscribe", "--url", url, "--duration", "0.3", "com.example.never"]
    found = microwamp(*words)
    assert (found.status, found.out) == (0, "")
    found = microwamp(*words, "--count", "1")
    assert (found.status, found.out) == (5, "")
    assert time.monotonic() - began > 0.6


def test_retained(url: str):
    words = ["--url", url, "com.example.retained"]
    assert microwamp("publish", *words, "--retain", "kept").status == 0
    found = microwamp("subscribe", *words, "--get-retained", "--count", "1")
    assert (found.status, found.out) == (0, 'com.example.retained "kept"\n')
    found = microwamp("subscribe", *words, "--duration", "0.2")
    assert (found.status, found.out) == (0, "")


def test_reader_that_has_enough(url: str):
    with subprocess.Popen(
        [sys.executable, "-m", "microwamp", "subscribe", "com.example.pipe", "--url", url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            assert "subscribed" in process.stderr.readline()
            assert microwamp("publish", "com.example.pipe", "--url", url).status == 0
            assert process.stdout.readline() == "com.example.pipe\n"
            process.stdout.close()
            assert microwamp("publish", "com.example.pipe", "--url", url).status == 0
            assert process.wait(PATIENCE_S) == 1
            assert tidy(process.stderr.read()) == ""
        finally:
            process.kill()


def test_restarts_of_the_router(tmp_path: Path):
    listen = f"rs://unix:{tmp_path}/router"
    words = ["--url", listen, "com.example.again"]
    with Running("subscribe", *words) as one:
        found = one.end()
        assert found.status == 3 and "it does not exist" in found.err, "waits for the first router"
    with RouterProcess("--anonymous", "--listen", listen) as router:
        one = Running("subscribe", *words)
        one.wait("subscribed", one.err)
        router.stop()
    with one:
        for i, number in ((1, signal.SIGKILL), (2, signal.SIGTERM)):
            one.wait("session lost", one.err, count=i)
            with RouterProcess("--anonymous", "--listen", listen) as router:
                one.wait("joined again", one.err, count=i)
                assert microwamp("publish", *words, str(i)).status == 0
                one.wait(f"com.example.again {i}")
                router.stop(number)
        one.wait("session lost", one.err, count=3)
        found = one.stop()
        assert found.status == 0 and found.out.count("\n") == 2
        for line in found.err.splitlines():
            assert line.startswith("microwamp: ") and "\x1b" not in line


def test_a_later_session_that_refuses_the_subscription():
    refused = [8, 32, 1, {}, "wamp.error.not_authorized"]
    first = True

    def talk(connection):
        nonlocal first
        answers = [WELCOME, [33, 1, 7]] if first else [WELCOME, refused, GOODBYE]
        first = False
        scripted(*answers)(connection)

    with (
        serving(talk) as address,
        Running("subscribe", "com.example.t", "--url", f"rs://{address}") as one,
    ):
        found = one.end()
    assert found.status == 1 and "joined again" in found.err
    assert found.err.splitlines()[-1] == "microwamp subscribe: wamp.error.not_authorized"


def test_interrupted_before_there_is_a_session():
    came = threading.Event()

    def hears_hello(connection: socket.socket) -> None:
        connection.recv(4)
        connection.sendall(b"\x7f\xf3\0\0")
        connection.recv(65536)
        came.set()
        connection.recv(1)  # until it is closed

    with (
        serving(hears_hello) as address,
        Running("subscribe", "com.example.t", "--url", f"rs://{address}") as one,
    ):
        assert came.wait(PATIENCE_S)
        assert one.stop() == (130, "", "")


def test_events_of_a_hostile_router():
    evil = "\x1b]0;x\x07\r\n"
    event = [36, 7, 1, {"topic": evil, evil: evil}, [evil, {evil: 1}], {evil: 2}]
    for words in ([], ["--json"]):
        with serving(scripted(WELCOME, ([33, 1, 7], event, event), GOODBYE)) as address:
            found = microwamp(
                "subscribe", "com.t", "--url", f"rs://{address}", "--count", "2", *words
            )
        assert found.status == 0 and found.out.count("\n") == 2, found
        assert all(c == "\n" or c.isprintable() for c in found.out), found
