"""xconn's router; run with the Python of its environment.

    xconn_router.py PORT TICKET SECRET PUBLIC_KEY

Realms "devices" and "other", for anybody and for who has the ticket, the secret or the key (hex).
Prints `ready`.
"""

# mypy: ignore-errors

import asyncio
import sys

from wampproto.auth import IServerAuthenticator, Response
from wampproto.auth.auth import (
    AnonymousRequest,
    CryptoSignRequest,
    TicketRequest,
    WAMPCRARequest,
    WAMPCRAResponse,
)
from xconn import Router, Server

PORT, TICKET, SECRET, KEY = sys.argv[1:]


class Authenticator(IServerAuthenticator):
    def methods(self):
        return ["anonymous", "ticket", "wampcra", "cryptosign"]

    def authenticate(self, request):
        if isinstance(request, AnonymousRequest):
            return Response("anonymous", "anonymous")
        if isinstance(request, WAMPCRARequest):
            return WAMPCRAResponse(request.authid, "user", SECRET)
        if isinstance(request, TicketRequest) and request.ticket == TICKET:
            return Response(request.authid, "user")
        if isinstance(request, CryptoSignRequest) and request.public_key == KEY:
            return Response(request.authid, "user")
        raise PermissionError("who is that?")


async def main():
    router = Router()
    for realm in ("devices", "other"):
        router.add_realm(realm)
    await Server(router, Authenticator()).start("127.0.0.1", int(PORT))
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
