"""A stranger's program, for type checkers: the installed packages are seen, with their types.

Checked by `make lint` with mypy and pyright, strict, neither told where the sources are.
"""

from typing import assert_type

import microwamp
import wamp
from microwamp import exception, message, types
from microwamp.interfaces import IMessage
from microwamp.role import DEFAULT_CLIENT_ROLES, RoleCallerFeatures
from microwamp_rig.boards import UnixBoard
from microwamp_rig.line import Line

error = wamp.ApplicationError("com.example.error", 1, detail="x")
assert_type(error.error, str)
assert_type(microwamp.__name__, str)
board = UnixBoard("print('hello')")
assert_type(board.port, str)
line = Line(board.port)
assert_type(line.to_host.counters.lost, int)

options = types.PublishOptions(exclude=5, eligible_authid=["joe"])
publish = message.Publish(1, "com.example.topic", args=[1], **options.message_attr())
assert_type(publish.topic, str)
assert_type(publish.exclude, list[int] | None)
assert_type(message.Event.parse([36, 1, 2, {}]).publisher, int | None)
assert_type(message.MESSAGE_TYPE_MAP[16], type[message.Message])
hello = message.Hello("realm1", {**DEFAULT_CLIENT_ROLES, "caller": RoleCallerFeatures()})
assert_type(hello.realm, str | None)
assert_type(exception.ApplicationError(exception.ApplicationError.TIMEOUT).error, str)
assert_type(types.TransportDetails(types.TransportDetails.CHANNEL_TYPE_SERIAL).channel_typeid, str)
details = types.SessionDetails.parse({"realm": "realm1"})
assert_type(details.transport, types.TransportDetails | None)


def count(messages: list[IMessage]) -> int:
    return sum(one.MESSAGE_TYPE for one in messages)
