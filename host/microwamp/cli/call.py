"""`microwamp call PROCEDURE [ARG ...]`: calls a procedure and prints its result."""

import argparse
from typing import Any

from wamp import Client, Result
from wamp.errors import ApplicationError
from wamp.messages import check_uri

from . import OK, connect, values

_OUTPUT = """output:
  nothing for a procedure that returns nothing; text as it is, octets as @hex:, all else as JSON;
  of several results one a line, of those with a name NAME=VALUE.
  --json: {"args": [...], "kwargs": {...}}, an error {"error": URI, "args": ..., "kwargs": ...};
  octets are strings of \\u0000 and base64.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("procedure", metavar="PROCEDURE", help="URI of the procedure")
    connect.payload(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    connect.arguments(parser, "how long all of it may take, from connecting to the result")
    connect.epilog(parser, values.HELP, _OUTPUT, connect.ENVIRONMENT)


def run(options: argparse.Namespace) -> int:
    """Call; raises what the client raises."""
    check_uri(options.procedure, "procedure")
    args = [values.read(word) for word in options.args]
    kwargs = values.keywords(options.kw)

    async def work(client: Client) -> int:
        try:
            result = await client.call(options.procedure, *args, kwargs=kwargs or None)
        except ApplicationError as e:
            if options.json:
                failed = {"error": e.error, "args": e.args, "kwargs": e.kwargs}
                values.emit(values.dumps(failed))
            raise
        _print(result, options.json)
        return OK

    return connect.run(options, options.procedure, work)


def _print(result: Any, as_json: bool) -> None:
    if isinstance(result, Result):
        args, kwargs = list(result.args), result.kwargs
    else:
        args, kwargs = [] if result is None else [result], {}
    if as_json:
        values.emit(values.dumps({"args": args, "kwargs": kwargs}))
    elif len(args) == 1 and not kwargs and isinstance(args[0], str):
        # A text may have lines; nothing else of it reaches the terminal.
        values.emit(values.safe(args[0], keep="\n\t"))
    else:
        for one in args:
            values.emit(values.plain(one))
        for name, one in kwargs.items():
            values.emit(f"{values.safe(name)}={values.plain(one)}")
