"""A ticket that is good for half a minute: TOTP (RFC 6238), as authenticator apps show it."""

from . import kdf
from .auth import Ticket
from .errors import AuthenticationError, ConfigurationError

_PERIOD_S = 30
_DIGITS = 6

# No clock that was set is behind the year of this module; a board's begins in 2000 or 2021.
_EARLIEST = 1735689600  # 2025-01-01


class TOTP(Ticket):
    """The code of the moment goes to the router as ticket (authmethod "ticket").

    secret: octets, or base32 text as apps take it (case, blanks and padding do not matter).
    clock: a function that returns seconds since 1970. A device must have its clock set: by NTP, or
    on a serial line by the bridge. Whoever reads the link can log in with the code while it is
    good, so it is refused where the link is not private, unless `allow_clear` is True.
    """

    def __init__(self, authid, secret, clock, allow_clear=False):
        super().__init__(authid, "", allow_clear)
        if isinstance(secret, str):
            secret = base32(secret)
        if not isinstance(secret, bytes) or not secret:
            raise ConfigurationError("the TOTP secret must be base32 text or bytes, not empty")
        self._ticket = secret
        self._clock = clock

    def challenge(self, extra):
        """Generator; returns the code and {}."""
        yield
        seconds = int(self._clock())
        if seconds < _EARLIEST:
            raise AuthenticationError(
                "TOTP needs the time, and the clock of this device is not set: set it by NTP, or "
                "let the bridge of a serial line do it, before the client starts"
            )
        return totp(self._ticket, seconds), {}


def totp(secret, seconds, digits=_DIGITS):
    """The code, a text of digits, of the octets `secret` at `seconds` since 1970 (HMAC-SHA-1)."""
    code = kdf.hmac_sha1(secret, (seconds // _PERIOD_S).to_bytes(8, "big"))
    start = code[19] & 15
    number = int.from_bytes(code[start : start + 4], "big") & 0x7FFFFFFF
    text = "%010d" % number
    return text[-digits:]


def base32(text):
    """The octets of base32 text (RFC 4648); ConfigurationError where it is none."""
    number = bits = 0
    octets = bytearray()
    for letter in text.upper().replace(" ", "").rstrip("="):
        value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter)
        if value < 0:
            raise ConfigurationError("the TOTP secret is not base32 text")
        number = (number << 5 | value) & 0xFFF
        bits += 5
        if bits >= 8:
            bits -= 8
            octets.append(number >> bits & 0xFF)
    return bytes(octets)
