"""`microwamp router`: the embedded router in the foreground.

One line for each URL it listens on, then one for each event: a session joined or left, a login was
refused, a client broke the protocol or stopped reading. SIGTERM and SIGINT end it: GOODBYE to all
sessions, status 0.
"""

import argparse
import asyncio
import os
import signal
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from wamp.errors import ConfigurationError

from ..router import Permission, Principal, RealmConfig, Role, Router, RouterConfig, Scram
from ..router.configfile import load
from .events import printer

# What has no place beside --config.
_IN_FILE = (
    *("realm", "anonymous", "ticket", "wampcra", "scram", "totp", "cryptosign", "admin"),
    *("certificate", "identity"),
)
_VISIBLE = "other users of this machine can see it in the process list: better --config"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "--listen",
        action="append",
        metavar="URL",
        help="rs://HOST:PORT, rss://HOST:PORT (TLS), rs://unix:/PATH, ws://HOST:PORT or "
        "wss://HOST:PORT (WebSocket); PORT 0 is any free one; repeatable (default: "
        "rs://127.0.0.1:8080)",
    )
    parser.add_argument("--realm", metavar="NAME", help="the one realm (default: devices)")
    parser.add_argument(
        "--anonymous", action="store_true", help="let everyone in, with the role anonymous"
    )
    parser.add_argument(
        "--ticket",
        action="append",
        default=[],
        metavar="AUTHID:TICKET",
        help=f"let AUTHID in with this ticket; {_VISIBLE}",
    )
    parser.add_argument(
        "--wampcra",
        action="append",
        default=[],
        metavar="AUTHID:SECRET",
        help=f"let AUTHID in with this secret; {_VISIBLE}",
    )
    parser.add_argument(
        "--scram",
        action="append",
        default=[],
        metavar="AUTHID:PASSWORD",
        help="let AUTHID in with this password, by SCRAM with PBKDF2 and 4096 iterations; "
        + _VISIBLE,
    )
    parser.add_argument(
        "--totp",
        action="append",
        default=[],
        metavar="AUTHID:SECRET",
        help="let AUTHID in with the six digits of an authenticator that has this secret "
        f"(base32), as a ticket; {_VISIBLE}",
    )
    parser.add_argument(
        "--cryptosign",
        action="append",
        default=[],
        metavar="PUBKEY[:AUTHID]",
        help="let the holder of this Ed25519 key in (64 hex digits; default AUTHID: the key)",
    )
    parser.add_argument(
        "--admin",
        action="append",
        default=[],
        metavar="ROLE",
        help="this role (anonymous, user) may end sessions and take back registrations and "
        "subscriptions of others; repeatable (default: nobody may)",
    )
    parser.add_argument(
        "--identity",
        metavar="FILE",
        help="key file (microwamp keygen) by which the router proves itself to clients that ask",
    )
    parser.add_argument("--certificate", metavar="FILE", help="PEM file for rss:// and wss://")
    parser.add_argument(
        "--key", metavar="FILE", help="PEM file of its key (default: in the certificate's file)"
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="TOML file with realms, roles, principals, limits; goes with --listen only",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Run until a signal comes; raises ConfigurationError and TransportError."""
    return asyncio.run(_run(configuration(options), options.json))


def configuration(options: argparse.Namespace) -> RouterConfig:
    """What the command line, or the file it names, says; raises ConfigurationError."""
    if options.config is not None:
        for name in _IN_FILE:
            if getattr(options, name):
                raise ConfigurationError(f"--{name} goes into the file when there is --config")
        config = load(options.config)
        _warn(options.config, config)
        if options.listen:
            config = replace(config, listen=tuple(options.listen))
        return config
    principals: dict[str, dict[str, Any]] = {}
    for text in options.ticket:
        authid, ticket = _pair("--ticket", "AUTHID:TICKET", text)
        _set(principals, authid, "ticket", ticket)
    for text in options.wampcra:
        authid, secret = _pair("--wampcra", "AUTHID:SECRET", text)
        _set(principals, authid, "secret", secret)
    for text in options.scram:
        authid, password = _pair("--scram", "AUTHID:PASSWORD", text)
        _set(principals, authid, "scram", Scram(password=password))
    for text in options.totp:
        authid, secret = _pair("--totp", "AUTHID:SECRET", text)
        _set(principals, authid, "totp", secret)
    for text in options.cryptosign:
        key, _, authid = text.partition(":")
        one = principals.setdefault(authid or key.lower(), {})
        one["public_keys"] = (*one.get("public_keys", ()), key)
    if not principals and not options.anonymous:
        raise ConfigurationError(
            "nobody could log in: give --anonymous, --ticket, --wampcra, --scram, --totp, "
            "--cryptosign or --config"
        )
    realm = RealmConfig(
        name=options.realm or "devices",
        anonymous="anonymous" if options.anonymous else None,
        principals=tuple(Principal(authid, **one) for authid, one in principals.items()),
        roles=tuple(
            Role(role, (Permission(), Permission("wamp.", frozenset({"call", "subscribe"}))))
            for role in options.admin
        ),
    )
    return RouterConfig(
        realms=(realm,),
        listen=tuple(options.listen or ("rs://127.0.0.1:8080",)),
        certificate=options.certificate,
        key=options.key,
        identity=options.identity,
    )


def _pair(option: str, form: str, text: str) -> tuple[str, str]:
    authid, found, rest = text.partition(":")
    if not found or not authid or not rest:
        # The text may be a secret: it is not repeated.
        raise ConfigurationError(f"{option}: {form} needed")
    return authid, rest


def _set(principals: dict[str, dict[str, Any]], authid: str, name: str, value: Any) -> None:
    one = principals.setdefault(authid, {})
    if name in one:
        raise ConfigurationError(f"there are two values of {name} for {authid}")
    one[name] = value


def _warn(path: str, config: RouterConfig) -> None:
    mode = os.stat(path).st_mode
    secret = any(
        one.ticket is not None
        or one.secret is not None
        or one.totp is not None
        or one.scram is not None
        for realm in config.realms
        for one in realm.principals
    )
    if secret and mode & (stat.S_IRGRP | stat.S_IROTH):
        print(
            f"microwamp router: warning: {path} holds secrets and others can read it: "
            f"chmod 600 {path}",
            file=sys.stderr,
        )


async def _run(config: RouterConfig, as_json: bool) -> int:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, ended.set)
    try:
        async with Router(config, _printer(as_json)):
            await ended.wait()
            # Whoever cannot wait for the GOODBYEs may interrupt again.
            for number in signals:
                loop.remove_signal_handler(number)
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
    return 0


_COLOURS = {
    "listening": 36,
    "joined": 32,
    "left": 33,
    "refused": 31,
    "violation": 31,
    "dropped": 31,
}


_FORMS = {
    "joined": "{realm} {authid} by {authmethod} as {authrole}, session {session}, {peer}",
    "left": "{realm} {authid}, session {session}: {reason}",
    "refused": "{peer}: {reason}: {message}",
    "violation": "{peer}: {message}",
    "dropped": "{peer}: {message}",
}


def _printer(as_json: bool) -> Callable[[str, Mapping[str, Any]], None]:
    """Prints events; the URLs first, as a line that scripts can wait for."""
    show = printer(as_json, _COLOURS, _FORMS)
    if as_json:
        return show

    def plain(event: str, fields: Mapping[str, Any]) -> None:
        if event == "listening":
            print(f"listening on {fields['url']}", flush=True)
        else:
            show(event, fields)

    return plain
