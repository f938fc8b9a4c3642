"""WAMP for microcontrollers: `wamp.Client` and what it needs, loaded when first used."""

import sys

__version__ = "0.1.0"

# Where a public name stands; other names that begin with a capital are classes of `errors`.
_WHERE = {
    "Client": "client",
    "Declaration": "declarations",
    "Result": "results",
    "Anonymous": "authanonymous",
    "Ticket": "auth",
    "CRA": "authcra",
    "Scram": "logins.scram",
    "CrossbarScram": "logins.crossbar_scram",
    "TOTP": "logins.totp",
    "Cryptosign": "keyfile.cryptosign",  # from a file; auth.Cryptosign is the one from octets
}


def __getattr__(name):
    module = _WHERE.get(name, "errors" if name[:1].isupper() else None)
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
