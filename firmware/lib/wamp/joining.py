"""The beginning of a session, from HELLO to WELCOME: loaded for it, and let go when it is over."""

import sys

from .errors import LocalProtocolError, RemoteProtocolError, say

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_HELLO = const(1)
_WELCOME = const(2)
_CHALLENGE = const(4)
_AUTHENTICATE = const(5)
_CHALLENGED = const(1)
_JOINED = const(2)
_ENDED = const(3)
_CLOSED = const(0)
_JOINING = const(1)
_ESTABLISHED = const(2)

# What the roles of this client can do beyond the basic profile: announced in HELLO, and nothing
# that is not implemented (WAMP advanced profile, "Feature Announcement"). payload_transparency is
# crossbar's word for payload_passthru_mode.
FEATURES = {
    "publisher": (
        "payload_passthru_mode",
        "payload_transparency",
        "publisher_exclusion",
        "publisher_identification",
        "subscriber_blackwhite_listing",
    ),
    "subscriber": (
        "pattern_based_subscription",
        "payload_passthru_mode",
        "payload_transparency",
        "publication_trustlevels",
        "publisher_identification",
        "subscription_revocation",
    ),
    "caller": (
        "call_canceling",
        "call_timeout",
        "caller_identification",
        "payload_passthru_mode",
        "payload_transparency",
        "progressive_call_invocations",
        "progressive_call_results",
    ),
    "callee": (
        "call_canceling",
        "call_timeout",
        "call_trustlevels",
        "caller_identification",
        "pattern_based_registration",
        "payload_passthru_mode",
        "payload_transparency",
        "progressive_call_invocations",
        "progressive_call_results",
        "registration_revocation",
        "shared_registration",
    ),
}

# The modules that only the beginning needs, and what the end before may have loaded
_PASSING = (
    "_opening",
    "_urls",
    "_mpsockets",
    "_tls",
    "joining",
    "handshake",
    "seldom",
    "words",
    "_rejoin",
)

# A challenge may be followed by a second one (two factors), not by many.
_CHALLENGES_MAX = const(3)


def join(self, realm, auth=(), agent=None):
    """Send HELLO; a method of `session.Protocol`, as the next one. auth: authenticators in the
    order of preference; none means anonymous.

    Raises LocalProtocolError in a session that is not closed.
    """
    if self.state != _CLOSED:
        raise say(LocalProtocolError, "open")
    joining = Joining(auth)
    self._send([_HELLO, realm, joining.hello(agent)])
    self._joining = joining
    self.state = _JOINING


def authenticate(self, signature, extra):
    """Answer CHALLENGED. signature: text; extra: dictionary."""
    if self.state == _JOINING:
        self._send([_AUTHENTICATE, signature, extra])


def roles():
    """The `roles` dictionary of HELLO: every role with its features (WAMP advanced profile)."""
    found = {}
    for role in FEATURES:
        features = {}
        for name in FEATURES[role]:
            features[name] = True
        found[role] = {"features": features}
    return found


class Joining:
    """What a session is until it is welcomed.

    auth: authenticators in the order of preference; none means anonymous.
    """

    def __init__(self, auth):
        self._auth = auth
        self._challenges = 0
        self._chosen = None  # the authenticator that was asked for last

    def hello(self, agent):
        """The details of HELLO."""
        details = {"roles": roles()}
        if agent:
            details["agent"] = agent
        if self._auth:
            details["authmethods"] = [a.method for a in self._auth]
            for a in self._auth:
                a.hello(details)
        return details

    def receive(self, protocol, code, message):
        """Take a message for a session that is being opened; returns a report.

        Raises RemoteProtocolError, and what an authenticator does not accept.
        """
        if code == _WELCOME:
            details = message[2]
            self._welcome(details)
            protocol._joining = None
            protocol.session = message[1]
            protocol.details = details
            protocol.state = _ESTABLISHED
            let_go()
            return (_JOINED, details)
        if code == _CHALLENGE:
            self._challenges += 1
            if self._challenges > _CHALLENGES_MAX:
                raise say(RemoteProtocolError, "again", self._challenges)
            for a in self._auth:
                if a.method != message[1] and getattr(a, "unproved", False):
                    a.confirm({})  # raises: nothing is told to a router that may be another one
            for a in self._auth:
                if a.method == message[1]:
                    self._chosen = a
                    return (_CHALLENGED, a, message[2])
            offered = ", ".join([a.method for a in self._auth]) or "anonymous"
            text = "the router asks for %s, offered was %s" % (message[1][:32], offered)
            reason = "wamp.error.no_matching_auth_method"
            protocol.abort(reason, text)
            from .failures import SessionAborted

            return (_ENDED, SessionAborted(reason, text))
        return protocol.heard(code, message)

    def _welcome(self, details):
        roles = details.get("roles")
        if type(roles) is not dict or not ("broker" in roles or "dealer" in roles):
            raise say(RemoteProtocolError, "roles")
        if self._auth:
            # The method that WELCOME names; else the one that was asked for last.
            method = details.get("authmethod")
            chosen = self._chosen or self._auth[0]
            for a in self._auth:
                if a.method == method:
                    chosen = a
            for a in self._auth:
                if a is not chosen and getattr(a, "unproved", False):
                    a.confirm(details)
            chosen.welcome(details)


def let_go():
    """Free the memory of what only the beginning needs, and what the end of the session before
    needed; it is loaded anew when it is needed again.

    A host keeps it: it has the room, and may join often.
    """
    if sys.implementation.name == "micropython":
        package = sys.modules["wamp"]
        for name in _PASSING:
            sys.modules.pop("wamp." + name, None)
            try:
                delattr(package, name)
            except (AttributeError, KeyError):
                pass  # it was not loaded; asking with hasattr would load it
