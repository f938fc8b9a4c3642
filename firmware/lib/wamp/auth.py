"""The logins (WAMP advanced profile, "Authentication"): what they share, and ticket.

An object of these classes says all that the client needs to know of a login:

method              the authmethod to offer in HELLO, the only one to accept in CHALLENGE
needs_private_link  True: must not be used where others can read the link
unproved            True: the router owes this login a proof of who it is. Until it has given it,
                    no CHALLENGE of another login is answered, and no WELCOME accepted; an object
                    without this attribute is owed none
prepare()           generator; what can be computed before HELLO, so that `hello` returns at once
hello(details)      writes authid and authextra into HELLO's details
challenge(extra)    generator; returns the signature and the extra dict of AUTHENTICATE. Called
                    once for each CHALLENGE: two rounds may name one method, or two
confirm(details)    where `unproved`: raises AuthenticationError unless WELCOME has the proof
welcome(details)    of the login that the router chose; raises AuthenticationError where the
                    session must not be entered

The generators yield None every few milliseconds of device time; wamp.ed25519.run drives one
without a pause. A challenge that is malformed raises RemoteProtocolError, one that this side
cannot or will not answer AuthenticationError. No secret is ever part of a repr or an error.

The other logins have modules of their own, loaded when they are first used: Anonymous in
`authanonymous`, CRA in `authcra`, Cryptosign in `authcryptosign`, Scram in `authscram`,
CrossbarScram in `authcrossbarscram`, TOTP in `authtotp`. The classes can be had from here too.
"""

import sys

from .errors import AuthenticationError, ConfigurationError, say


class Authenticator:
    """What the logins share; not a login itself."""

    method = ""
    needs_authid = True
    needs_private_link = False
    unproved = False

    def __init__(self, authid=None):
        if not (isinstance(authid, str) and authid or authid is None and not self.needs_authid):
            raise say(ConfigurationError, "authid")
        self.authid = authid

    def __repr__(self):
        return "%s(authid=%r)" % (self.__class__.__name__, self.authid)

    def prepare(self):
        """Generator; nothing to compute ahead."""
        yield

    def hello(self, details):
        """Write the authid, if there is one, into HELLO's details."""
        if self.authid is not None:
            details["authid"] = self.authid

    def challenge(self, extra):
        """Generator; here it raises AuthenticationError, for lack of an answer."""
        yield
        raise say(AuthenticationError, "login")

    def confirm(self, details):
        """Raise AuthenticationError where `unproved`."""
        if self.unproved:
            raise say(AuthenticationError, "unproved", self.method)

    def welcome(self, details):
        """Raise AuthenticationError when WELCOME names another method than the one offered, or
        the router still owes a proof."""
        self.confirm(details)
        method = details.get("authmethod")
        if method is not None and method != self.method:
            raise say(AuthenticationError, "method", self.method)


class Ticket(Authenticator):
    """The ticket itself goes to the router (authmethod "ticket").

    Whoever reads the link can log in with it from then on. On a serial line that includes the
    bridge. The client therefore refuses to use it where the link is not private, unless
    `allow_clear` is True.
    """

    method = "ticket"

    def __init__(self, authid, ticket, allow_clear=False):
        super().__init__(authid)
        if not isinstance(ticket, str):
            raise say(ConfigurationError, "ticket")
        self._ticket = ticket
        self.needs_private_link = not allow_clear

    def challenge(self, extra):
        """Generator; returns the ticket and {}."""
        yield
        return self._ticket, {}


def __getattr__(name):
    # CRA is in authcra, and so on; the package loads its modules when they are asked for.
    return getattr(getattr(sys.modules["wamp"], "auth" + name.lower()), name)
