"""Sockets that few devices need: TLS, and the Unix sockets of MicroPython's unix port."""

import asyncio


async def connect(path, host, port, context):
    """A non-blocking stream; TLS may block the device. Raises OSError or ValueError."""
    if path is None:
        from ._tls import options

        reader, _ = await asyncio.open_connection(host, port, **options(context, host))
        return reader.s
    import socket
    from struct import pack

    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        s.connect(pack("H", socket.AF_UNIX) + path.encode() + b"\0")
        s.setblocking(False)
    except OSError:
        s.close()
        raise
    return s
