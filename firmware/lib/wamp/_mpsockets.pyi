from typing import Any

async def connect(
    path: str | None, host: str | None, port: int, private: bool, context: Any
) -> Any: ...
