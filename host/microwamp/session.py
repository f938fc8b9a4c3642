"""`Session`: a WAMP session on asyncio, as autobahn's users know it.

    class Device(Session):
        async def onJoin(self, details):
            await self.register(self.add, "com.example.add")
            self.publish("com.example.up", details.session)

    session = Device(ComponentConfig(realm="devices"))
    await microwamp.transport.connect(session, "rs://127.0.0.1:8080")

`microwamp.Component` does this again and again. The protocol is the device library's
(`wamp.session`); here are futures, hooks and options.
"""

from __future__ import annotations

from ._session._callee import Callee
from ._session._caller import Caller, OpenCall
from ._session._failure import Failure
from ._session._pubsub import PubSub
from .interfaces import ITransportHandler
from .types import ComponentConfig

__all__ = ["Failure", "OpenCall", "Session"]


class Session(PubSub, Callee, Caller):
    """A session with all four roles.

    config: realm and what else the application needs; see ComponentConfig.

    `call`, `publish` with acknowledge, `register` and `subscribe` return futures. They raise at
    once what can be known at once: TransportLost, SessionNotReady, SerializationError,
    LocalProtocolError. Whatever waits for an answer when a session ends fails with TransportLost,
    before any hook is called.
    """

    def __init__(self, config: ComponentConfig | None = None) -> None:
        super().__init__(config)


ITransportHandler.register(Session)
