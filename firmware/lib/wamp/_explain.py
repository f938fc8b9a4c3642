"""Errors of sockets, files and TLS in words; loaded when there is one. Part of the I/O edge."""

import time

from .errors import ConfigurationError

# errno: what it means, and what to do. The numbers are Linux's; MicroPython has them on all ports.
_ERRNO = {
    2: "it does not exist",
    13: "no permission (is your user in the group dialout?)",
    16: "it is in use by another program",
    104: "the connection was reset",
    110: "no answer",
    111: "nothing listens there: is the router running?",
    113: "no route to that host",
    101: "no network",
    -2: "the name is not known: check the host in the URL",
}

_NO_TLS = "it does not speak TLS, it seems: rs:// instead of rss://?"
_EOF = -29312  # what does not speak TLS ends the connection; later it is just the end
# Numbers of mbedtls (its ssl.h), of which MicroPython gives the name at best.
_MBEDTLS = {
    _EOF: _NO_TLS,
    -29184: _NO_TLS,  # no record of TLS
    -30336: "no certificate to trust was given: ssl= takes the octets of one (DER or PEM)",
    -30592: "it refused the TLS handshake: no version in common, it seems (MicroPython has TLS "
    "1.2, crossbar.io 26.10 has 1.3 alone)",
}
# What mbedtls and OpenSSL say of a certificate whose time has not come, or is over.
_DATES = ("not yet valid", "has expired", "starts in the future")


def explain(error, secure=False):
    """One clause about an OSError (or what TLS raises), for people.

    secure: the connection was to be TLS, and was being opened.
    """
    text = str(error)
    number = error.errno if hasattr(error, "errno") else (error.args[0] if error.args else None)
    # What does not speak TLS ends the connection, for which asyncio has no words, or resets it.
    if getattr(error, "reason", None) == "WRONG_VERSION_NUMBER" or (
        secure and (not text or number == 104)
    ):
        return _NO_TLS
    if number in _ERRNO:
        return _ERRNO[number]
    if number in _MBEDTLS:
        return _MBEDTLS[number] if secure or number != _EOF else "the connection ended"
    if "addrinfo" in text:
        return _ERRNO[-2]  # the unix port's words for it
    trouble = getattr(error, "verify_message", None)
    if trouble is None and ("certificate" in text or "CRT_" in text or "CERT_" in text):
        trouble = text
    if trouble is not None:
        text = "its certificate is not trusted: %s" % trouble.strip().replace("\n", "; ")
        for words in _DATES:
            if words in trouble:
                now = time.gmtime()
                text += "; the clock here says %04d-%02d-%02d" % (now[0], now[1], now[2])
                text += ": if that is wrong, set it before TLS, by NTP for instance"
                break
        return text
    return getattr(error, "strerror", None) or text or "the connection ended"


def bad_url(url):
    """The error for a URL that leads nowhere."""
    if type(url) is not str:
        text = "the URL is %s, not a string" % type(url).__name__
    elif url.startswith("rs://unix:"):
        text = "URL %s: an absolute path must follow rs://unix:" % url
    elif url.startswith("rs://") or url.startswith("rss://"):
        text = "URL %s: host and port expected, as in rs://host:8080" % url
    else:
        text = (
            "URL %s: this library speaks rs://host:port, rss://host:port, rs://unix:/path and "
            "serial:" % url
        )
    return ConfigurationError(text)
