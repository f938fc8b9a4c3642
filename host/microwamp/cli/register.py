"""`microwamp register PROCEDURE COMMAND ...`: offers a procedure that a command answers."""

import argparse
import asyncio
import shutil
from collections.abc import Awaitable, Callable
from typing import Any

from wamp import Client, Declaration, Result
from wamp.errors import ApplicationError, ConfigurationError
from wamp.messages import check_uri

from . import connect, standing, values
from .program import Program

_USAGE = "microwamp register [OPTION ...] PROCEDURE (COMMAND [ARG ...] | --echo | --value VALUE)"

_ANSWERS = """answers:
  COMMAND is run for each call, without a shell. The arguments of the call follow its own: text as
  it is, all else as JSON; keyword arguments are refused. Where one could be taken for an option,
  end COMMAND with -- or use --stdin, which gives {"args": [...], "kwargs": {...}} instead.
  Its stdout is the result: nothing, JSON, text, or octets where it is not UTF-8. Another exit
  status than 0 is the error wamp.error.runtime_error with the last line of its stderr.

output:
  one line a call: PROCEDURE ARG ... -> RESULT; what happens to the session is told on stderr.
  --json: {"procedure": ..., "args": [...], "kwargs": {...}} with "result" (as call --json has it)
  or "error".

SIGINT and SIGTERM end it, with status 0; commands that still run are killed.
"""

Answer = Callable[[tuple[Any, ...], dict[str, Any]], Awaitable[Any]]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.usage = _USAGE
    # From the first word on all is COMMAND's own; `run` finds options right after PROCEDURE.
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.set_defaults(parser=parser)
    parser.add_argument(
        "--echo", action="store_true", help="answer with the arguments, in place of COMMAND"
    )
    parser.add_argument(
        "--value", metavar="VALUE", help="answer with VALUE (as ARG of call), in place of COMMAND"
    )
    parser.add_argument(
        "--stdin",
        action="store_true",
        help="give COMMAND the arguments as one JSON object on its stdin",
    )
    parser.add_argument(
        "--concurrency",
        type=connect.count,
        default=4,
        metavar="N",
        help="commands that run at a time, further calls wait (default: 4)",
    )
    parser.add_argument(
        "--limit",
        type=connect.seconds,
        default=60.0,
        metavar="SECONDS",
        help="kill a command that takes longer; wamp.error.timeout (default: 60)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    connect.arguments(parser, "how long it may take until the router has confirmed")
    connect.epilog(parser, _ANSWERS, connect.ENVIRONMENT)


def run(options: argparse.Namespace) -> int:
    """Answer calls; raises what the client raises before the first session."""
    procedure, command = _words(options)
    check_uri(procedure, "procedure")
    answer = _answer(options, procedure, command)

    def declare(client: Client, over: "asyncio.Future[int]") -> Declaration:
        async def answered(*args: Any, **kwargs: Any) -> Any:
            shown: dict[str, Any] = {"procedure": procedure, "args": args, "kwargs": kwargs}
            try:
                result = await answer(args, kwargs)
            except ApplicationError as e:
                error = {"error": e.error, "args": e.args, "kwargs": e.kwargs}
                _tell(options, over, {**shown, "error": error}, values.failure(e))
                raise
            plain = isinstance(result, Result)
            gave: dict[str, Any] = {
                "args": result.args if plain else [] if result is None else [result],
                "kwargs": result.kwargs if plain else {},
            }
            line = values.line(gave["args"], gave["kwargs"])
            _tell(options, over, {**shown, "result": gave}, line)
            return result

        return client.register(procedure, answered)

    return standing.run(options, declare, f"registered {procedure}")


def _words(options: argparse.Namespace) -> tuple[str, list[str]]:
    """PROCEDURE and COMMAND; options between the two are taken in."""
    parser: argparse.ArgumentParser = options.parser
    words: list[str] = options.words
    if words[:1] == ["--"]:
        del words[0]
    if not words:
        parser.error("the following arguments are required: PROCEDURE")
    procedure = words[0]
    command = words[1:]
    if command and command[0] != "--" and command[0].startswith("-"):
        parser.parse_args(command, options)
        command = options.words
    if command[:1] == ["--"]:
        command = command[1:]
    return procedure, command


def _answer(options: argparse.Namespace, procedure: str, command: list[str]) -> Answer:
    if (bool(command) + options.echo + (options.value is not None)) != 1:
        raise ConfigurationError("one of COMMAND, --echo and --value needed")
    if options.echo:

        async def echo(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            result = Result(*args)
            result.kwargs = kwargs
            return result

        return echo
    if options.value is not None:
        value = values.read(options.value)

        async def constant(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return value

        return constant
    if shutil.which(command[0]) is None:
        raise ConfigurationError(f"there is no command {command[0]}, or it cannot be run")
    program = Program(command, options.stdin, options.limit, {"MICROWAMP_PROCEDURE": procedure})
    turn = asyncio.Semaphore(options.concurrency)

    async def answer(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        async with turn:
            return await program.run(args, kwargs)

    return answer


def _tell(
    options: argparse.Namespace, over: "asyncio.Future[int]", call: dict[str, Any], outcome: str
) -> None:
    if over.done():
        return
    try:
        if options.json:
            values.emit(values.dumps(call))
        else:
            asked = f"{values.safe(call['procedure'])} {values.line(call['args'], call['kwargs'])}"
            values.emit(f"{values.cut(asked.rstrip())} -> {values.cut(outcome)}".rstrip())
    except Exception as e:
        over.set_exception(e)
