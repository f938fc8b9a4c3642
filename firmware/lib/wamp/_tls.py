"""What TLS needs to be opened; loaded for rss:// only. Part of the I/O edge."""

import ssl

from .errors import ConfigurationError


def options(context, host):
    """Arguments of open_connection for TLS; the default context verifies certificates."""
    if context is None:
        if not hasattr(ssl, "create_default_context"):
            raise ConfigurationError(
                "rss:// on a board needs ssl=, an SSLContext with the certificate to trust: "
                "boards carry none of their own"
            )
        context = ssl.create_default_context()
    return {"ssl": context, "server_hostname": host}
