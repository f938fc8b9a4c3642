from collections.abc import Sequence

from .client import Client, _Authenticator

async def rejoin(
    client: Client,
    realm: str | None,
    auth: _Authenticator | Sequence[_Authenticator] | None,
) -> Client: ...
