"""The least that connects a tty with a router in asyncio: bare.py TTY PORT

A reader on the descriptor, a protocol on the socket, and nothing in between.
"""

import asyncio
import os
import sys


class Socket(asyncio.Protocol):
    def __init__(self, tty):
        self.tty = tty
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, octets):
        os.write(self.tty, octets)

    def connection_lost(self, error):
        self.over.set_result(None)

    def readable(self):
        self.transport.write(os.read(self.tty, 8192))


async def main():
    loop = asyncio.get_running_loop()
    tty = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    _, protocol = await loop.create_connection(lambda: Socket(tty), "127.0.0.1", int(sys.argv[2]))
    loop.add_reader(tty, protocol.readable)
    await protocol.over


asyncio.run(main())
