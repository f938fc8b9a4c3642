"""The host's table of WAMP messages: type and meaning of every element and option.

Numbers, element layout and option names are those of the core's table (`wamp.messages`);
tests/conformance/test_message_tables.py holds one against the other. The classes in this package
are generated from here (host/tools/gen_messages.py), and the FlatBuffers schema has its slots
under the same names. Nothing here is needed at run time by those who only use messages.

Kinds of values, each with its check in `_check.py`:
id (1 to 2^53), id0 (0 too), uri (loose), pattern (loose; empty components as `match` allows),
realm (uri or None), code (type of a request), str, bool, count (0 or more), positive (1 or more),
dict (string keys), any, ids / strs (lists of), hops (list of {session, authid, authrole}), match,
invoke, cancel and interrupt (words), args, kwargs, algo and encoding (words of enc_algo and
enc_serializer), scheme, pptser and cipher (words of ppt_scheme, ppt_serializer, ppt_cipher),
clientroles / routerroles (role name to features). A trailing "?" allows null on the wire, which
then means absent.
"""

from __future__ import annotations

from typing import NamedTuple


class Element(NamedTuple):
    """A positional element after the code: attribute name, kind, whether it must be there."""

    name: str
    kind: str
    required: bool
    doc: str


class Option(NamedTuple):
    """A key of the options or details dictionary.

    key: on the wire. name: of the attribute and constructor keyword. beyond: not in the API
    reference, so its keyword comes after the reference's. default: of the attribute, what the
    specification says that absence means.
    """

    key: str
    name: str
    kind: str
    doc: str
    beyond: bool = False
    default: str | None = None


class Row(NamedTuple):
    """One message.

    code: number on the wire. name: of the class. elements: after the code, where "options",
    "details" or "extra" of kind "dict" with options below is the dictionary that holds them.
    order: constructor parameters in the reference's order (all others follow it). defaults: of
    those that are not simply required (elements) or None (options).
    """

    code: int
    name: str
    doc: str
    elements: tuple[Element, ...]
    options: tuple[Option, ...] = ()
    order: tuple[str, ...] = ()
    defaults: dict[str, str] = {}
    constants: tuple[tuple[str, str], ...] = ()
    payload: bool = False
    passthru: bool = False


def _same(name: str, kind: str, doc: str, beyond: bool = False) -> Option:
    return Option(name, name, kind, doc, beyond)


# --- elements ------------------------------------------------------------------------------------

_REQUEST = Element("request", "id", True, "Request id (WAMP basic profile, IDs).")
_OPTIONS = Element("options", "dict", True, "Options.")
_DETAILS = Element("details", "dict", True, "Details.")
_ARGS = Element("args", "args", False, "Positional application payload.")
_KWARGS = Element("kwargs", "kwargs", False, "Keyword application payload.")
_PAYLOAD = (_ARGS, _KWARGS)

# --- options that several messages share ---------------------------------------------------------

_ENC = (
    _same("enc_algo", "algo?", "Payload transparency: what was done to the payload."),
    _same("enc_key", "str?", "Payload transparency: the key that was used."),
    _same("enc_serializer", "encoding?", "Payload transparency: how the payload was serialized."),
)
_PPT = (
    _same("ppt_scheme", "scheme?", "Payload passthru: the scheme.", True),
    _same("ppt_serializer", "pptser?", "Payload passthru: how the payload was serialized.", True),
    _same("ppt_cipher", "cipher?", "Payload passthru: the cipher of an encrypted payload.", True),
    _same("ppt_keyid", "str?", "Payload passthru: which key was used.", True),
)
PASSTHRU = _ENC + _PPT
_FORWARD_FOR = _same("forward_for", "hops", "Sessions this was forwarded for, the first first.")
_TRANSACTION = _same("transaction_hash", "str", "For throttling and deduplication in the router.")
_CALLER = (
    _same("caller", "id", "Session id of the caller, if disclosed."),
    _same("caller_authid", "str", "Authid of the caller, if disclosed."),
    _same("caller_authrole", "str", "Authrole of the caller, if disclosed."),
)
_CALLEE = (
    _same("callee", "id", "Session id of the callee, if disclosed."),
    _same("callee_authid", "str", "Authid of the callee, if disclosed."),
    _same("callee_authrole", "str", "Authrole of the callee, if disclosed."),
)
_TIMEOUT = _same("timeout", "count", "Milliseconds until the call is canceled; 0: never.")
_RECEIVE_PROGRESS = _same("receive_progress", "bool", "Progressive results are welcome.")
_RESULT_PROGRESS = _same("progress", "bool", "Not the last result of this call.")
_CALL_PROGRESS = _same("progress", "bool", "Not the last part of this call.", True)
_DISCLOSE_ME = _same("disclose_me", "bool", "Tell the receiver who sends this.", True)
_TRUSTLEVEL = _same("trustlevel", "count", "Trust level that the router assigned.", True)
_MATCH = Option(
    "match", "match", "match", "How the URI matches: exact, prefix or wildcard.", default="exact"
)
_MATCHES = (
    ("MATCH_EXACT", "exact"),
    ("MATCH_PREFIX", "prefix"),
    ("MATCH_WILDCARD", "wildcard"),
)
_AGENT = _same("agent", "str?", "Name and version of the software.", True)
_MESSAGE = _same("message", "str", "A sentence for people.")

