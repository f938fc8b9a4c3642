"""Contexts of TLS, which verify certificates; loaded for rss:// only. Part of the I/O edge."""

import ssl
from binascii import a2b_base64

from .errors import ConfigurationError

_BEGIN = b"-----BEGIN CERTIFICATE-----"


def context(given):
    """The SSLContext of a connection. given: certificates to trust as octets, DER or PEM; an
    SSLContext; on CPython None, for those of the system. Raises ConfigurationError."""
    if given is None and hasattr(ssl, "create_default_context"):
        return ssl.create_default_context()
    if isinstance(given, (bytes, bytearray)):
        return _trusting(given)
    if given is None:
        raise ConfigurationError(
            "rss:// on a board needs ssl=, the octets of the certificate to trust (DER or PEM): "
            "boards carry none of their own"
        )
    # CPython's verify unless the program decided otherwise, MicroPython's only if it did.
    if given.verify_mode == ssl.CERT_NONE and not hasattr(ssl, "create_default_context"):
        raise ConfigurationError(
            "the SSLContext of ssl= would trust any certificate, as MicroPython's do: set its "
            "verify_mode to ssl.CERT_REQUIRED, or give ssl= the octets of the certificate to trust"
        )
    return given


def _trusting(octets):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # CPython's checks the name too
    made.verify_mode = ssl.CERT_REQUIRED
    try:
        for one in _der(octets):
            made.load_verify_locations(cadata=one)
    except (ValueError, OSError) as e:
        raise ConfigurationError("ssl= is no certificate, neither DER nor PEM: %s" % e)
    return made


def _der(octets):
    """Certificates as DER: boards read nothing else."""
    parts = bytes(octets).split(_BEGIN)
    if len(parts) == 1:
        return parts
    return [a2b_base64(part.split(b"-----")[0]) for part in parts[1:]]
