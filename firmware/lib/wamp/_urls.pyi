from typing import Any

from .transport import Transport

def transport(url: str, options: dict[str, Any]) -> Transport: ...
