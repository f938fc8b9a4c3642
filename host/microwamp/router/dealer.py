"""The dealer: calls on their way between callers and callees of one realm.

Pure: messages as lists in, a list of (session, message) out; a refusal is an ApplicationError, a
violation of the protocol a RemoteProtocolError.
Source: WAMP basic profile, "Remote Procedure Calls"; advanced profile, "Advanced RPC".
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wamp.errors import ApplicationError, RemoteProtocolError
from wamp.messages import CALL, ID_MAX, INTERRUPT, INVOCATION, REGISTERED, RESULT, UNREGISTERED

from . import uris
from .config import Limits
from .registrations import Callee, Registration, Registrations
from .session import Message, Out, Session, error, payload

# What WELCOME says of the dealer (advanced profile, "Feature Announcement").
FEATURES = (
    "call_canceling",
    "caller_identification",
    "pattern_based_registration",
    "progressive_call_results",
    "registration_revocation",
    "session_meta_api",
    "shared_registration",
    "testament_meta_api",
)

# Invocations of a callee whose answers nobody waits for any more that are remembered one by one.
# A callee need not answer after `killnowait`, so without a limit they would pile up; of what is
# forgotten only the highest number is kept, and answers up to it are let pass unseen.
_DISCARDED = 1000


@dataclass(eq=False, slots=True)
class _Call:
    """A call in flight: `request` is the caller's number, `invocation` the callee's."""

    caller: Session
    request: int
    callee: Session
    invocation: int
    slot: Callee
    progress: bool
    killed: bool = False


@dataclass(eq=False, slots=True)
class _Peer:
    """What the dealer holds for a session in both its roles."""

    calls: dict[int, _Call] = field(default_factory=dict)
    invocations: dict[int, _Call] = field(default_factory=dict)
    # Invocations whose answer will be dropped, with the place among the callees that is still
    # occupied, if any; and the highest number that was forgotten.
    discarded: OrderedDict[int, Callee | None] = field(default_factory=OrderedDict)
    forgotten: int = 0
    last: int = 0  # the last INVOCATION id (session scope)


class Dealer:
    """Registrations and calls of one realm.

    choose: picks an index below its argument, for `invoke: random`. disclose: every caller is made
    known to the callee. counters: counts what was dropped.
    """

    def __init__(
        self,
        choose: Callable[[int], int],
        limits: Limits,
        counters: Counter[str],
        disclose: bool = False,
    ) -> None:
        self._limits = limits
        self._counters = counters
        self._disclose = disclose
        self._registrations = Registrations(choose, limits)
        self._peers: dict[Session, _Peer] = {}

    def join(self, session: Session) -> None:
        """Make room for a new session."""
        self._peers[session] = _Peer()

    def register(self, session: Session, message: Message) -> Out:
        """REGISTER, with pattern, invocation policy, concurrency and forced take-over."""
        _, request, options, procedure = message
        registration, displaced = self._registrations.add(session, procedure, options)
        out: Out = [
            (
                one,
                [
                    UNREGISTERED,
                    0,
                    {"registration": number, "reason": "wamp.error.unregistered"},
                ],
            )
            for one, number in displaced
            if one.announces("callee", "registration_revocation")
        ]
        out.append((session, [REGISTERED, request, registration.id]))
        return out

    def unregister(self, session: Session, message: Message) -> Out:
        """UNREGISTER; invocations that are under way go on."""
        _, request, number = message
        self._registrations.remove(session, number)
        return [(session, [UNREGISTERED, request])]

    def call(self, session: Session, message: Message) -> Out:
        """CALL: the INVOCATION to the one callee that the rules pick."""
        _, request, options, procedure = message[:4]
        if not uris.valid(procedure):
            raise ApplicationError(
                ApplicationError.INVALID_URI, f"procedure {procedure[:80]!r} is not a URI"
            )
        mine = self._peers[session]
        if len(mine.calls) >= self._limits.calls:
            raise ApplicationError(
                "microwamp.error.limit_exceeded",
                f"a session may have {self._limits.calls} calls in flight",
            )
        registration = self._registrations.best(procedure)
        if registration is None:
            raise ApplicationError(
                ApplicationError.NO_SUCH_PROCEDURE, f"no callee has registered {procedure[:80]}"
            )
        slot = self._registrations.pick(registration)
        if slot is None:
            raise ApplicationError(
                "wamp.error.no_available_callee", f"all callees of {procedure[:80]} are busy"
            )
        callee = slot.session
        peer = self._peers[callee]
        # A callee that cannot be interrupted could stream to a caller that is long gone: the
        # specification counts it among those without progressive results.
        progress = (
            bool(options.get("receive_progress"))
            and session.announces("caller", "progressive_call_results")
            and callee.announces("callee", "progressive_call_results")
            and callee.announces("callee", "call_canceling")
        )
        peer.last = peer.last % ID_MAX + 1
        call = _Call(session, request, callee, peer.last, slot, progress)
        slot.active += 1
        mine.calls[request] = call
        peer.invocations[call.invocation] = call
        details = self._details(session, registration, slot, procedure, options)
        if progress:
            details["receive_progress"] = True
        return [
            (
                callee,
                [INVOCATION, call.invocation, registration.id, details, *payload(message, 4)],
            )
        ]

    def _details(
        self,
        caller: Session,
        registration: Registration,
        slot: Callee,
        procedure: str,
        options: dict[str, Any],
    ) -> dict[str, Any]:
        details: dict[str, Any] = {}
        if self._disclose or slot.disclose or options.get("disclose_me"):
            details = caller.disclosed("caller")
        if registration.match != "exact":
            details["procedure"] = procedure
        return details

    def cancel(self, session: Session, message: Message) -> Out:
        """CANCEL (advanced profile, "Call Canceling"); without a mode it is killnowait.

        Raises RemoteProtocolError for a request id that the session never used.
        """
        _, request, options = message
        call = self._peers[session].calls.get(request)
        if call is None:
            if request > session.requests:
                raise RemoteProtocolError(f"CANCEL for request {request}, which was never made")
            return []  # the answer and CANCEL crossed
        mode = options.get("mode", "killnowait")
        callee = call.callee
        if not callee.announces("callee", "call_canceling"):
            mode = "skip"
        if mode == "kill":
            if call.killed:
                return []
            call.killed = True
            return [(callee, _interrupt(call, mode))]
        out: Out = [(session, error(CALL, request, ApplicationError.CANCELED))]
        if mode == "killnowait" and not call.killed:
            out.append((callee, _interrupt(call, mode)))
        self._discard(call, release=mode == "killnowait")
        return out

    def answer(self, session: Session, message: Message) -> Out:
        """YIELD: the RESULT to the caller.

        Raises RemoteProtocolError for an invocation that is not open (those whose caller cancelled
        or left are), and for a progressive result that was not asked for.
        """
        _, invocation, options = message[:3]
        progress = bool(options.get("progress"))
        call = self._open(session, invocation, "YIELD", progress)
        if call is None:
            return []
        details: dict[str, Any] = {}
        if progress:
            if not call.progress:
                raise RemoteProtocolError(
                    f"YIELD.progress for invocation {invocation}, which did not ask for it"
                )
            details["progress"] = True
        else:
            self._close(call)
        return [(call.caller, [RESULT, call.request, details, *payload(message, 3)])]

    def fail(self, session: Session, message: Message) -> Out:
        """ERROR from a callee: the ERROR to the caller; raises as `answer` does."""
        call = self._open(session, message[2], "ERROR", False)
        if call is None:
            return []
        self._close(call)
        answer = error(CALL, call.request, message[4])
        answer.extend(payload(message, 5))
        return [(call.caller, answer)]

    def too_long(self, session: Session, message: Message) -> Out:
        """Take back an INVOCATION or a RESULT that does not fit into what its receiver accepts.

        The caller is told; a callee that is left behind is interrupted.
        """
        if message[0] == INVOCATION:
            call = self._peers[session].invocations[message[1]]
            self._close(call)
            peer = self._peers[session]
            if call.invocation == peer.last:
                peer.last -= 1  # never sent: the callee sees no gap in its numbers
            return [(call.caller, _size_exceeded(call.request, "the callee"))]
        request = message[1]
        out: Out = [(session, _size_exceeded(request, "the caller"))]
        # Only a progressive result leaves an open call behind.
        left = self._peers[session].calls.get(request)
        if left is not None:
            out.extend(self._abandon(left))
        return out

    def leave(self, session: Session) -> Out:
        """Forget a session that ended, in both its roles."""
        out: Out = []
        self._registrations.leave(session)
        peer = self._peers[session]
        for call in list(peer.invocations.values()):
            self._close(call)
            if call.caller is not session:
                text = "the callee left before it answered"
                out.append(
                    (call.caller, error(CALL, call.request, ApplicationError.CANCELED, [text]))
                )
        for call in list(peer.calls.values()):
            out.extend(self._abandon(call))
        del self._peers[session]
        return out

    def _open(self, session: Session, invocation: int, what: str, progress: bool) -> _Call | None:
        """The call an answer belongs to; None if nobody waits for it any more."""
        peer = self._peers[session]
        call = peer.invocations.get(invocation)
        if call is not None:
            return call
        if invocation in peer.discarded:
            if not progress:
                slot = peer.discarded.pop(invocation)
                if slot is not None:
                    slot.active -= 1
        elif invocation > peer.forgotten:
            raise RemoteProtocolError(f"{what} for invocation {invocation}, which is not open")
        self._counters["answers nobody waited for"] += 1
        return None

    def _close(self, call: _Call) -> None:
        call.slot.active -= 1
        del self._peers[call.caller].calls[call.request]
        del self._peers[call.callee].invocations[call.invocation]

    def _discard(self, call: _Call, release: bool) -> None:
        """End a call towards its caller; the callee's answer will be dropped.

        release: the callee was told to stop and no longer counts against its concurrency.
        """
        self._close(call)
        peer = self._peers[call.callee]
        if not release:
            call.slot.active += 1
        peer.discarded[call.invocation] = None if release else call.slot
        if len(peer.discarded) > _DISCARDED:
            forgotten, slot = peer.discarded.popitem(last=False)
            peer.forgotten = max(peer.forgotten, forgotten)
            if slot is not None:
                slot.active -= 1

    def _abandon(self, call: _Call) -> Out:
        """End a call whose caller cannot be answered (basic profile, "Caller Leaving")."""
        can = call.callee.announces("callee", "call_canceling")
        self._discard(call, release=can)
        if not can or call.callee is call.caller:
            return []
        return [(call.callee, _interrupt(call, "killnowait"))]


def _interrupt(call: _Call, mode: str) -> Message:
    return [INTERRUPT, call.invocation, {"mode": mode}]


def _size_exceeded(request: int, who: str) -> Message:
    text = f"the message is longer than {who} accepts"
    return error(CALL, request, ApplicationError.PAYLOAD_SIZE_EXCEEDED, [text])
