"""Which transport a URL names: loaded for each connection, and let go. Part of the I/O edge."""

from ._port import MICROPYTHON


def transport(url, options):
    """As `transport.make`."""
    if type(url) is str:
        if url.startswith("serial:"):
            from .serial import SerialTransport

            return SerialTransport(url, **options)
        if MICROPYTHON:
            from ._mpstream import StreamTransport
        else:
            from ._streams import StreamTransport
        scheme, _, rest = url.partition("://")
        if scheme == "rs" and rest.startswith("unix:/"):
            return StreamTransport(url, path=rest[5:], **options)
        host, _, port = rest.split("/")[0].rpartition(":")
        if scheme in ("rs", "rss") and host and host != "unix" and port:
            if "0" <= min(port) and max(port) <= "9" and 0 < int(port) < 65536:
                if host.startswith("["):
                    host = host[1:-1]
                secure = scheme == "rss"
                if secure and MICROPYTHON:
                    from ._mptls import StreamTransport
                return StreamTransport(url, host, int(port), secure=secure, **options)
    from ._explain import bad_url

    raise bad_url(url)
