"""What the tests of logins share: a session whose router they play."""

from wamp import session
from wamp.ed25519 import run


class Router:
    """The other end of a session; what it is told is in `told`."""

    def __init__(self, *logins):
        self.told = []
        self.protocol = session.Protocol(self.told.append)
        self.protocol.join("realm1", logins)

    def says(self, *message):
        """What the session reports of a message."""
        return self.protocol.receive(list(message))

    def answered(self, report):
        """Answer a CHALLENGE that was reported."""
        assert report[0] == session.CHALLENGED, report
        self.protocol.authenticate(*run(report[1].challenge(report[2])))


WELCOME = {"roles": {"broker": {}, "dealer": {}}}


def welcome(**details):
    details.update(WELCOME)
    return details
