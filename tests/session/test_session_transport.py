"""A session and its transport by their interfaces: ITransport and ITransportHandler."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sessions import LIMIT_S, REALM, WELCOME, Played, Told, played, until

from microwamp import connect, interfaces
from microwamp.exception import LocalProtocolError, TransportLost
from microwamp.message import Abort, Call, Hello, Result, Welcome
from microwamp.types import TransportDetails


class Foreign(interfaces.ITransport):
    """A transport of an application's own: messages as objects, kept in `sent`."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.open = True

    @property
    def transport_details(self) -> TransportDetails:
        return TransportDetails(channel_type=TransportDetails.CHANNEL_TYPE_MEMORY)

    def isOpen(self) -> bool:
        return self.open

    def send(self, message: interfaces.IMessage) -> None:
        if not self.open:
            raise TransportLost("the transport is closed")
        self.sent.append(message)

    def close(self) -> None:
        self.open = False

    def abort(self) -> None:
        self.open = False


@pytest.mark.parametrize("clean", (True, False))
@pytest.mark.parametrize("breaks", (True, False))
async def test_a_transport_of_somebody_else(breaks: bool, clean: bool) -> None:
    session, transport = Told(), Foreign()
    onMessage: Callable[[Any], None] = session.onMessage
    handler: Any = interfaces.ITransportHandler
    assert isinstance(session, handler)
    assert session.config.realm == REALM and not session.is_connected()
    session.onOpen(transport)
    with pytest.raises(LocalProtocolError, match="has a transport already"):
        session.onOpen(Foreign())
    await until(lambda: transport.sent)
    (hello,) = transport.sent
    assert type(hello) is Hello and hello.realm == REALM
    assert session.transport is transport and not session.is_attached()
    onMessage(Welcome.parse(WELCOME))
    async with asyncio.timeout(LIMIT_S):
        details = await session.joined
    assert details.session == WELCOME[1] and details.transport == transport.transport_details
    first, second = session.call("com.example.first", 1, b=2), session.call("com.example.second")
    call = transport.sent[1]
    assert type(call) is Call
    assert (call.procedure, call.args, call.kwargs) == ("com.example.first", [1], {"b": 2})
    onMessage(Result(call.request, args=["done"]))
    assert await asyncio.wait_for(first, LIMIT_S) == "done"
    if breaks:  # no router welcomes twice
        onMessage(Welcome.parse(WELCOME))
        await until(lambda: not transport.open)
        assert type(transport.sent[-1]) is Abort
        assert transport.sent[-1].reason == "wamp.error.protocol_violation"
    session.onClose(clean)
    with pytest.raises(TransportLost):
        await asyncio.wait_for(second, LIMIT_S)
    await asyncio.wait_for(session.gone, LIMIT_S)
    assert session.events == ["connect", "join", "leave", "disconnect"]
    assert session.transport is None


async def test_a_transport_of_ours_that_is_aborted() -> None:
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def play(router: Played) -> None:
        await router.join()
        await router.receive()  # the call
        try:
            await router.receive()
        except (asyncio.IncompleteReadError, ConnectionError):
            ended.set_result(None)

    async with played(play) as url:
        session = Told()
        transport = await connect(session, url)
        assert transport.isOpen() and session.transport is transport
        async with asyncio.timeout(LIMIT_S):
            await session.joined
        pending = session.call("com.example.never")
        await asyncio.sleep(0)  # what was called is written at the end of a turn
        late = Call(9, "com.example.late")
        transport.abort()
        assert not transport.isOpen()
        with pytest.raises(TransportLost):
            transport.send(late)
        with pytest.raises(TransportLost):
            await asyncio.wait_for(pending, LIMIT_S)
        async with asyncio.timeout(LIMIT_S):
            await session.gone
            await ended


# --- the walk ------------------------------------------------------------------------------------

HERE = Path(__file__).parent
WALKED = [interfaces.ISession, interfaces.ITransport, interfaces.ITransportHandler]
WALKED += [interfaces.IAuthenticator, interfaces.IPayloadCodec]


def named() -> set[str]:
    """Attributes that the tests here use, and methods that they define."""
    found: set[str] = set()
    for path in HERE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(node.name)
    return found


@pytest.mark.parametrize("interface", WALKED, ids=lambda interface: interface.__name__)
def test_nothing_of_an_interface_is_without_a_test(interface: Any) -> None:
    # How logins answer is in tests/conformance/test_auth_api.py.
    elsewhere = {"on_challenge", "on_welcome"}
    assert interface.__abstractmethods__ - named() - elsewhere == set()
