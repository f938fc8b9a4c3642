"""Makes official.json from a folder of wamp-proto's single-message vectors.

make_official.py FOLDER
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """JSON as WAMP means it: text that starts with U+0000 is octets."""
    if isinstance(value, str) and value.startswith("\0"):
        return {"$": base64.b64decode(value[1:] + "==").hex()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def octets(variant: dict[str, str]) -> str:
    return variant.get("bytes_hex") or variant["bytes"].encode().hex()


def main() -> None:
    found = []
    for path in sorted(Path(sys.argv[1]).rglob("*.json")):
        for sample in json.loads(path.read_text())["samples"]:
            forms = sample.get("serializers")
            if forms:
                message = plain(json.loads(bytes.fromhex(octets(forms["json"][0]))))
                written = {n: [octets(v) for v in vs] for n, vs in forms.items()}
                found.append([message, written, sample["expected_attributes"]])
    write(Path(__file__).with_name("official.json"), found)


def write(path: Path, found: list[Any]) -> None:
    """One vector a line."""
    lines = ",\n".join(json.dumps(row) for row in found)
    path.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
