"""The command `microwamp-rig`: what users without a board want of the rig.

A command has a module with `arguments(parser)` and `run(options) -> int`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

COMMANDS = {"pico": ("microwamp_rig.pico", "an emulated Raspberry Pi Pico with ports")}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="microwamp-rig", description="Boards for those who have none."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, text) in COMMANDS.items():
        commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in COMMANDS:
        try:
            module = importlib.import_module(COMMANDS[words[0]][0])
        except ImportError as error:
            print(
                f"microwamp-rig: {error.name} is missing: pip install 'microwamp[rig]'",
                file=sys.stderr,
            )
            return 2
        module.arguments(commands.choices[words[0]])
        options = parser.parse_args(words)
        try:
            return int(module.run(options))
        except (RuntimeError, OSError) as error:
            print(f"microwamp-rig {words[0]}: {error}", file=sys.stderr)
            return 2
    parser.parse_args(words)
    return 2


if __name__ == "__main__":
    sys.exit(main())
