"""The dealer: calls on their way between callers and callees of one realm.

Pure but for the timers it is given: messages as lists in, a list of (session, message) out; a
refusal is an ApplicationError, a violation of the protocol a RemoteProtocolError.
Source: WAMP basic profile, "Remote Procedure Calls"; advanced profile, "Advanced RPC".
"""

from collections import Counter
from typing import Any

from wamp.errors import ApplicationError, RemoteProtocolError

from . import uris
from .calls import Call, Later, Peer
from .config import Limits, RealmConfig
from .options import opaque, passthru, passthru_feature
from .registrations import Callee, Registration, Registrations
from .session import Message, Out, Session, error, payload
from .wire import CALL, ID_MAX, INTERRUPT, INVOCATION, RESULT

# What WELCOME says of every dealer (advanced profile, "Feature Announcement"); `realm` adds what
# the configuration switches on.
FEATURES = (
    "call_canceling",
    "call_reroute",
    "call_timeout",
    "caller_identification",
    "pattern_based_registration",
    "payload_passthru_mode",
    "progressive_call_invocations",
    "progressive_call_results",
    "registration_meta_api",
    "registration_revocation",
    "session_meta_api",
    "shared_registration",
    "testament_meta_api",
)

_TIMEOUT = "wamp.error.timeout"
_UNSUPPORTED = "wamp.error.feature_not_supported"
_UNAVAILABLE = "wamp.error.unavailable"
_NO_CALLEE = "wamp.error.no_available_callee"


