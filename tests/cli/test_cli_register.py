"""`microwamp register`: commands that answer calls, their errors and bounds."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path

from commands import PYTHON, RouterProcess, Running, microwamp

from microwamp_rig.process import gone

ARGV = "import sys; print(sys.argv[1:])"


def call(url: str, procedure: str, *words: str) -> tuple[int, str, str]:
    return microwamp("call", "--url", url, procedure, *words)


def register(url: str, procedure: str, *words: str) -> Running:
    """A callee that is ready; words: what follows PROCEDURE."""
    one = Running("register", "--url", url, procedure, *words)
    one.wait("registered", one.err)
    return one


def test_arguments_follow_those_of_the_command(url: str):
    # (words of the call, what the command finds behind its own)
    with register(url, "com.reg.argv", *PYTHON, ARGV, "own", "--") as one:
        for words, argv in (
            ([], []),
            (["a b", "-x", "$(id)", "'"], ["a b", "-x", "$(id)", "'"]),
            (["1", "null", "[1.5]", "@hex:00"], ["1", "null", "[1.5]", '"\\u0000AA=="']),
            (["é", '"3"'], ["é", "3"]),
        ):
            # A word that begins with a dash needs its -- here as well.
            found = call(url, "com.reg.argv", "--", *words)
            assert found == (0, f"{['own', '--', *argv]}\n", ""), words
        found = call(url, "com.reg.argv", "--kw", "a=1")
        assert found[0] == 1 and "wamp.error.invalid_argument" in found[2]
        found = call(url, "com.reg.argv", '"a\\u0000"')
        assert found[0] == 1 and "wamp.error.invalid_argument" in found[2]
        one.wait('com.reg.argv 1 null [1.5] @hex:00 -> "[')
        one.wait("com.reg.argv a=1 -> wamp.error.invalid_argument: ")


def test_arguments_on_stdin(url: str):
    script = "import json, sys; d = json.load(sys.stdin); print(json.dumps([sys.argv[1:], d]))"
    with register(url, "com.reg.stdin", "--stdin", "--", *PYTHON, script, "own"):
        found = microwamp(
            "call", "--url", url, "com.reg.stdin", "1", "x", "--kw", "k=@hex:ff", "--json"
        )
    assert json.loads(found.out)["args"] == [
        [["own"], {"args": [1, "x"], "kwargs": {"k": "\0/w=="}}]
    ]
    with register(url, "com.reg.deaf", "--stdin", "true"):
        assert call(url, "com.reg.deaf", "x" * 100_000) == (0, "", "")


def test_results(url: str):
    # (what the command writes, what the call prints)
    with register(url, "com.reg.result", *PYTHON, "import sys; exec(sys.argv[1])"):
        for octets, printed in (
            (b"", ""),
            (b"\n", ""),
            (b"3", "3\n"),
            (b'[1, {"a": null}]\n', '[1, {"a": null}]\n'),
            (b"hello\n", "hello\n"),
            (b"two\nlines\n", "two\nlines\n"),
            (b"\xff\x00", "@hex:ff00\n"),
            (b'"\\u0000AAEC"', "@hex:000102\n"),
            (b"NaN", "NaN\n"),
        ):
            script = f"sys.stdout.buffer.write({octets!r})"
            assert call(url, "com.reg.result", script) == (0, printed, ""), octets


def test_failures(url: str):
    # (script, URI, what the error says)
    with register(url, "com.reg.fails", *PYTHON, "import os, sys; exec(sys.argv[1])") as one:
        for script, uri, text in (
            ("sys.exit('why')", "wamp.error.runtime_error", "why, status=1"),
            ("os._exit(3)", "wamp.error.runtime_error", "exit status 3, status=3"),
            ("os.kill(os.getpid(), 9)", "wamp.error.runtime_error", "killed by signal 9"),
            ("print('\"\\\\u0000x\"')", "wamp.error.runtime_error", "base64"),
            ("print('x' * (1 << 25))", "wamp.error.payload_size_exceeded", "16777215 octets"),
        ):
            status, out, err = call(url, "com.reg.fails", script)
            assert (status, out) == (1, "") and err.count("\n") == 1, (script, err)
            assert uri in err and text in err, (script, err)
            one.wait(f"-> {uri}")


def test_command_that_takes_too_long(url: str, tmp_path: Path):
    child = tmp_path / "child"
    script = (
        "import subprocess, sys; child = subprocess.Popen(['sleep', '100']); "
        "open(sys.argv[1], 'w').write(str(child.pid))"
    )
    # The command itself ends at once; its child holds on to stdout and must not outlive the call.
    with register(url, "com.reg.long", "--limit", "0.7", *PYTHON, script, str(child)) as one:
        found = call(url, "com.reg.long")
        assert found[0] == 1 and "wamp.error.timeout" in found[2] and "0.7 s" in found[2]
        one.wait("-> wamp.error.timeout")
        until(lambda: gone(int(child.read_text())))


def test_no_more_commands_at_a_time_than_allowed(url: str, tmp_path: Path):
    script = (
        "import os, sys, time; p = sys.argv[1]; os.makedirs(p, exist_ok=True); "
        "f = os.path.join(p, str(os.getpid())); open(f, 'w'); time.sleep(0.3); "
        "n = len(os.listdir(p)); os.unlink(f); print(n)"
    )
    words = ["--concurrency", "2", *PYTHON, script, str(tmp_path / "running")]
    with register(url, "com.reg.bound", *words):
        seen: list[tuple[int, str, str]] = []
        calls = [
            threading.Thread(target=lambda: seen.append(call(url, "com.reg.bound")))
            for _ in range(5)
        ]
        for one in calls:
            one.start()
        for one in calls:
            one.join(60)
    assert len(seen) == 5 and all(found[0] == 0 for found in seen), seen
    assert max(int(found[1]) for found in seen) <= 2, seen


def test_echo_and_value(url: str):
    with register(url, "com.reg.echo", "--echo"):
        assert call(url, "com.reg.echo", "1", "2", "--kw", "a=3") == (0, "1\n2\na=3\n", "")
    # (VALUE, what a call prints)
    for value, printed in (("[1, 2]", "[1, 2]\n"), ("@hex:00", "@hex:00\n"), ("null", "")):
        with register(url, "com.reg.value", "--value", value):
            assert call(url, "com.reg.value", "x", "--kw", "y=1") == (0, printed, "")


def test_log_as_json(url: str):
    with register(url, "com.reg.log", "--json", "--echo") as one:
        call(url, "com.reg.log", "\x1b", "--kw", "a=@hex:00")
        payload = {"args": ["\x1b"], "kwargs": {"a": "\0AA=="}}
        found = json.loads(one.wait("{"))
        assert found == {"procedure": "com.reg.log", **payload, "result": payload}
    with register(url, "com.reg.log", "--json", "false") as one:
        call(url, "com.reg.log")
        assert json.loads(one.wait("{"))["error"] == {
            "error": "wamp.error.runtime_error",
            "args": ["exit status 1"],
            "kwargs": {"status": 1},
        }


def test_secrets_are_not_for_the_command(url: str):
    script = (
        "import os; e = os.environ; "
        "print(e['MICROWAMP_PROCEDURE'], 'MICROWAMP_SECRET' in e, 'MICROWAMP_TICKET' in e)"
    )
    env = {
        "MICROWAMP_URL": url,
        "MICROWAMP_REALM": "locked",
        "MICROWAMP_AUTHID": "bob",
        "MICROWAMP_SECRET": "secret-of-bob",
        "MICROWAMP_TICKET": "x",
    }
    clear = "--allow-clear"
    with Running("register", clear, "com.reg.env", *PYTHON, script, env=env) as one:
        one.wait("registered", one.err)
        found = microwamp("call", clear, "com.reg.env", env=env)
        assert found == (0, "com.reg.env False False\n", "")


def test_procedure_that_is_taken(url: str, echo: str):
    found = microwamp("register", "--url", url, "--echo", echo)
    assert found.status == 1 and "wamp.error.procedure_already_exists" in found.err
    assert found.out == "" and found.err.count("\n") == 1


def test_end_kills_what_runs(url: str, tmp_path: Path):
    for number in (signal.SIGINT, signal.SIGTERM):
        child = tmp_path / f"child{number}"
        words = ["sh", "-c", f"sleep 100 & echo $! >{child}.new; mv {child}.new {child}; wait"]
        with register(url, "com.reg.end", *words) as one:
            with Running("call", "--url", url, "com.reg.end") as caller:
                until(child.exists)
                assert one.stop(number).status == 0
                until(lambda child=child: gone(int(child.read_text())))
                assert caller.end().status == 1


def until(condition) -> None:
    """Wait until the condition holds; fails after a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_restart_of_the_router(tmp_path: Path):
    listen = f"rs://unix:{tmp_path}/router"
    with RouterProcess("--anonymous", "--listen", listen) as router:
        one = register(listen, "com.reg.again", "--echo")
        router.stop()
    with one:
        one.wait("session lost", one.err)
        with RouterProcess("--anonymous", "--listen", listen):
            one.wait("joined again", one.err)
            assert call(listen, "com.reg.again", "1") == (0, "1\n", "")
            assert one.stop().status == 0
