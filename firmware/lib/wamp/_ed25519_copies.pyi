COPIES: tuple[bytes, ...]