class Dealer:
    """The calls of one realm. later: runs what happens when a call takes too long. counters:
    counts what was dropped.
    """

    def __init__(
        self,
        registrations: Registrations,
        later: Later,
        limits: Limits,
        counters: Counter[str],
        config: RealmConfig,
    ) -> None:
        self.registrations = registrations
        self._later = later
        self._limits = limits
        self._counters = counters
        self._config = config
        self._peers: dict[Session, Peer] = {}

    def join(self, session: Session) -> None:
        """Make room for a new session."""
        self._peers[session] = Peer()

    def call(self, session: Session, message: Message, octets: int = 0) -> Out:
        """CALL with a new request id: the INVOCATION to the one callee that the rules pick.

        octets: its length on the wire.
        """
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
        registration, slot = self._route(procedure)
        rest = payload(message, 4)
        feature = passthru_feature(options, rest)
        more = bool(options.get("progress"))
        missing = _missing(slot.session, feature, more)
        if missing is not None:
            raise ApplicationError(
                _UNSUPPORTED, f"the callee of {procedure[:80]} did not announce {missing}"
            )
        call = Call(session, request, procedure, registration.id, slot, feature, more)
        mine.calls[request] = call
        if (
            len(registration.callees) > 1
            and slot.session.announces("callee", "call_reroute")
            and mine.held + octets <= self._limits.reroute_octets
        ):
            call.message, call.octets = message, octets
            mine.held += octets
        return self._invoke(call, registration, options, rest)

    def proceed(self, session: Session, message: Message) -> Out:
        """CALL with the request id of an earlier one: the next part of a progressive call.

        Source: advanced profile, "Verification of CALL Request IDs". Raises RemoteProtocolError
        if there is no such call, or its last part was sent.
        """
        _, request, options, procedure = message[:4]
        more = bool(options.get("progress"))
        mine = self._peers[session]
        call = mine.calls.get(request)
        if call is None:
            if request in mine.unfinished:
                known = mine.unfinished.get(request) if more else mine.unfinished.pop(request)
                if known != procedure:
                    raise RemoteProtocolError(_other(request, known, procedure))
            elif not mine.unfinished.forgot(request):
                raise RemoteProtocolError(
                    f"CALL.request is {request}, {session.next_request()} is the next, and "
                    f"no progressive call {request} is under way"
                )
            # It has ended, and its caller could not know yet.
            self._counters["parts of calls that had ended"] += 1
            return []
        if not call.more:
            raise RemoteProtocolError(
                f"CALL {request} again: it was not progressive, or its last part was sent"
            )
        if procedure != call.procedure:
            raise RemoteProtocolError(_other(request, call.procedure, procedure))
        rest = payload(message, 4)
        if call.feature == "payload_passthru_mode" and not opaque(message, 4):
            raise RemoteProtocolError(
                f"CALL {request} began with ppt_scheme: one binary item in args needed"
            )
        if call.feature is None and rest and type(rest[0]) is bytes:
            raise RemoteProtocolError(f"CALL {request} began with a list of args")
        call.more = more
        if call.killed:
            self._counters["parts of calls that had ended"] += 1
            return []
        call.parts += 1
        self._settle(call)
        return [(call.callee, _invocation(call, rest))]

    def refused(self, session: Session, message: Message) -> None:
        """Remember a CALL that was answered with ERROR: further parts may be on their way."""
        if message[2].get("progress"):
            self._peers[session].unfinished.add(message[1], message[3])

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
        if not call.callee.announces("callee", "call_canceling"):
            mode = "skip"
        if mode == "kill":
            if call.killed:
                return []
            call.killed = True
            return [(call.callee, _interrupt(call, mode))]
        return self._stop(call, error(CALL, request, ApplicationError.CANCELED), mode)

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
        if progress and not call.results:
            raise RemoteProtocolError(
                f"YIELD.progress for invocation {invocation}, which did not ask for it"
            )
        rest = payload(message, 3)
        feature = passthru_feature(options, rest)
        if not _takes(call.caller, "caller", feature):
            return self._opaque(call, feature, still=progress)
        details = passthru(options, rest)
        if progress:
            details["progress"] = True
            self._watch(call)
            self._settle(call)
        else:
            self._close(call)
        return [(call.caller, [RESULT, call.request, details, *rest])]

    def fail(self, session: Session, message: Message) -> Out:
        """ERROR from a callee: the ERROR to the caller; raises as `answer` does."""
        call = self._open(session, message[2], "ERROR", False)
        if call is None:
            return []
        if (
            message[4] == _UNAVAILABLE
            and session.announces("callee", "call_reroute")
            and not call.killed
        ):
            return self._reroute(call)
        rest = payload(message, 5)
        feature = passthru_feature(message[3], rest)
        if not _takes(call.caller, "caller", feature):
            return self._opaque(call, feature, still=False)
        self._close(call)
        answer = error(CALL, call.request, message[4])
        answer[3] = passthru(message[3], rest)
        answer.extend(rest)
        return [(call.caller, answer)]

    def unfit(self, session: Session, message: Message, uri: str, why: str | None) -> Out:
        """Take back an INVOCATION or a RESULT that its receiver cannot take; uri, why: see Realm.

        The caller is told; a callee that is left behind is interrupted.
        """
        if message[0] == INVOCATION:
            peer = self._peers[session]
            call = peer.invocations[message[1]]
            out: Out = [(call.caller, _unfit(call.request, uri, why, "the callee"))]
            if call.parts > 1:
                return out + self._abandon(call)
            self._close(call)
            if call.invocation == peer.last:
                peer.last -= 1  # never sent: the callee sees no gap in its numbers
            return out
        request = message[1]
        out = [(session, _unfit(request, uri, why, "the caller"))]
        # Only a progressive result leaves an open call behind.
        left = self._peers[session].calls.get(request)
        if left is not None:
            out.extend(self._abandon(left))
        return out

    def leave(self, session: Session) -> Out:
        """Forget a session that ended, in both its roles."""
        out = self.registrations.leave(session)
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

    def _route(self, procedure: str) -> tuple[Registration, Callee]:
        registration = self.registrations.best(procedure)
        if registration is None:
            raise ApplicationError(
                ApplicationError.NO_SUCH_PROCEDURE, f"no callee has registered {procedure[:80]}"
            )
        slot = self.registrations.pick(registration)
        if slot is None:
            raise ApplicationError(_NO_CALLEE, f"all callees of {procedure[:80]} are busy")
        return registration, slot

    def _invoke(
        self, call: Call, registration: Registration, options: dict[str, Any], rest: Message
    ) -> Out:
        """The first INVOCATION of a call to the callee it has."""
        callee = call.callee
        call.details, call.results = self._details(call, registration, options)
        call.details.update(passthru(options, rest))
        call.timeout = 0 if call.slot.forward_timeout else options.get("timeout", 0)
        peer = self._peers[callee]
        peer.last = peer.last % ID_MAX + 1
        call.invocation = peer.last
        call.slot.active += 1
        peer.invocations[call.invocation] = call
        if call.timer is None or not call.timeout:
            self._watch(call)
        return [(callee, _invocation(call, rest))]

    def _reroute(self, call: Call) -> Out:
        """The call to the next callee, or the end of it (advanced profile, "Call Re-Routing").

        The time of the caller goes on.
        """
        call.tried.append(call.callee)
        registration = self.registrations.find(call.registration)
        message = call.message
        while message is not None and registration is not None:
            slot = self.registrations.pick(registration, call.tried)
            if slot is None:
                break
            if _missing(slot.session, call.feature, call.more) is not None:
                call.tried.append(slot.session)
                continue
            self._release(call)
            call.slot = slot
            self._counters["calls rerouted"] += 1
            return self._invoke(call, registration, message[2], payload(message, 4))
        self._close(call)
        text = f"no callee of {call.procedure[:80]} is available"
        return [(call.caller, error(CALL, call.request, _NO_CALLEE, [text]))]

    def _settle(self, call: Call) -> None:
        """The call stays with its callee: forget what another one would need."""
        self._peers[call.caller].held -= call.octets
        call.message, call.octets = None, 0

    def _details(
        self, call: Call, registration: Registration, options: dict[str, Any]
    ) -> tuple[dict[str, Any], bool]:
        """The details of the INVOCATIONs, and whether there may be progressive results."""
        caller, callee, slot = call.caller, call.callee, call.slot
        details: dict[str, Any] = {}
        if self._config.disclose or slot.disclose or options.get("disclose_me"):
            details = caller.disclosed("caller")
        if self._config.trust and callee.announces("callee", "call_trustlevels"):
            details["trustlevel"] = self._config.trust_in(caller.authrole, call.procedure)
        if registration.match != "exact":
            details["procedure"] = call.procedure
        if slot.forward_timeout and options.get("timeout"):
            details["timeout"] = options["timeout"]
        # A callee that cannot be interrupted could stream to a caller that is long gone: the
        # specification counts it among those without progressive results.
        results = (
            bool(options.get("receive_progress"))
            and caller.announces("caller", "progressive_call_results")
            and callee.announces("callee", "progressive_call_results")
            and callee.announces("callee", "call_canceling")
        )
        if results:
            details["receive_progress"] = True
        return details, results

    def _watch(self, call: Call) -> None:
        """Begin (again) to wait for a result, as long as the caller wants to.

        Source: advanced profile, "Call Timeouts"; "Progressive Call Results", "Timeouts".
        """
        if call.timer is not None:
            call.timer.cancel()
            call.timer = None
        if call.timeout:
            call.timer = self._later(call.timeout / 1000, lambda: self._late(call))

    def _late(self, call: Call) -> Out:
        call.timer = None
        able = call.callee.announces("callee", "call_canceling")
        text = f"no result within {call.timeout} ms"
        answer = error(CALL, call.request, _TIMEOUT, [text])
        return self._stop(call, answer, "killnowait" if able else "skip")

    def _stop(self, call: Call, answer: Message, mode: str) -> Out:
        """End a call towards its caller with `answer`, by `skip` or `killnowait`."""
        out: Out = [(call.caller, answer)]
        if mode == "killnowait" and not call.killed:
            out.append((call.callee, _interrupt(call, mode)))
        self._discard(call, release=mode == "killnowait")
        return out

    def _opaque(self, call: Call, feature: str | None, still: bool) -> Out:
        """An answer in a form that its caller cannot take.

        Advanced profile, "Payload Passthru Mode", has the callee told; but no ERROR may name
        YIELD as its request, while the caller waits for an answer: so the caller is told.
        still: the callee is at work and is stopped.
        """
        text = f"the callee answered with a payload that needs {feature}"
        out: Out = [(call.caller, error(CALL, call.request, _UNSUPPORTED, [text]))]
        if still:
            return out + self._abandon(call)
        self._close(call)
        return out

    def _open(self, session: Session, invocation: int, what: str, progress: bool) -> Call | None:
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
        elif not peer.discarded.forgot(invocation):
            raise RemoteProtocolError(f"{what} for invocation {invocation}, which is not open")
        self._counters["answers nobody waited for"] += 1
        return None

    def _close(self, call: Call) -> None:
        if call.timer is not None:
            call.timer.cancel()
            call.timer = None
        self._settle(call)
        self._release(call)
        caller = self._peers[call.caller]
        del caller.calls[call.request]
        if call.more:
            caller.unfinished.add(call.request, call.procedure)

    def _release(self, call: Call) -> None:
        """The callee has nothing to do with the call any more."""
        call.slot.active -= 1
        del self._peers[call.callee].invocations[call.invocation]

    def _discard(self, call: Call, release: bool) -> None:
        """End a call towards its caller; the callee's answer will be dropped.

        release: the callee was told to stop and no longer counts against its concurrency.
        """
        self._close(call)
        if not release:
            call.slot.active += 1
        slot = self._peers[call.callee].discarded.add(
            call.invocation, None if release else call.slot
        )
        if slot is not None:
            slot.active -= 1

    def _abandon(self, call: Call) -> Out:
        """End a call whose caller cannot be answered (basic profile, "Caller Leaving")."""
        can = call.callee.announces("callee", "call_canceling")
        self._discard(call, release=can)
        if not can or call.killed or call.callee is call.caller:
            return []
        return [(call.callee, _interrupt(call, "killnowait"))]


def _missing(callee: Session, feature: str | None, more: bool) -> str | None:
    """What a callee must have announced to take a call, and has not."""
    if more and not (
        callee.announces("callee", "progressive_call_invocations")
        and callee.announces("callee", "call_canceling")
    ):
        return "progressive_call_invocations with call_canceling"
    return None if _takes(callee, "callee", feature) else feature


def _takes(session: Session, role: str, feature: str | None) -> bool:
    return feature is None or session.announces(role, feature)


def _invocation(call: Call, rest: Message) -> Message:
    details = {**call.details, "progress": True} if call.more else call.details
    return [INVOCATION, call.invocation, call.registration, details, *rest]


def _interrupt(call: Call, mode: str) -> Message:
    return [INTERRUPT, call.invocation, {"mode": mode}]


def _other(request: int, known: str, procedure: str) -> str:
    return f"CALL {request} is of {known[:60]}, not of {procedure[:60]}"


def _unfit(request: int, uri: str, why: str | None, who: str) -> Message:
    text = why or f"the message is longer than {who} accepts"
    return error(CALL, request, uri, [text])
