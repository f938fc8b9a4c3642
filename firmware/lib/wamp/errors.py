"""The one exception tree: the class of an error tells whose fault it was and what to do next.

The classes that a session which goes well never needs stand in `failures`, and are loaded when
they are first asked for; they can be had from here too.
"""

import sys


class Error(Exception):
    """Base of everything this library raises on purpose."""


class ConfigurationError(Error):
    """A URL, key file, option or argument that cannot work; found before anything is sent."""


class ProtocolError(Error):
    """WAMP, RawSocket, CBOR or the link used against its rules."""


class LocalProtocolError(ProtocolError):
    """Our own side asked for something the protocol does not allow; nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol: the one type for bad octets from a wire, at every layer."""


class TransportError(Error):
    """The transport could not be opened or used; trying again later may help."""


class TransportLost(TransportError):
    """The session ended under a request that was in flight; whether it took effect is unknown."""


class AuthenticationError(Error):
    """Our side cannot or will not log in this way: no key, a weaker method, a false router."""


def say(error, key, *values):
    """An error of this class with the sentence that `words` has under this key."""
    from .words import sentence

    return error(sentence(key, values))


def __getattr__(name):
    if name[0] == "_":
        raise AttributeError(name)  # what the interpreter looks for in modules
    from . import failures

    found = globals()[name] = getattr(failures, name)
    return found


if sys.implementation.name != "micropython":
    __import__("wamp.uris")
