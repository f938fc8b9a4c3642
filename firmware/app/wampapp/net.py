"""Wi-Fi and TLS for the default application, loaded where the configuration asks for them."""

import time

from wamp.errors import ConfigurationError, TransportError


def options(found):
    """(options of the transport, what brings the network up or None), of a configuration."""
    secure = found["url"].startswith("rss://")
    made = {"ssl": _context(found["ca"])} if secure else {}
    wifi = found["wifi"]
    ntp = found["ntp"]
    from wamp.wifi import Wifi, set_clock

    one = None
    if wifi is not None:
        one = Wifi(wifi["name"], wifi.get("password"), ntp=ntp, hostname=wifi.get("hostname"))

    async def up():
        if one is not None:
            await one.up()
        elif ntp is not None:
            await set_clock(ntp)
        if secure:
            check_clock(ntp)

    return made, up


def check_clock(ntp):
    """Raises TransportError if the clock was never set: no certificate is valid then."""
    year = time.gmtime()[0]
    if year < 2025:
        raise TransportError(
            "the clock says %d, so no certificate can be checked: %s"
            % (year, "no answer from the time server %s" % ntp if ntp else 'set "ntp"')
        )


def _context(path):
    """A context that trusts the certificate in a file (DER) and nothing else."""
    if path is None:
        raise ConfigurationError(
            'rss:// needs "ca", the file with the certificate to trust: boards carry none'
        )
    try:
        with open(path, "rb") as file:
            octets = file.read(16384)
    except OSError as error:
        raise ConfigurationError("ca: %s cannot be read: %s" % (path, error))
    try:
        import ssl
    except ImportError:
        raise ConfigurationError("rss://: this board, or its firmware, has no TLS")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(cadata=octets)
    except (ValueError, OSError) as error:
        raise ConfigurationError("ca: %s holds no certificate (DER): %s" % (path, error))
    return context
