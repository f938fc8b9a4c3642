"""The embedded router: WAMP broker and dealer in one process that starts at once.

    async with Router(RouterConfig(listen=("rs://127.0.0.1:0",), realms=(realm,))) as router:
        print(router.urls)

It follows the specification to the letter and answers each violation of a client with ABORT
`wamp.error.protocol_violation`, which makes it a test instrument as much as a router. Broker and
dealer are our own and not `wampproto`'s (0.4.0 was read): there a breach of the protocol and an
ordinary refusal are the same ValueError; patterns, shared registrations, cancelling, disclosure,
retained events and callees that leave do not exist; and its check of a cryptosign signature never
compares the challenge, so that a recorded login would be accepted again.

Inwards from the wire: `listener` (sockets), `connection` (one client: RawSocket, CBOR, states),
`acceptor`, `directory` and the methods `auth`, `scram`, `cryptosign` (HELLO to WELCOME), `realm`
and `options` (a session's messages: checks, authorization), `meta` (the router's own procedures),
`broker` with `history`, `dealer` with `registrations` and `calls`. From `realm` on they are pure
but for the clock: messages as lists in, a list of (session, message) out.
"""

from .config import Kept, Limits, Permission, RealmConfig, Role, RouterConfig, Trust
from .principals import Principal, Scram
from .service import Router

__all__ = [
    "Kept",
    "Limits",
    "Permission",
    "Principal",
    "RealmConfig",
    "Role",
    "Router",
    "RouterConfig",
    "Scram",
    "Trust",
]
