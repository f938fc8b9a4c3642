"""The logins that need this system's randomness or clock. Part of the I/O edge.

`wamp.Scram`, `wamp.CrossbarScram` and `wamp.TOTP` are the functions of this module,
`wamp.Cryptosign` is that of wamp.keyfile.
"""

import os
import time


def scram(authid, password):
    """The login of wamp.authscram.Scram."""
    from .authscram import Scram

    return Scram(authid, password, os.urandom)


def crossbar_scram(authid, password):
    """The login of wamp.authcrossbarscram.CrossbarScram."""
    from .authcrossbarscram import CrossbarScram

    return CrossbarScram(authid, password, os.urandom)


def totp(authid, secret, allow_clear=False):
    """The login of wamp.authtotp.TOTP, by this system's clock."""
    from .authtotp import TOTP

    return TOTP(authid, secret, utc, allow_clear)


def utc():
    """Seconds since 1970 by this system's clock."""
    # Some ports of MicroPython count from 2000.
    return int(time.time()) + (946684800 if time.gmtime(0)[0] == 2000 else 0)
