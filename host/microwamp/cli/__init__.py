"""The command `microwamp`: one module a subcommand, loaded only when it is used.

A module has `arguments(parser)`, which adds its arguments, and `run(options) -> int`. Errors of
the tree `wamp.errors` become one line on stderr and an exit status:

| status | meaning                                                                  |
|--------|--------------------------------------------------------------------------|
| 0      | it worked                                                                |
| 1      | an application error (a WAMP ERROR), or one of our own                   |
| 2      | usage or configuration: nothing was tried                                |
| 3      | the transport: cannot connect or listen, connection lost or not WAMP     |
| 4      | the router refused: login, realm, or it ended the session                |
| 5      | timed out                                                                |
| 130    | interrupted                                                              |

MICROWAMP_DEBUG=1 in the environment adds the traceback.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from wamp import errors

from .. import __version__

# name: (module, help)
COMMANDS = {
    "ports": ("microwamp.cli.ports", "list the boards on this machine's ports"),
    "flash": ("microwamp.cli.flash", "put MicroPython on a board"),
    "deploy": ("microwamp.cli.deploy", "put the library and the application on a board"),
    "provision": ("microwamp.cli.provision", "make a board's key, on the board"),
    "bridge": ("microwamp.cli.bridge", "connect boards on serial ports to a router"),
    "monitor": ("microwamp.cli.monitor", "show a bridge's devices live, type to their consoles"),
    "trace": ("microwamp.cli.trace", "decode a device's messages as they pass a bridge"),
    "router": ("microwamp.cli.router", "run the embedded WAMP router"),
    "keygen": ("microwamp.cli.keygen", "make an Ed25519 key file for cryptosign"),
    "call": ("microwamp.cli.call", "call a procedure and print its result"),
    "publish": ("microwamp.cli.publish", "publish an event"),
    "subscribe": ("microwamp.cli.subscribe", "print the events of a topic"),
    "register": ("microwamp.cli.register", "register a procedure and answer its calls"),
}

OK, FAILED, USAGE, TRANSPORT, REFUSED, TIMEOUT, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

_EPILOG = """exit status:
  0    it worked
  1    an application error (a WAMP ERROR), or one of our own
  2    usage or configuration: nothing was tried
  3    the transport: cannot connect or listen, connection lost or not WAMP
  4    the router refused: login, realm, or it ended the session
  5    timed out
  130  interrupted

MICROWAMP_DEBUG=1 in the environment adds the traceback to an error.
"""

# In this order: what is derived stands before what it is derived from.
_STATUS: tuple[tuple[type[BaseException], int], ...] = (
    (errors.ConfigurationError, USAGE),
    (errors.LocalProtocolError, USAGE),
    (errors.ApplicationError, FAILED),
    (errors.SessionAborted, REFUSED),
    (errors.AuthenticationError, REFUSED),
    (errors.TransportError, TRANSPORT),
    (errors.RemoteProtocolError, TRANSPORT),
    (errors.RequestTimeout, TIMEOUT),
    (errors.Error, FAILED),
)


def status(error: BaseException) -> int:
    """The exit status that stands for an exception."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    for kind, number in _STATUS:
        if isinstance(error, kind):
            return number
    return FAILED


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    try:
        done = _run(list(sys.argv[1:] if argv is None else argv))
        if sys.stdout is not None:
            sys.stdout.flush()
        return done
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not find that out again at exit.
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _run(words: list[str]) -> int:
    name = "microwamp"
    try:
        if not words or words[0] not in COMMANDS:
            _top(words)
            return OK
        name = f"microwamp {words[0]}"
        module, text = COMMANDS[words[0]]
        command = importlib.import_module(module)
        parser = argparse.ArgumentParser(
            prog=name,
            description=text[0].upper() + text[1:] + ".",
            epilog=_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.arguments(parser)
        return int(command.run(parser.parse_args(words[1:])))
    except SystemExit as e:
        # argparse has said what there is to say.
        return e.code if isinstance(e.code, int) else OK if e.code is None else USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as e:
        from wamp.transport import explain  # not above: it loads asyncio

        print(f"{name}: {explain(e)}", file=sys.stderr)
        return FAILED
    except Exception as e:
        if os.environ.get("MICROWAMP_DEBUG") == "1":
            import traceback

            traceback.print_exc()
        print(f"{name}: {_sentence(e)}", file=sys.stderr)
        return status(e)


def _sentence(error: Exception) -> str:
    """One line, whatever is in the text of the error."""
    text = " ".join(str(error).split())
    # Parts of it may come from a router or a device: no control characters onto the terminal.
    text = "".join(c if c.isprintable() else "?" for c in text)
    if isinstance(error, errors.Error):
        return text or type(error).__name__
    return f"internal error: {type(error).__name__}: {text} (MICROWAMP_DEBUG=1 shows where)"


def _top(words: list[str]) -> None:
    """The command line without a command: help, version, or what is wrong with it."""
    width = max(len(name) for name in COMMANDS)
    listing = "\n".join(f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="microwamp",
        usage="microwamp COMMAND [ARGUMENT ...]",
        description=f"WAMP for microcontrollers.\n\ncommands:\n{listing}\n\n"
        "microwamp COMMAND --help tells more.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"microwamp {__version__}")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    options, _ = parser.parse_known_args(words)
    if options.command is not None:
        known = ", ".join(COMMANDS)
        parser.error(f"unknown command {options.command}; known: {known}")
    if words:
        parser.parse_args(words)  # an option that is not known
    parser.print_help()
    if not words:
        parser.exit(USAGE)
