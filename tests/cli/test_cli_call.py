"""`microwamp call` and `microwamp publish`: arguments, results, errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from commands import (
    PYTHON,
    WELCOME,
    RouterProcess,
    Running,
    environment,
    microwamp,
    scripted,
    serving,
    tidy,
)

# (words after the procedure, what is printed)
PRINTED = [
    ([], ""),
    (["null"], ""),
    (["3"], "3\n"),
    (["-3"], "-3\n"),
    (["1.5"], "1.5\n"),
    (["true"], "true\n"),
    (["hello"], "hello\n"),
    (["é"], "é\n"),
    ([""], "\n"),
    (["two\nlines\tand a tab"], "two\nlines\tand a tab\n"),
    (['"\\u001b]0;title\\u0007\\r"'], "\\u001b]0;title\\u0007\\r\n"),
    (["@hex:00ff"], "@hex:00ff\n"),
    (['["a\\nb", "\\u0000AAEC"]'], '["a\\nb", "\\u0000AAEC"]\n'),
    (["1", "two", "[3]"], '1\n"two"\n[3]\n'),
    (["--kw", "a=1", "--kw", "b=x"], 'a=1\nb="x"\n'),
    (["1", "--kw", "a=1", "two", "--timeout", "9", "3"], '1\n"two"\n3\na=1\n'),
    (["--kw", "a=1", "--", "-x", "--json"], '"-x"\n"--json"\na=1\n'),
    (["--kw", "\x1b=1"], "\\u001b=1\n"),
]


def test_results_for_people(url: str, echo: str):
    for words, printed in PRINTED:
        assert microwamp("call", "--url", url, echo, *words) == (0, printed, ""), words


def test_results_as_json(url: str, echo: str, tmp_path: Path):
    path = tmp_path / "octets"
    path.write_bytes(b"\xff\x00")
    words = ["1", "x", '"\\u0000AAEC"', f"@file:{path}", "@text:1", "--kw", 'k=["\\u007f"]']
    found = microwamp("call", echo, *words, "--json", env={"MICROWAMP_URL": url})
    assert found.status == 0 and found.err == ""
    assert json.loads(found.out) == {
        "args": [1, "x", "\0AAEC", "\0/wA=", "1"],
        "kwargs": {"k": ["\x7f"]},
    }
    assert found.out.isascii() and found.out.strip().isprintable() and found.out.count("\n") == 1
    nothing = microwamp("call", "--url", url, echo, "--json")
    assert json.loads(nothing.out) == {"args": [], "kwargs": {}}


def test_text_that_the_terminal_cannot_show(url: str, echo: str):
    env = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    assert microwamp("call", "--url", url, echo, "é", env=env) == (0, "\\xe9\n", "")


def test_file_of_octets_from_stdin(url: str, echo: str):
    found = microwamp("call", "--url", url, echo, "@file:/dev/stdin", stdin="abc")
    assert found == (0, "@hex:616263\n", "")


def test_errors_of_the_router_and_of_the_callee(url: str):
    found = microwamp("call", "--url", url, "com.example.nobody")
    assert found.status == 1 and found.out == "" and found.err.count("\n") == 1
    assert "wamp.error.no_such_procedure" in found.err
    script = "import sys; sys.stderr.write('first\\nsecond \\x1b[31m\\n\\n'); sys.exit(7)"
    with Running("register", "--url", url, "com.example.fails", *PYTHON, script) as one:
        one.wait("registered", one.err)
        found = microwamp("call", "--url", url, "com.example.fails", "--json")
    assert found.status == 1 and found.err.count("\n") == 1
    assert "wamp.error.runtime_error: second \\u001b[31m, status=7" in found.err
    assert json.loads(found.out) == {
        "error": "wamp.error.runtime_error",
        "args": ["second \x1b[31m"],
        "kwargs": {"status": 7},
    }


def test_not_authorized(url: str):
    for words in (["call"], ["publish"], ["subscribe"], ["register", "--echo"]):
        found = microwamp(*words, "--url", url, "com.closed.x")
        assert found.status == 1 and "wamp.error.not_authorized" in found.err, words
        assert found.out == "" and found.err.count("\n") == 1
    # Without confirmation nobody tells.
    found = microwamp("publish", "--url", url, "com.closed.x", "--no-acknowledge")
    assert found == (0, "", "")


def test_output_that_cannot_be_written(url: str, echo: str):
    with open("/dev/full", "w") as full:
        found = microwamp("call", "--url", url, echo, "1", out=full)
    assert found.status == 1 and "cannot write to stdout: No space left" in found.err
    reader, writer = os.pipe()
    os.close(reader)
    try:
        found = microwamp("call", "--url", url, echo, "1", out=writer)
    finally:
        os.close(writer)
    assert found == (1, "", "")


def test_without_stdout(url: str, echo: str):
    words = ["-m", "microwamp", "call", "--url", url, echo, "1"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" >&-', sys.executable, *words],
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
        timeout=60,
    )
    assert (done.returncode, tidy(done.stderr)) == (0, "")


def test_interrupted(url: str):
    with Running("register", "--url", url, "com.example.sleeps", "sleep", "60") as callee:
        callee.wait("registered", callee.err)
        with Running("call", "--url", url, "com.example.sleeps") as caller:
            time.sleep(0.7)  # the call says nothing while it waits
            assert caller.stop(signal.SIGINT) == (130, "", "")


def test_callee_that_does_not_answer(url: str):
    with Running("register", "--url", url, "com.example.slow", "sleep", "60") as callee:
        callee.wait("registered", callee.err)
        found = microwamp("call", "--url", url, "com.example.slow", "--timeout", "0.5")
        assert found.status == 5 and "com.example.slow: no answer within 0.5 s" in found.err


def test_router_that_ends_in_the_middle_of_a_call(tmp_path: Path):
    # (signal for the router, status of the call, words of its error)
    for number, status, words in (
        (signal.SIGTERM, 4, "wamp.close.system_shutdown"),
        (signal.SIGKILL, 3, "the router closed the connection"),
    ):
        listen = f"rs://unix:{tmp_path}/{number}"
        with RouterProcess("--anonymous", "--listen", listen) as router:
            with Running("register", "--url", listen, "com.example.f", "sleep", "60") as callee:
                callee.wait("registered", callee.err)
                with Running("call", "--url", listen, "com.example.f") as caller:
                    router.wait("joined", count=2)
                    time.sleep(0.3)
                    router.stop(number)
                    found = caller.end()
                    assert (found.status, found.out) == (status, ""), found
                    assert words in found.err and found.err.count("\n") == 1
                callee.stop()


def test_what_a_hostile_router_sends_stays_on_its_line():
    evil = "\x1b]0;pwned\x07\x1b[2J\r\n\x9b31m"
    abort = [3, {"message": evil}, "com.evil." + evil]
    error = [8, 48, 1, {}, "com.evil." + evil, [evil, {evil: [evil]}], {evil: evil}]
    result = [50, 1, {}, [evil, {evil: evil}], {evil: evil}]
    # (what the router answers, status)
    for answers, status in (
        ([abort], 4),
        ([WELCOME, abort], 4),
        ([WELCOME, [6, {"message": evil}, evil]], 4),
        ([WELCOME, error], 1),
        ([WELCOME, result, [6, {}, "wamp.close.goodbye_and_out"]], 0),
        ([[2, 1, {"roles": {"broker": {}}}], b"\xff" + evil.encode()], 3),
        ([WELCOME, [evil]], 3),
        ([[4, evil, {}]], 4),
    ):
        with serving(scripted(*answers)) as address:
            found = microwamp("call", "--url", f"rs://{address}", "com.example.f")
        assert found.status == status, found
        assert all(c == "\n" or c.isprintable() for c in found.out), found
        assert found.err.count("\n") == (status != 0), found


def test_publish(url: str):
    with Running("subscribe", "--url", url, "com.example.news") as one:
        one.wait("subscribed", one.err)
        found = microwamp("publish", "--url", url, "com.example.news", "1", "--kw", "a=x", "[2]")
        assert found.status == 0 and found.err == "" and int(found.out) > 0
        one.wait('com.example.news 1 [2] a="x"')
        found = microwamp("publish", "--url", url, "com.example.news", "--json")
        assert found.status == 0 and json.loads(found.out)["publication"] > 0
        found = microwamp("publish", "--url", url, "com.example.news", "2", "--no-acknowledge")
        assert found == (0, "", "")
        one.wait("com.example.news 2")
        found = microwamp(
            "publish", "--url", url, "com.example.news", "--no-acknowledge", "--json"
        )
        assert found == (0, '{"publication": null}\n', "")
        one.wait("com.example.news", count=4)