# --- the messages --------------------------------------------------------------------------------

ROWS = (
    Row(
        1,
        "Hello",
        "A client asks to join a realm.",
        (Element("realm", "realm", True, "Realm; None lets the router decide."), _DETAILS),
        (
            _same("roles", "clientroles", "Roles of the client and their features."),
            _same("authmethods", "strs", "Authentication methods, the preferred one first."),
            _same("authid", "str", "Authid to join as."),
            _same("authrole", "str", "Authrole to join as."),
            _same("authextra", "dict", "What the authentication method needs besides."),
            _same("resumable", "bool", "Whether this session should be resumable."),
            Option("resume-session", "resume_session", "id", "Session to resume."),
            Option("resume-token", "resume_token", "str", "Token to resume it with."),
            _AGENT,
        ),
        order=("realm", "roles"),
    ),
    Row(
        2,
        "Welcome",
        "The router accepts a session.",
        (Element("session", "id", True, "Session id."), _DETAILS),
        (
            _same("roles", "routerroles", "Roles of the router and their features."),
            _same("realm", "str?", "Realm that was joined."),
            _same("authid", "str?", "Authid that was assigned."),
            _same("authrole", "str?", "Authrole that was assigned."),
            _same("authmethod", "str?", "Authentication method in use."),
            _same("authprovider", "str?", "Who authenticated."),
            _same("authextra", "dict?", "What the authentication method adds."),
            _same("resumed", "bool", "Whether this session was resumed."),
            _same("resumable", "bool", "Whether this session can be resumed later."),
            _same("resume_token", "str", "Token to resume it with."),
            _AGENT,
        ),
        order=("session", "roles"),
    ),
    Row(
        3,
        "Abort",
        "Ends a session that is being opened, or one in which the protocol was violated.",
        (_DETAILS, Element("reason", "uri", True, "Why, as a URI."), *_PAYLOAD),
        (_MESSAGE,),
        order=("reason", "message"),
        payload=True,
    ),
    Row(
        4,
        "Challenge",
        "The router asks the client to prove who it is.",
        (
            Element("method", "str", True, "Authentication method."),
            Element("extra", "dict", True, "What the method needs."),
        ),
        order=("method", "extra"),
        defaults={"extra": "None"},
    ),
    Row(
        5,
        "Authenticate",
        "The client's answer to CHALLENGE.",
        (
            Element("signature", "str", True, "Signature, ticket or proof."),
            Element("extra", "dict", True, "What the method needs."),
        ),
        order=("signature", "extra"),
        defaults={"extra": "None"},
    ),
    Row(
        6,
        "Goodbye",
        "Ends a session, or answers the other side's GOODBYE.",
        (_DETAILS, Element("reason", "uri", True, "Why, as a URI."), *_PAYLOAD),
        (_MESSAGE, _same("resumable", "bool", "Whether the session can be resumed.")),
        order=("reason", "message"),
        defaults={"reason": "'wamp.close.normal'"},
        constants=(("DEFAULT_REASON", "wamp.close.normal"),),
        payload=True,
    ),
    Row(
        8,
        "Error",
        "A request failed.",
        (
            Element("request_type", "code", True, "Code of the request that failed."),
            Element("request", "id", True, "Its request id."),
            _DETAILS,
            Element("error", "uri", True, "What went wrong, as a URI."),
            *_PAYLOAD,
        ),
        (*_ENC, *_CALLEE, _FORWARD_FOR, *_PPT),
        payload=True,
        passthru=True,
    ),
    Row(
        16,
        "Publish",
        "Publishes an event.",
        (_REQUEST, _OPTIONS, Element("topic", "uri", True, "Topic."), *_PAYLOAD),
        (
            _same("acknowledge", "bool", "Whether PUBLISHED or ERROR should answer."),
            _same("exclude_me", "bool", "Whether the publisher gets nothing (by default true)."),
            _same("exclude", "ids", "Session ids that get nothing."),
            _same("exclude_authid", "strs", "Authids that get nothing."),
            _same("exclude_authrole", "strs", "Authroles that get nothing."),
            _same("eligible", "ids", "The only session ids that get it."),
            _same("eligible_authid", "strs", "The only authids that get it."),
            _same("eligible_authrole", "strs", "The only authroles that get it."),
            _same("retain", "bool", "Whether the broker keeps it for later subscribers."),
            _TRANSACTION,
            *_ENC,
            _FORWARD_FOR,
            *_PPT,
            _DISCLOSE_ME,
        ),
        defaults={"request": "None", "topic": "None"},
        payload=True,
        passthru=True,
    ),
    Row(
        17,
        "Published",
        "Answers an acknowledged PUBLISH.",
        (_REQUEST, Element("publication", "id", True, "Publication id.")),
    ),
    Row(
        32,
        "Subscribe",
        "Subscribes to a topic or a pattern of topics.",
        (_REQUEST, _OPTIONS, Element("topic", "pattern", True, "Topic, or pattern.")),
        (
            _MATCH,
            _same("get_retained", "bool", "Whether the retained event is wanted."),
            _FORWARD_FOR,
        ),
        constants=_MATCHES,
    ),
    Row(
        33,
        "Subscribed",
        "Answers SUBSCRIBE.",
        (_REQUEST, Element("subscription", "id", True, "Subscription id.")),
    ),
    Row(
        34,
        "Unsubscribe",
        "Ends a subscription.",
        (
            _REQUEST,
            Element("subscription", "id", True, "Subscription id."),
            Element("options", "dict", False, "Options."),
        ),
        (_FORWARD_FOR,),
    ),
    Row(
        35,
        "Unsubscribed",
        "Answers UNSUBSCRIBE, or with request 0 tells that the router ended a subscription.",
        (
            Element("request", "id0", True, "Request id; 0 for a revocation."),
            Element("details", "dict", False, "Details."),
        ),
        (
            _same("subscription", "id", "The subscription that was revoked."),
            _same("reason", "uri", "Why it was revoked."),
        ),
    ),
    Row(
        36,
        "Event",
        "An event for a subscriber.",
        (
            Element("subscription", "id", True, "Subscription id."),
            Element("publication", "id", True, "Publication id."),
            _DETAILS,
            *_PAYLOAD,
        ),
        (
            _same("publisher", "id", "Session id of the publisher, if disclosed."),
            _same("publisher_authid", "str", "Authid of the publisher, if disclosed."),
            _same("publisher_authrole", "str", "Authrole of the publisher, if disclosed."),
            _same("topic", "uri", "Topic, for a subscription to a pattern."),
            _same("retained", "bool", "Whether this is the retained event of the topic."),
            _TRANSACTION,
            _same("x_acknowledged_delivery", "bool", "Whether EVENT_RECEIVED should answer."),
            *_ENC,
            _FORWARD_FOR,
            *_PPT,
            _TRUSTLEVEL,
        ),
        defaults={"subscription": "None", "publication": "None"},
        payload=True,
        passthru=True,
    ),
    Row(
        337,
        "EventReceived",
        "A subscriber confirms an event (an extension of crossbar and autobahn).",
        (Element("publication", "id", True, "Publication id of the event."),),
    ),
    Row(
        48,
        "Call",
        "Calls a procedure.",
        (_REQUEST, _OPTIONS, Element("procedure", "uri", True, "Procedure."), *_PAYLOAD),
        (
            _TIMEOUT,
            _RECEIVE_PROGRESS,
            _TRANSACTION,
            *_ENC,
            *_CALLER,
            _FORWARD_FOR,
            *_PPT,
            _CALL_PROGRESS,
            _DISCLOSE_ME,
        ),
        payload=True,
        passthru=True,
    ),
    Row(
        49,
        "Cancel",
        "Cancels a call.",
        (_REQUEST, _OPTIONS),
        (_same("mode", "cancel", "How: skip, kill or killnowait."), _FORWARD_FOR),
        constants=(("SKIP", "skip"), ("KILL", "kill"), ("KILLNOWAIT", "killnowait")),
    ),
    Row(
        50,
        "Result",
        "The result of a call, or a part of it.",
        (_REQUEST, _DETAILS, *_PAYLOAD),
        (_RESULT_PROGRESS, *_ENC, *_CALLEE, _FORWARD_FOR, *_PPT),
        payload=True,
        passthru=True,
    ),
    Row(
        64,
        "Register",
        "Registers a procedure or a pattern of procedures.",
        (_REQUEST, _OPTIONS, Element("procedure", "pattern", True, "Procedure, or pattern.")),
        (
            _MATCH,
            Option(
                "invoke",
                "invoke",
                "invoke",
                "Which of several callees is invoked.",
                default="single",
            ),
            _same("concurrency", "positive", "Invocations that may run at a time."),
            _same("force_reregister", "bool", "Whether earlier registrations are taken over."),
            _FORWARD_FOR,
            _same("disclose_caller", "bool", "Whether callers must be disclosed.", True),
            _same("forward_timeout", "bool", "Whether the callee keeps the time limit.", True),
        ),
        constants=(
            *_MATCHES,
            ("INVOKE_SINGLE", "single"),
            ("INVOKE_FIRST", "first"),
            ("INVOKE_LAST", "last"),
            ("INVOKE_ROUNDROBIN", "roundrobin"),
            ("INVOKE_RANDOM", "random"),
        ),
    ),
    Row(
        65,
        "Registered",
        "Answers REGISTER.",
        (_REQUEST, Element("registration", "id", True, "Registration id.")),
    ),
    Row(
        66,
        "Unregister",
        "Ends a registration.",
        (
            _REQUEST,
            Element("registration", "id", True, "Registration id."),
            Element("options", "dict", False, "Options."),
        ),
        (_FORWARD_FOR,),
    ),
    Row(
        67,
        "Unregistered",
        "Answers UNREGISTER, or with request 0 tells that the router ended a registration.",
        (
            Element("request", "id0", True, "Request id; 0 for a revocation."),
            Element("details", "dict", False, "Details."),
        ),
        (
            _same("registration", "id", "The registration that was revoked."),
            _same("reason", "uri", "Why it was revoked."),
        ),
    ),
    Row(
        68,
        "Invocation",
        "The dealer calls a callee.",
        (
            _REQUEST,
            Element("registration", "id", True, "Registration id."),
            _DETAILS,
            *_PAYLOAD,
        ),
        (
            _TIMEOUT,
            _RECEIVE_PROGRESS,
            *_CALLER,
            _same("procedure", "uri", "Procedure, for a registration of a pattern."),
            _TRANSACTION,
            *_ENC,
            _FORWARD_FOR,
            *_PPT,
            _CALL_PROGRESS,
            _TRUSTLEVEL,
        ),
        payload=True,
        passthru=True,
    ),
    Row(
        69,
        "Interrupt",
        "The dealer tells a callee that a call was canceled.",
        (_REQUEST, _OPTIONS),
        (
            _same("mode", "interrupt", "How: kill or killnowait."),
            _same("reason", "uri", "Why, as a URI."),
            _FORWARD_FOR,
        ),
        constants=(("KILL", "kill"), ("KILLNOWAIT", "killnowait")),
    ),
    Row(
        70,
        "Yield",
        "A callee's result, or a part of it.",
        (_REQUEST, _OPTIONS, *_PAYLOAD),
        (_RESULT_PROGRESS, *_ENC, *_CALLEE, _FORWARD_FOR, *_PPT),
        payload=True,
        passthru=True,
    ),
)

