"""`microwamp ports`: boards on this machine's ports, by names that stay."""

import argparse
import json
from typing import Any

from ..boards import flashing
from ..boards.finding import Port, ports, traps


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "--check",
        action="store_true",
        help="look for what stands in the way: permissions, programs that have the port",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """List them; status 1 if --check found something."""
    found = ports()
    drives = [(path, flashing.boards_of(path)) for path in flashing.drives()]
    wrong = traps(found) if options.check else []
    if options.json:
        listing: dict[str, Any] = {"ports": [vars(port) for port in found]}
        listing["drives"] = [{"path": str(path), "boards": names} for path, names in drives]
        if options.check:
            listing["traps"] = [vars(one) for one in wrong]
        print(json.dumps(listing))
        return 1 if wrong else 0
    for port in found:
        print(f"{port.name}  {port.device}  {port.usb}  {_guess(port)}")
    for path, names in drives:
        print(f"{path}  {' or '.join(names) or 'unknown'}, in its boot loader: `microwamp flash`")
    if not found and not drives:
        print("no USB port is there: is the cable one for data, and the board powered?")
    for one in wrong:
        print(f"trap: {one.port + ': ' if one.port else ''}{one.text}")
    if options.check and (found or drives) and not wrong:
        print("nothing stands in the way")
    return 1 if wrong else 0


def _guess(port: Port) -> str:
    what = " or ".join(port.boards) or port.product or "unknown"
    return f"{what}, in its boot loader" if port.boot else what
