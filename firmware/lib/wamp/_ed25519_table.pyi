TABLE: bytes