# Features by role (WAMP advanced profile, "Feature Announcement", and those that autobahn and
# crossbar add). The first ones stand in autobahn's order; the rest are the specification's.
_PASSING = ("payload_transparency", "payload_encryption_cryptobox", "payload_passthru_mode")
FEATURES = {
    "broker": (
        "publisher_identification",
        "publication_trustlevels",
        "pattern_based_subscription",
        "session_meta_api",
        "subscription_meta_api",
        "subscriber_blackwhite_listing",
        "publisher_exclusion",
        "subscription_revocation",
        "event_history",
        "payload_transparency",
        "x_acknowledged_event_delivery",
        "payload_encryption_cryptobox",
        "event_retention",
        "payload_passthru_mode",
    ),
    "subscriber": (
        "publisher_identification",
        "publication_trustlevels",
        "pattern_based_subscription",
        "subscription_revocation",
        "event_history",
        *_PASSING,
    ),
    "publisher": (
        "publisher_identification",
        "subscriber_blackwhite_listing",
        "publisher_exclusion",
        "payload_transparency",
        "x_acknowledged_event_delivery",
        "payload_encryption_cryptobox",
        "payload_passthru_mode",
    ),
    "dealer": (
        "caller_identification",
        "call_trustlevels",
        "pattern_based_registration",
        "session_meta_api",
        "registration_meta_api",
        "shared_registration",
        "call_timeout",
        "call_canceling",
        "progressive_call_results",
        "registration_revocation",
        "payload_transparency",
        "testament_meta_api",
        "payload_encryption_cryptobox",
        "payload_passthru_mode",
        "progressive_call_invocations",
        "call_reroute",
    ),
    "caller": (
        "caller_identification",
        "call_timeout",
        "call_canceling",
        "progressive_call_results",
        *_PASSING,
        "progressive_call_invocations",
    ),
    "callee": (
        "caller_identification",
        "call_trustlevels",
        "pattern_based_registration",
        "shared_registration",
        "call_timeout",
        "call_canceling",
        "progressive_call_results",
        "registration_revocation",
        *_PASSING,
        "progressive_call_invocations",
        "call_reroute",
    ),
}
