"""Runs the tests of one file on the interpreter it is started with: run_tests.py FILE [NAME ...]

Stands on MicroPython (CPython too): the tests are the functions `test_*` at the top level, in the
order of the source, called without arguments; one that returns a coroutine is awaited, for
LIMIT_S seconds at most. What comes out, a line each:

    run NAME            the test begins; what it prints comes after this line
    ok NAME             it returned
    FAIL NAME           it raised; the traceback follows,
    | ...               each of its lines with this in front
    done N              the end: N tests were run. Without this line the interpreter died.

Exit status 0 if every test passed, else 1.
"""

import asyncio
import gc
import io
import sys

LIMIT_S = 10


def test_names(path):
    """The test functions of a source file, in its order: MicroPython's dicts keep none."""
    names = []
    with open(path) as source:
        for line in source:
            for start in ("def test_", "async def test_"):
                if line.startswith(start):
                    names.append(line[len(start) - 5 : line.index("(")].strip())
    return names


def traceback_of(error):
    """The traceback as text."""
    text = io.StringIO()
    if hasattr(sys, "print_exception"):
        sys.print_exception(error, text)
    else:
        import traceback

        traceback.print_exception(error, file=text)
    return text.getvalue()


async def bounded(coroutine):
    """Awaits a coroutine for LIMIT_S seconds."""
    await asyncio.wait_for(coroutine, LIMIT_S)


def call(test):
    """Runs one test; returns what went wrong as text, "" if nothing."""
    try:
        result = test()
        if hasattr(result, "send"):
            asyncio.run(bounded(result))
    except KeyboardInterrupt:
        raise
    except asyncio.TimeoutError as error:
        return traceback_of(error) + "(a test has %d s)" % LIMIT_S
    except BaseException as error:  # SystemExit, CancelledError: a test may not end the run
        return traceback_of(error)
    finally:
        if sys.implementation.name == "micropython":
            # Its loop is one for all: tasks that a test left behind are not the next one's.
            asyncio.new_event_loop()
    return ""


def main(path, names):
    """Runs the named tests of a file, all without names; returns the exit status."""
    folder, _, file = path.rpartition("/")
    sys.path[0] = folder or "."  # in the place of this script's own folder
    known = test_names(path)
    for name in names:
        if name not in known:
            raise ValueError("no test " + name + " in " + path)
    module = __import__(file[:-3] if file.endswith(".py") else file)
    failed = 0
    count = 0
    for name in names or known:
        gc.collect()
        print("run " + name)
        text = call(getattr(module, name))
        count += 1
        if text:
            failed += 1
            print("FAIL " + name)
            for line in text.rstrip().split("\n"):
                print("| " + line)
        else:
            print("ok " + name)
    print("done %d" % count)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
