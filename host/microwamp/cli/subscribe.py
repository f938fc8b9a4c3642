"""`microwamp subscribe TOPIC`: prints one line an event until it is told to end."""

import argparse
import asyncio
from typing import Any

from wamp import Client, Declaration
from wamp.messages import check_uri

from . import OK, TIMEOUT, connect, standing, values

_OUTPUT = """output:
  TOPIC ARG ... NAME=VALUE ..., in which ARG and VALUE are JSON, and octets @hex:.
  --json: {"topic": ..., "publication": id, "args": [...], "kwargs": {...}, "details": {...}};
  octets are strings of \\u0000 and base64.
  What happens to the session is told on stderr.

SIGINT and SIGTERM end it, with status 0.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("topic", metavar="TOPIC", help="URI or pattern of the topic")
    parser.add_argument(
        "--match", choices=("exact", "prefix", "wildcard"), help="what TOPIC is (default: exact)"
    )
    parser.add_argument(
        "--get-retained", action="store_true", help="begin with the event that the router retained"
    )
    parser.add_argument(
        "--count", type=connect.count, metavar="N", help="end after N events, with status 0"
    )
    parser.add_argument(
        "--duration",
        type=connect.seconds,
        metavar="SECONDS",
        help="end after so long, with status 0, or with 5 where --count was not reached",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    connect.arguments(parser, "how long it may take until the router has confirmed")
    connect.epilog(parser, _OUTPUT, connect.ENVIRONMENT)


def run(options: argparse.Namespace) -> int:
    """Print events; raises what the client raises before the first session."""
    pattern = options.match in ("prefix", "wildcard")
    check_uri(options.topic, "topic", pattern)
    more: dict[str, Any] = {"match": options.match} if pattern else {}
    if options.get_retained:
        more["get_retained"] = True
    seen = 0

    def declare(client: Client, over: "asyncio.Future[int]") -> Declaration:
        def show(*args: Any, **kwargs: Any) -> None:
            nonlocal seen
            if over.done():
                return
            try:
                values.emit(_line(options, args[-1], args[:-1], kwargs))
            except Exception as e:
                # Raised here it would end in the client's log.
                over.set_exception(e)
                return
            seen += 1
            if seen == options.count:
                over.set_result(OK)

        return client.subscribe(options.topic, show, details=True, **more)

    return standing.run(
        options,
        declare,
        f"subscribed to {options.topic}",
        options.duration,
        TIMEOUT if options.count else OK,
    )


def _line(
    options: argparse.Namespace,
    details: dict[str, Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> str:
    topic = details.get("topic")
    if not isinstance(topic, str):
        topic = options.topic  # the router names it for patterns only
    if options.json:
        return values.dumps(
            {
                "topic": topic,
                "publication": details.get("publication"),
                "args": args,
                "kwargs": kwargs,
                "details": {k: v for k, v in details.items() if k != "publication"},
            }
        )
    return f"{values.safe(topic)} {values.line(args, kwargs)}".rstrip()
