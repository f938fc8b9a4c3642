"""`microwamp keygen FILE`: a new Ed25519 key file; prints the public key only."""

import argparse
import json
import os
import secrets

from nacl.signing import SigningKey

from wamp import keys


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="key file to write; must not be there yet")
    parser.add_argument(
        "--comment", default="", help="a line of text for the key file, for people to read"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Write the file (mode 0600) and say what to tell the router.

    Raises ConfigurationError if the file is there already or cannot be written.
    """
    seed = secrets.token_bytes(32)
    public = SigningKey(seed).verify_key.encode()
    keys.write_key(options.file, seed, public, options.comment)
    name = os.path.basename(options.file).partition(".")[0] or "device"
    principal = {name: {"authorized_keys": [public.hex()], "role": "device"}}
    line = json.dumps(principal)[1:-1]
    if options.json:
        print(json.dumps({"file": options.file, "public_key": public.hex(), "crossbar": line}))
        return 0
    print(f"public key  {public.hex()}")
    print(f"key file    {options.file} (mode 0600, private: it is not shown again)")
    print("crossbar, under auth.cryptosign.principals:")
    print(f"  {line}")
    print("embedded router:")
    print(f"  microwamp router --cryptosign {public.hex()}:{name}")
    return 0
