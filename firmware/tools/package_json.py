"""Writes package.json, what `mip install` reads: the sources of the device library.

    .venv/bin/python firmware/tools/package_json.py [--check]
    .venv/bin/python firmware/tools/package_json.py --mpy FOLDER [--arch armv6m]

The second form makes a folder for a web server: bytecode, and its own package.json.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "host"))
sys.path.insert(0, str(ROOT / "firmware" / "lib"))

from microwamp import boards  # noqa: E402
from microwamp.boards import bytecode  # noqa: E402

TARGET = ROOT / "package.json"


def render(urls: list[list[str]]) -> str:
    """The text of a package.json."""
    import wamp

    return json.dumps({"urls": urls, "deps": [], "version": wamp.__version__}, indent=2) + "\n"


def sources() -> str:
    """package.json of the sources; MicroPython takes the paths relative to the file itself."""
    found = [path.relative_to(ROOT) for path in bytecode.modules(ROOT / "firmware/lib/wamp")]
    return render([[f"wamp/{path.name}", str(path)] for path in found])


def publish(folder: Path, arch: str | None) -> None:
    """Bytecode and its package.json."""
    urls = []
    for path, octets in boards.device_files(arch).items():
        name = path.removeprefix("/lib/")
        if name.startswith("wamp/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(octets)
            urls.append([name, name])
    (folder / "package.json").write_text(render(urls))


def main() -> int:
    parser = argparse.ArgumentParser(description="package.json for mip")
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    parser.add_argument("--mpy", metavar="FOLDER", type=Path, help="bytecode into a folder")
    parser.add_argument("--arch", choices=bytecode.ARCHES)
    options = parser.parse_args()
    if options.mpy is not None:
        shutil.rmtree(options.mpy, ignore_errors=True)
        publish(options.mpy, options.arch)
        return 0
    text = sources()
    if options.check:
        if TARGET.read_text() != text:
            print("package.json is not what the sources are: run firmware/tools/package_json.py")
            return 1
        return 0
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
