"""`microwamp publish TOPIC [ARG ...]`: publishes an event and prints the publication's id."""

import argparse
from typing import Any

from wamp import Client
from wamp.messages import check_uri

from . import OK, connect, values


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("topic", metavar="TOPIC", help="URI of the topic")
    connect.payload(parser)
    parser.add_argument(
        "--no-acknowledge",
        action="store_true",
        help="do not wait for the router to confirm, and print nothing",
    )
    parser.add_argument(
        "--retain",
        action="store_true",
        help="the router keeps the event for those who subscribe later with --get-retained",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    connect.arguments(parser, "how long all of it may take, from connecting to the confirmation")
    connect.epilog(parser, values.HELP, connect.ENVIRONMENT)


def run(options: argparse.Namespace) -> int:
    """Publish; raises what the client raises."""
    check_uri(options.topic, "topic")
    args = [values.read(word) for word in options.args]
    kwargs = values.keywords(options.kw)
    more: dict[str, Any] = {"retain": True} if options.retain else {}

    async def work(client: Client) -> int:
        publication = await client.publish(
            options.topic,
            *args,
            kwargs=kwargs or None,
            acknowledge=not options.no_acknowledge,
            **more,
        )
        if options.json:
            values.emit(values.dumps({"publication": publication}))
        elif publication is not None:
            values.emit(str(publication))
        return OK

    return connect.run(options, options.topic, work)
