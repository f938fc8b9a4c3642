"""WAMP for microcontrollers: `wamp.Client` and what it needs, loaded when first used."""

import sys

__version__ = "0.1.0"

_WHERE = {
    "Client": "client",
    "Declaration": "declarations",
    "Result": "requests",
    "Anonymous": "auth",
    "Ticket": "auth",
    "CRA": "authcra",
    "Cryptosign": "keyfile.cryptosign",  # from a file; authcryptosign.Cryptosign: from octets
    "Scram": "logins.scram",
    "CrossbarScram": "logins.crossbar_scram",
    "TOTP": "logins.totp",
    "Error": "errors",
    "ConfigurationError": "errors",
    "ProtocolError": "errors",
    "LocalProtocolError": "errors",
    "RemoteProtocolError": "errors",
    "TransportError": "errors",
    "HandshakeRefused": "errors",
    "TransportLost": "errors",
    "RequestTimeout": "errors",
    "AuthenticationError": "errors",
    "SessionAborted": "errors",
    "ApplicationError": "errors",
}


def __getattr__(name):
    module = _WHERE.get(name)
    if module is None:
        # MicroPython asks here for modules too: `from . import rawsocket`.
        try:
            __import__("wamp." + name)
        except ImportError:
            raise AttributeError("wamp has no " + name)
        return sys.modules["wamp." + name]
    module, _, attribute = module.partition(".")
    attribute = attribute or name
    found = getattr(__import__("wamp." + module, None, None, (attribute,)), attribute)
    globals()[name] = found
    return found
