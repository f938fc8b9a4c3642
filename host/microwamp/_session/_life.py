"""The life of a session: its transport, joining, leaving, and who is told."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from wamp.session import ESTABLISHED, Protocol

from ..exception import (
    AuthenticationError,
    Error,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    SessionAborted,
    SessionNotReady,
    TransportError,
    TransportLost,
)
from ..interfaces import IPayloadCodec, ISession, ITransport
from ..message import Message, Welcome
from ..request import Registration, Request, Subscription
from ..types import Challenge, CloseDetails, ComponentConfig, SessionDetails
from . import _logins
from ._failure import ErrorClasses, Failure
from ._observe import Observer, Observers

log = logging.getLogger("microwamp.session")

# Requests that wait for an answer, and invocations under way: some kB each on a host.
REQUESTS = 10_000
HANDLERS = 10_000  # coroutines of event handlers under way; further events are dropped, counted
HOOK_S = 10.0  # how long the end waits for each hook and observer of it that hangs
ANSWER_S = 120.0  # for `onChallenge`, in which a person may type, and for `onWelcome`
LEAVE_S = 2.0  # for the router's GOODBYE
JOIN_S = 30.0  # for the router's answers while joining


class Life(ISession):
    """A session's life; the roles are added by its subclasses."""

    def __init__(self, config: ComponentConfig | None = None) -> None:
        self._config = config if config is not None else ComponentConfig()
        self.dropped = 0  # events that came when too many handlers were under way
        self.traceback_app = False  # whether ERRORs carry the traceback of what was raised
        self._transport: Any = None
        self._details: SessionDetails | None = None
        self._codec: IPayloadCodec | None = None
        self._errors = ErrorClasses()
        self._observers = Observers()
        self._authenticators: list[Any] = []
        self._protocol = Protocol(self._send, REQUESTS, REQUESTS)
        self._send_list: Callable[[list[Any]], None] | None = None
        self._joined = False
        self._leaving = False
        self._realm: str | None = None
        self._ending: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._gone: asyncio.Future[None] | None = None
        self._fault: Exception | None = None  # what onConnect raised: nobody tried to join
        self._tasks: set[asyncio.Task[Any]] = set()
        self._handlers = 0
        self._generation = 0  # sessions so far: answers belong to one
        self._entries: set[Subscription | Registration] = set()
        nothing: Callable[[Any], None] = lambda report: None  # noqa: E731
        # By the number of the report; see wamp.session.
        self._acts: list[Callable[[Any], None]] = [nothing] * 13
        self._acts[1:4] = [self._challenged, self._welcomed, self._ended]

    # -- what is known

    @property
    def config(self) -> ComponentConfig:
        return self._config

    @property
    def transport(self) -> ITransport | None:
        found: ITransport | None = self._transport
        return found

    @property
    def session_details(self) -> SessionDetails | None:
        return self._details

    def is_connected(self) -> bool:
        return self._transport is not None

    def is_attached(self) -> bool:
        return self._joined

    @property
    def realm(self) -> str | None:
        """Realm that is joined."""
        return self._details.realm if self._details else None

    @property
    def session_id(self) -> int | None:
        """Id of the session."""
        return self._details.session if self._details else None

    @property
    def authid(self) -> str | None:
        """Authid the session is joined as."""
        return self._details.authid if self._details else None

    @property
    def authrole(self) -> str | None:
        """Authrole the session is joined as."""
        return self._details.authrole if self._details else None

    @property
    def authmethod(self) -> str | None:
        """Authentication method that was used."""
        return self._details.authmethod if self._details else None

    @property
    def pending(self) -> list[Request]:
        """The requests that wait for an answer (`microwamp.request`)."""
        return [found[1] for found in self._protocol._pending.values()]

    def router_has(self, role: str, feature: str) -> bool:
        """Whether the router announced a feature, as router_has("dealer", "call_canceling")."""
        return self._protocol.router_has(role, feature)

    def set_payload_codec(self, payload_codec: IPayloadCodec | None) -> None:
        if payload_codec is not None and not isinstance(payload_codec, IPayloadCodec):
            raise LocalProtocolError(f"{payload_codec!r} is not an IPayloadCodec")
        self._codec = payload_codec

    def get_payload_codec(self) -> IPayloadCodec | None:
        return self._codec

    def define(self, exception: type[Exception], error: str | None = None) -> None:
        self._errors.define(exception, error)

    def add_authenticator(self, authenticator: Any) -> None:
        """Log in with this where `onConnect` and `onChallenge` are not overridden.

        authenticator: an IAuthenticator, or one of wamp.auth; several: in the order of preference.
        """
        _logins.method_of(authenticator)
        self._authenticators.append(authenticator)

    def on(self, event: str, handler: Observer) -> Observer:
        """See Observers.on."""
        return self._observers.on(event, handler)

    def off(self, event: str | None = None, handler: Observer | None = None) -> None:
        """See Observers.off."""
        self._observers.off(event, handler)

    # -- user code

    def onUserError(self, fail: Any, msg: str) -> None:
        log.error("%s\n%s", msg, fail.traceback())

    def _user_error(self, error: BaseException, msg: str) -> None:
        try:
            self.onUserError(Failure(error), msg)
        except Exception:
            log.exception("onUserError itself failed, for: %s", msg)

    def _spawn(self, steps: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(steps)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _user(
        self, what: str, function: Callable[..., Any], *args: Any, limit: float | None = None
    ) -> Any:
        """Call application code, and wait for it, for `limit` seconds; raises what it raises. Code
        that cancels itself ends its own task only; code that takes longer goes on."""
        try:
            found = function(*args)
            if not inspect.isawaitable(found):
                return found
        except asyncio.CancelledError:
            raise Error(f"{what} cancelled itself") from None
        task = self._spawn(_awaited(found))
        await asyncio.wait({task}, timeout=limit)
        if not task.done():
            # What it raises later is of no use to anybody.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise Error(f"{what} does not end: nobody waits for it any more")
        if task.cancelled():
            raise Error(f"{what} cancelled itself")
        return task.result()

    async def _tell(self, event: str, hook: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """A hook, then the observers of its event; none keeps the others from being told."""
        calls: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = []
        calls.append((f"on{event.capitalize()}", hook, args if event != "disconnect" else ()))
        for observer in self._observers.observers(event):
            calls.append((f"observer of {event}", observer, (self, *args)))
        limit = HOOK_S if event in ("leave", "disconnect") else None
        for what, function, given in calls:
            try:
                await self._user(what, function, *given, limit=limit)
            except Exception as e:
                self._user_error(e, f"{what}: {type(e).__name__}: {e}")

    # -- the transport

    def onOpen(self, transport: Any) -> None:
        """A transport is open (ITransportHandler)."""
        if self._transport is not None:
            raise LocalProtocolError("the session has a transport already")
        self._transport = transport
        send_list = getattr(transport, "send_list", None)
        if send_list is None:
            # Another ITransport than ours takes messages as objects. Arguments may be a tuple.
            def send_list(wmsg: list[Any]) -> None:
                transport.send(Message.parse([list(x) if type(x) is tuple else x for x in wmsg]))

        self._send_list = send_list
        self._leaving = False
        self._gone = None
        self._fault = None
        self._spawn(self._connected(transport))

    async def _connected(self, transport: Any) -> None:
        # The observers first, as in autobahn: onConnect joins.
        for observer in self._observers.observers("connect"):
            try:
                await self._user("observer of connect", observer, self, transport)
            except Exception as e:
                self._user_error(e, f"observer of connect: {type(e).__name__}: {e}")
        if self._transport is not transport:
            return
        try:
            await self._user("onConnect", self.onConnect)
        except Exception as e:
            self._user_error(e, f"onConnect: {type(e).__name__}: {e}")
            self._fault = e
            if self._transport is transport:
                transport.close()

    def _send(self, wmsg: list[Any]) -> None:
        if self._send_list is None:
            raise TransportLost("the session has no transport")
        self._send_list(wmsg)

    def onMessage(self, message: Message) -> None:
        """A message came (ITransportHandler)."""
        self.receive(message.marshal())

    def receive(self, wmsg: list[Any]) -> None:
        """A message came, as a list."""
        report = self._protocol.receive(wmsg)
        if report is not None:
            self._acts[report[0]](report)

    def violated(self, error: Error) -> None:
        """What came was no message: tell the router."""
        self._over(self._protocol.violation(error)[1])

    def onClose(self, wasClean: bool) -> None:
        """The transport is closed (ITransportHandler)."""
        self.closed(None if wasClean else TransportLost("the transport was lost"))

    def closed(self, error: Exception | None) -> None:
        """The transport is closed; error: why, None if this end wanted it."""
        if self._transport is None:
            return
        clean = error is None or self._leaving
        self._transport = self._send_list = None
        if self._realm is not None:
            self._over(None if self._leaving else error or TransportLost("it was closed"))
        self._spawn(self._disconnected(self._ending, clean))

    async def _disconnected(self, ending: asyncio.Task[None] | None, clean: bool) -> None:
        if ending is not None:
            await asyncio.wait({ending}, timeout=HOOK_S)
        await self._tell("disconnect", self.onDisconnect, (clean,))
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    # -- joining

    def onConnect(self) -> Any:
        if self._config.realm is None:
            raise LocalProtocolError("there is no realm in the configuration: override onConnect")
        self.join(self._config.realm)

    def join(
        self,
        realm: str,
        authmethods: list[str] | None = None,
        authid: str | None = None,
        authrole: str | None = None,
        authextra: dict[str, Any] | None = None,
        resumable: bool | None = None,
        resume_session: int | None = None,
        resume_token: str | None = None,
    ) -> None:
        if self._transport is None:
            raise TransportLost("join: the session has no transport")
        details = {
            "authid": authid,
            "authrole": authrole,
            "authextra": authextra,
            "resumable": resumable,
            "resume-session": resume_session,
            "resume-token": resume_token,
        }
        if authmethods is None and self._authenticators:
            offers = _logins.offers(self._authenticators)
        elif authmethods or any(value is not None for value in details.values()):
            methods = authmethods or ["anonymous"]
            offers = [_logins.Offered(method, details) for method in methods]
        else:
            offers = []
        if not isinstance(realm, str) or not realm:
            raise LocalProtocolError(f"the realm is {realm!r}, not a string that is not empty")
        slow = [one for one in offers if hasattr(one, "prepare")]
        if slow:
            self._spawn(self._prepare(realm, offers, slow))
        else:
            self._hello(realm, offers)

    async def _prepare(self, realm: str, offers: list[Any], slow: list[Any]) -> None:
        """Compute what the core's authenticators need before HELLO."""
        try:
            private = self._is_private()
            details = self._transport.transport_details if self._transport is not None else None
            for one in slow:
                use_transport = getattr(one, "use_transport", None)
                if use_transport is not None:
                    use_transport(details)
                if getattr(one, "needs_private_link", False) and not private:
                    raise AuthenticationError(
                        f"{one.method} would send its secret in clear: use rss://, wss:// or a "
                        "Unix socket, another method, or allow_clear=True"
                    )
                await _logins.steps(one.prepare())
            if self._transport is not None:
                self._hello(realm, offers)
        except Error as e:
            self._user_error(e, f"join: {type(e).__name__}: {e}")
            self._realm = realm
            self._over(e)
            self.disconnect()

    def _is_private(self) -> bool:
        found = self._transport.transport_details if self._transport is not None else None
        return found is not None and bool(found.is_secure or found.channel_type == 2)

    def _hello(self, realm: str, offers: list[Any]) -> None:
        self._protocol.join(realm, offers, "microwamp")
        self._realm = realm
        self._leaving = False
        self._ending = None
        self._within(JOIN_S, self._late)

    def _within(self, seconds: float | None, late: Callable[[], None] | None = None) -> None:
        """Call `late` in so many seconds; None: what was to be called is not any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None and late is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, late)

    def _late(self) -> None:
        self._refuse("wamp.close.timeout", TransportError("the router does not answer"))

    def _hung(self) -> None:
        error = AuthenticationError("onChallenge or onWelcome does not end")
        self._refuse("wamp.close.timeout", error)

    def _refuse(self, reason: str, error: Error, text: str = "") -> None:
        """Do not enter this session: ABORT, and `onLeave` with the error."""
        if self._realm is None:
            return
        try:
            self._protocol.abort(reason, text)
        except Error:
            pass  # it cannot be told: it ends all the same
        self._over(error, reason)

    def _challenged(self, report: tuple[Any, ...]) -> None:
        self._within(ANSWER_S, self._hung)
        self._spawn(self._answer(self._generation, report[1].method, report[2]))

    async def _answer(self, generation: int, method: str, extra: dict[str, Any]) -> None:
        try:
            found = await self._user("onChallenge", self.onChallenge, Challenge(method, extra))
            pair = isinstance(found, tuple) and len(found) == 2
            signature, more = found if pair else (found, {})
            if isinstance(signature, bytes):
                signature = signature.decode()
            if not isinstance(signature, str):
                raise LocalProtocolError(
                    f"onChallenge returned {type(signature).__name__}, not a signature"
                )
            if not isinstance(more, dict) or not all(isinstance(key, str) for key in more):
                raise LocalProtocolError("onChallenge returned an extra that is no dictionary")
            if generation == self._generation and self._realm is not None:
                self._protocol.authenticate(signature, more)
                self._within(JOIN_S, self._late)
        except Exception as e:
            self._user_error(e, f"onChallenge: {type(e).__name__}: {e}")
            if generation != self._generation:
                return
            if isinstance(e, RemoteProtocolError):
                self._refuse("wamp.error.protocol_violation", e, str(e)[:200])
            else:
                error = e if isinstance(e, AuthenticationError) else AuthenticationError(str(e))
                self._refuse("wamp.error.cannot_authenticate", error)

    def onChallenge(self, challenge: Challenge) -> Any:
        return _logins.answer(self, self._authenticators, challenge)

    def _welcomed(self, report: tuple[Any, ...]) -> None:
        self._within(None)
        session, details = self._protocol.session, report[1]
        assert session is not None
        transport = self._transport
        own = {name: details[name] for name in SessionDetails.FIELDS if name in details}
        own.pop("transport", None)
        own.update({"session": session, "realm": details.get("realm") or self._realm})
        try:
            welcome = Welcome.parse([2, session, details])
            found = SessionDetails.parse(own)
        except ProtocolError as e:
            wrong = RemoteProtocolError(str(e))
            self._refuse("wamp.error.protocol_violation", wrong, str(e)[:200])
            self.disconnect()
            return
        values = {name: getattr(found, name) for name in SessionDetails.FIELDS}
        values["serializer"] = getattr(transport, "serializer", None)
        values["transport"] = transport.transport_details
        self._within(ANSWER_S, self._hung)
        self._spawn(self._enter(self._generation, welcome, SessionDetails(**values)))

    async def _enter(self, generation: int, welcome: Welcome, details: SessionDetails) -> None:
        try:
            refused = await self._user("onWelcome", self.onWelcome, welcome)
        except Exception as e:
            self._user_error(e, f"onWelcome: {type(e).__name__}: {e}")
            refused = str(e) or type(e).__name__
        if generation != self._generation or self._protocol.state != ESTABLISHED:
            return
        self._within(None)
        if refused is not None and refused is not False:
            text = str(refused)
            self._refuse("wamp.error.cannot_authenticate", AuthenticationError(text), text[:200])
            return
        self._details = details
        self._joined = True
        await self._tell("join", self.onJoin, (details,))
        if generation == self._generation and self._joined:
            await self._tell("ready", _nothing, ())

    def onWelcome(self, welcome: Welcome) -> Any:
        for one in self._authenticators:
            method = welcome.authmethod
            if not _logins.is_core(one) and method in (None, _logins.method_of(one)):
                refused = one.on_welcome(self, welcome.authextra)
                if refused is not None:
                    return refused
        return None

    def onJoin(self, details: SessionDetails) -> Any:
        """Nothing, to be overridden."""

    # -- leaving

    def leave(self, reason: str | None = None, message: str | None = None) -> Any:
        if self._transport is None:
            raise TransportLost("leave: the session has no transport")
        if self._realm is None:
            raise SessionNotReady("leave: no realm is joined")
        if not self._leaving:
            self._leaving = True
            if self._joined:
                self._protocol.leave(reason or "wamp.close.normal", message or "")
                self._within(LEAVE_S, self._unheard)
            else:
                self._refuse("wamp.close.close_realm", SessionAborted("wamp.close.close_realm"))
        return self._when_gone()

    def _unheard(self) -> None:
        """The router does not answer GOODBYE."""
        self._over(None)

    def _when_gone(self) -> asyncio.Future[None]:
        if self._gone is None:
            self._gone = asyncio.get_running_loop().create_future()
        return self._gone

    def disconnect(self) -> Any:
        transport = self._transport
        if transport is not None:
            self._leaving = True
            transport.close()

    def onLeave(self, details: CloseDetails) -> Any:
        self.disconnect()

    def onDisconnect(self) -> Any:
        """Nothing, to be overridden."""

    def _ended(self, report: tuple[Any, ...]) -> None:
        self._over(report[1])

    def _over(self, error: Exception | None, reason: str | None = None) -> None:
        """The session has ended: everything that waits is told, before any code of the user."""
        if self._realm is None:
            return
        self._within(None)
        self._realm = None
        self._joined = False
        self._details = None
        self._generation += 1
        lost = TransportLost(f"the session ended: {error or 'we left'}")
        for handle in self._protocol.end():
            self._settle(handle, lost)
        self._let_go(lost)
        for entry in self._entries:
            entry.active = False
        self._entries.clear()
        self._ending = self._spawn(self._left(_close_details(error, reason), error))

    async def _left(self, details: CloseDetails, error: Exception | None) -> None:
        transport = self._transport
        telling = self._spawn(self._tell("leave", self.onLeave, (details,)))
        await asyncio.wait({telling}, timeout=HOOK_S)
        # After an error, or an onLeave that hangs, nothing keeps the transport open.
        wrong = isinstance(error, Error) and not isinstance(error, SessionAborted)
        if transport is not None and self._transport is transport:
            if wrong or not telling.done():
                transport.close()

    def _settle(self, request: Any, error: Exception) -> None:
        future = request.on_reply
        if not future.done():
            future.set_exception(error)
            # Who never looks at it has no use for a warning either.
            future.exception()

    def _let_go(self, lost: Exception) -> None:
        """What the roles keep of a session."""

    # -- for the roles

    def _check(self) -> None:
        """Raises unless requests can be sent."""
        if self._transport is None:
            raise TransportLost("the session has no transport")
        if not self._joined:
            raise SessionNotReady("no realm is joined yet, or no longer: wait for onJoin")


async def _awaited(found: Awaitable[Any]) -> Any:
    return await found


def _nothing() -> None:
    """The hook of an event that has none."""


def _close_details(error: Exception | None, reason: str | None) -> CloseDetails:
    if error is None:
        return CloseDetails(CloseDetails.REASON_DEFAULT, "")
    if isinstance(error, SessionAborted):
        return CloseDetails(error.reason, error.message)
    if reason is None:
        reason = CloseDetails.REASON_TRANSPORT_LOST
        if isinstance(error, AuthenticationError):
            reason = "wamp.error.authentication_failed"
        elif isinstance(error, RemoteProtocolError):
            reason = "wamp.error.protocol_violation"
    return CloseDetails(reason, str(error))
