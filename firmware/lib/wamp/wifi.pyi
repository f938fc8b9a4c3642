class Wifi:
    name: str
    timeout_ms: int
    ntp: str | None
    connections: int
    def __init__(
        self,
        name: str,
        password: str,
        timeout_ms: int = 20000,
        ntp: str | None = "pool.ntp.org",
        hostname: str | None = None,
    ) -> None: ...
    async def up(self) -> None: ...
    def down(self) -> None: ...

async def set_clock(host: str) -> None: ...
