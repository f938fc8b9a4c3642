"""The other end of a session under test: what was sent, a login, and a session that is joined."""

from wamp import session

SESSION = 9129137332
ROLES = {"broker": {"features": {"publisher_exclusion": True}}, "dealer": {"features": {}}}
WELCOME = [2, SESSION, {"roles": ROLES, "realm": "devices"}]


class Wire:
    """Takes messages; `error`, when set, is raised instead."""

    def __init__(self):
        self.sent = []
        self.error = None

    def send(self, message):
        if self.error is not None:
            raise self.error
        self.sent.append(list(message))

    def take(self):
        """The messages since the last time."""
        sent, self.sent = self.sent, []
        return sent


class Login:
    """An authenticator; `error` is raised by `welcome`, whose arguments are kept."""

    def __init__(self, method, authid=None, error=None):
        self.method = method
        self.authid = authid
        self.error = error
        self.welcomed = []

    def hello(self, details):
        if self.authid is not None:
            details["authid"] = self.authid

    def welcome(self, details):
        self.welcomed.append(details)
        if self.error is not None:
            raise self.error


def joining(*logins, **options):
    """(protocol, wire) after HELLO."""
    wire = Wire()
    protocol = session.Protocol(wire.send, **options)
    protocol.join("devices", logins)
    wire.take()
    return protocol, wire


def joined(*features, **options):
    """(protocol, wire) after WELCOME of a router that has these features in both roles."""
    protocol, wire = joining(**options)
    welcome = WELCOME
    if features:
        has = {"features": {feature: True for feature in features}}
        welcome = [2, SESSION, {"roles": {"broker": has, "dealer": has}}]
    assert protocol.receive(welcome)[0] == session.JOINED
    return protocol, wire


def subscribed(protocol, wire, subscription=77, entry="entry"):
    """Subscribe and let the router confirm."""
    request = protocol.subscribe("handle", "com.topic", entry)
    wire.take()
    report = protocol.receive([33, request, subscription])
    assert report == (session.DONE, "handle", subscription)


def registered(protocol, wire, registration=88, entry="entry"):
    """Register and let the router confirm."""
    request = protocol.register("handle", "com.procedure", entry)
    wire.take()
    report = protocol.receive([65, request, registration])
    assert report == (session.DONE, "handle", registration)
