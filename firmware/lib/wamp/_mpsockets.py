"""Connects MicroPython's sockets, the unix port's Unix sockets among them; loaded for each
connection, and let go. Part of the I/O edge."""

from errno import EINPROGRESS

from ._port import writable


async def connect(path, host, port):
    """A non-blocking stream: a Unix socket where there is a path. The look-up of a name blocks the
    device. Raises OSError."""
    import socket

    if path is None:
        return await _tcp(socket, host, port)
    from struct import pack

    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        s.connect(pack("H", socket.AF_UNIX) + path.encode() + b"\0")
        s.setblocking(False)
    except OSError:
        s.close()
        raise
    return s


async def _tcp(socket, host, port):
    address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
    s = socket.socket(*address[:3])
    try:
        s.setblocking(False)
        try:
            s.connect(address[-1])
        except OSError as e:
            if e.errno != EINPROGRESS:
                raise
        await writable(s)
    except BaseException:
        s.close()  # refused, or the time is up
        raise
    # Small messages go out at once: with Nagle's algorithm an acknowledged publish takes 40 ms.
    # 6, 1: IPPROTO_TCP, TCP_NODELAY, which MicroPython does not name.
    try:
        s.setsockopt(6, 1, 1)
    except OSError:
        pass  # a port without the option
    return s
