"""`microwamp provision PORT`: a key made on the board; prints the public one only."""

import argparse
import json
import re

from wamp.errors import ConfigurationError

from ..boards import remote
from ..boards.provisioning import provision

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    remote.arguments(parser)
    parser.add_argument("--name", default="device", help="who the board is to the router")
    parser.add_argument(
        "--key", default="/device.key", metavar="PATH", help="on the board (default: /device.key)"
    )
    parser.add_argument("--force", action="store_true", help="replace a key that is there")
    parser.add_argument(
        "--dry-run", action="store_true", help="say whether there is a key, write nothing"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Make the key and say what to tell the router; raises ConfigurationError, TransportError."""
    if not _NAME.fullmatch(options.name):
        raise ConfigurationError(f"--name {options.name}: letters, digits, '_', '.' and '-' only")
    if not re.fullmatch(r"/[\w./-]{1,100}", options.key):
        raise ConfigurationError(f"--key {options.key}: an absolute path on the board is needed")
    with remote.Remote(options.port, options.baud, options.wait) as board:
        if options.dry_run:
            board.facts()
            there = board.exists(options.key)
            board.reset()
            replaced = "replaced" if options.force else "kept: --force replaces it"
            text = f"a key is there, and would be {replaced}" if there else "a key would be made"
            print(json.dumps({"dry_run": True, "there": there}) if options.json else text)
            return 0
        key = provision(board, options.key, options.name, options.force)
    if options.json:
        found = {"port": options.port, "key": options.key, "public_key": key.public}
        print(json.dumps({**found, "crossbar": key.crossbar, "router": key.router}))
        return 0
    print(f"public key  {key.public}")
    print(f"key file    {options.key} on the board (private: it never leaves it)")
    print("crossbar, under auth.cryptosign.principals:")
    print(f"  {key.crossbar}")
    print("embedded router:")
    print(f"  {key.router}")
    return 0
