from ssl import SSLContext
from typing import Any

def options(context: SSLContext | None, host: str | None) -> dict[str, Any]: ...
