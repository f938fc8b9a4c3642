"""What the commands share that join a router: their options, the client, and how it is run.

Secrets are never words of the command line, which every user of the machine can read: they come
from files or from the environment.
"""

import argparse
import asyncio
import math
import os
import ssl
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from wamp import Client, auth, cbor, keys
from wamp.errors import (
    ApplicationError,
    ConfigurationError,
    Error,
    RequestTimeout,
    SessionAborted,
    TransportLost,
)
from wamp.logins import totp

from . import values

ENVIRONMENT = """environment:
  MICROWAMP_URL, MICROWAMP_REALM, MICROWAMP_KEY, MICROWAMP_AUTHID
                    in place of --url, --realm, --key, --authid
  MICROWAMP_ROUTER_KEY
                    in place of --router-key; several with blanks between them
  MICROWAMP_TICKET, MICROWAMP_SECRET, MICROWAMP_PASSWORD, MICROWAMP_TOTP
                    the secret itself, in place of the option with -file
"""

# Levels of nesting: programs on hosts seldom use 20; a board takes 16.
_DEPTH = 64
_CODEC = (partial(cbor.encode, depth=_DEPTH), partial(cbor.decode, depth=_DEPTH))
# Octets of a message that we take: what RawSocket can carry.
_MAX_LENGTH = 1 << 24
_SECRET_MAX = 4096
_DAY = 86400.0
# The client's own time-out comes after ours, so that every command ends in one way.
_LATER_MS = 5000


def arguments(parser: argparse.ArgumentParser, timeout: str) -> None:
    """Add the options; timeout: the help text of --timeout."""
    env = os.environ.get
    group = parser.add_argument_group("connection")
    group.add_argument(
        "--url",
        default=env("MICROWAMP_URL") or "rs://127.0.0.1:8080",
        help="rs://HOST:PORT, rss://HOST:PORT (TLS), rs://unix:/PATH, ws://HOST:PORT/PATH, "
        "wss://HOST:PORT/PATH (TLS), or serial:PORT with a bridge at the other end of the line "
        "(default: rs://127.0.0.1:8080)",
    )
    group.add_argument(
        "--realm",
        default=env("MICROWAMP_REALM") or "devices",
        metavar="NAME",
        help="realm to join (default: devices)",
    )
    group.add_argument(
        "--key", metavar="FILE", help="log in by cryptosign with the key in FILE (see keygen)"
    )
    group.add_argument(
        "--router-key",
        action="append",
        metavar="KEY",
        help="with --key: the public key, 64 hex digits, that the router must prove to have; "
        "repeatable, one is enough",
    )
    group.add_argument(
        "--password-file", metavar="FILE", help="log in by SCRAM with the password in FILE"
    )
    group.add_argument(
        "--secret-file", metavar="FILE", help="log in by WAMP-CRA with the secret in FILE"
    )
    group.add_argument("--ticket-file", metavar="FILE", help="log in with the ticket in FILE")
    group.add_argument(
        "--totp-file",
        metavar="FILE",
        help="log in with the ticket of the moment by TOTP; its secret, base32, is in FILE",
    )
    group.add_argument(
        "--authid",
        default=env("MICROWAMP_AUTHID") or None,
        metavar="NAME",
        help="who we are; all but keys need it, with a key the router may know it",
    )
    group.add_argument(
        "--allow-clear",
        action="store_true",
        help="send a ticket, or that of TOTP, even where others could read the line",
    )
    group.add_argument(
        "--cafile",
        metavar="FILE",
        help="PEM file with the certificates to trust for rss:// and wss://",
    )
    group.add_argument(
        "--timeout", type=seconds, default=10.0, metavar="SECONDS", help=f"{timeout} (default: 10)"
    )


def payload(parser: argparse.ArgumentParser) -> None:
    """Add ARG and --kw, and let options stand between them."""
    parser.add_argument("args", nargs="*", metavar="ARG", help="an argument; see below")
    parser.add_argument(
        "--kw",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a keyword argument, VALUE as ARG; repeatable",
    )
    # argparse takes positionals in one go: `PROCEDURE --kw a=1 ARG` would be refused.
    parser.parse_args = parser.parse_intermixed_args  # type: ignore[method-assign]


def epilog(parser: argparse.ArgumentParser, *texts: str) -> None:
    """Put texts before the end of the help."""
    parser.epilog = "\n".join([*texts, parser.epilog or ""])


def seconds(text: str) -> float:
    """An option's seconds: more than 0, a day at most."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= _DAY:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {_DAY:.0f}")
    return number


def count(text: str) -> int:
    """An option's number: 1 or more."""
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 999999999")
    return int(text)


def client(
    options: argparse.Namespace,
    reconnect: bool = False,
    log: Callable[[str], None] | None = None,
) -> Client:
    """The client that the options describe, not started; raises ConfigurationError."""
    transport: dict[str, Any] = {}
    if options.cafile is not None:
        if not options.url.startswith(("rss://", "wss://")):
            raise ConfigurationError(
                f"--cafile is for rss:// and wss://, the URL is {options.url}"
            )
        transport["ssl"] = _context(options.cafile)
    make = Client
    if options.url.startswith(("ws://", "wss://")):
        from ..client import Client as make  # not above: few need it
    return make(
        options.url,
        realm=options.realm,
        auth=_logins(options),
        timeout_ms=int(options.timeout * 1000) + _LATER_MS,
        max_length=_MAX_LENGTH,
        reconnect=reconnect,
        log=log or debug,
        codec=_CODEC,
        **transport,
    )


def run(options: argparse.Namespace, what: str, work: Callable[[Client], Awaitable[int]]) -> int:
    """Join, do the work, leave: all within --timeout. Returns what `work` returns.

    what: what is waited for, for the error. Raises what the client raises.
    """
    with readable():
        return asyncio.run(_run(options, what, work))


async def _run(
    options: argparse.Namespace, what: str, work: Callable[[Client], Awaitable[int]]
) -> int:
    contain()
    one = client(options)
    try:
        async with asyncio.timeout(options.timeout):
            await one.join()
            return await work(one)
    except TimeoutError:
        raise overdue(one, what, options.timeout) from None
    except TransportLost:
        # The request knows only that its session ended. Why is what the user wants to know.
        if isinstance(one.error, SessionAborted):
            raise one.error from None
        raise
    finally:
        await one.leave()


def overdue(one: Client, what: str, limit: float) -> RequestTimeout:
    """The error for what took longer than `limit` seconds."""
    if one.session is None:
        hint = "is a WAMP router listening there, with RawSocket?"
        if one.url.startswith("serial:"):
            hint = "is a bridge running at the other end of the line?"
        return RequestTimeout(f"{one.url}: no session within {limit:g} s: {hint}")
    return RequestTimeout(f"{what}: no answer within {limit:g} s")


@contextmanager
def readable() -> Iterator[None]:
    """Errors that pass have one line of text, and no control characters of whoever sent it."""
    try:
        yield
    except ApplicationError as e:
        raise ApplicationError(values.failure(e)) from e
    except Error as e:
        e.args = (values.cut(values.safe(" ".join(str(e).split()))),)
        raise


def contain() -> None:
    """What goes wrong unseen in the event loop is one line on stderr, not a traceback."""

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if os.environ.get("MICROWAMP_DEBUG") == "1":
            loop.default_exception_handler(context)
        error = context.get("exception")
        text = f": {type(error).__name__}: {error}" if error else ""
        values.note(f"internal error: {context.get('message')}{text}")

    asyncio.get_running_loop().set_exception_handler(report)


def debug(text: str) -> None:
    """What the client logs, where it is asked for."""
    if os.environ.get("MICROWAMP_DEBUG") == "1":
        values.note(text)


def _context(path: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except ssl.SSLError as e:
        raise ConfigurationError(f"--cafile {path} holds no certificates in PEM") from e
    except (OSError, ValueError) as e:
        reason = (e.strerror if isinstance(e, OSError) else None) or str(e)
        raise ConfigurationError(f"--cafile {path} cannot be read: {reason}") from e


# Of a secret: the option's name without -file, the variable of the environment.
_SECRETS = {
    "password": "MICROWAMP_PASSWORD",
    "secret": "MICROWAMP_SECRET",
    "ticket": "MICROWAMP_TICKET",
    "totp": "MICROWAMP_TOTP",
}


def _logins(options: argparse.Namespace) -> list[auth.Authenticator]:
    """How to log in, the safest first. Any option for it turns off what the environment says."""
    env = os.environ.get
    key = options.key
    files = {name: getattr(options, f"{name}_file") for name in _SECRETS}
    found = {
        name: _secret(path, f"--{name}-file") for name, path in files.items() if path is not None
    }
    if key is None and not found:
        key = env("MICROWAMP_KEY") or None
        found = {name: env(variable, "") for name, variable in _SECRETS.items() if env(variable)}
    routers = options.router_key or env("MICROWAMP_ROUTER_KEY", "").split()
    if routers and (key is None or found):
        raise ConfigurationError(
            "--router-key (or MICROWAMP_ROUTER_KEY) takes a login by --key alone: with others the "
            "router does not prove that it has a key"
        )
    authid = options.authid
    if authid is None and found:
        raise ConfigurationError(
            f"a login by {' or '.join(found)} needs --authid (or MICROWAMP_AUTHID)"
        )
    logins: list[auth.Authenticator] = []
    if key is not None:
        logins.append(keys.cryptosign(key, authid, tuple(routers) or None))
    if "password" in found:
        from ..auth._logins import scrams  # not above: it loads libsodium

        logins += scrams(authid, found["password"])
    if "secret" in found:
        logins.append(auth.CRA(authid, found["secret"]))
    if "ticket" in found and "totp" in found:
        raise ConfigurationError("a ticket and TOTP are one method: give one of them")
    for name in found:
        if name not in ("ticket", "totp"):
            continue
        if not (options.allow_clear or options.url.startswith(("rss://", "wss://", "rs://unix:"))):
            raise ConfigurationError(
                f"the ticket would go in clear over {options.url}: use TLS or --key, or "
                "--allow-clear if nobody can read that line"
            )
        make = auth.Ticket if name == "ticket" else totp
        logins.append(make(authid, found[name], allow_clear=True))
    if not logins and authid is not None:
        logins.append(auth.Anonymous(authid))
    return logins


def _secret(path: str, option: str) -> str:
    """The one line in a file that nobody else can read; its text is never part of an error."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & 0o077 and os.name == "posix":
                raise ConfigurationError(
                    f"{option}: {path} can be used by others (mode {mode & 0o777:04o}): "
                    f"chmod 600 {path}"
                )
            octets = file.read(_SECRET_MAX + 1)
    except (OSError, ValueError) as e:
        reason = (e.strerror if isinstance(e, OSError) else None) or str(e)
        raise ConfigurationError(f"{option}: {path} cannot be read: {reason}") from None
    if len(octets) > _SECRET_MAX:
        raise ConfigurationError(f"{option}: {path} is longer than {_SECRET_MAX} octets")
    try:
        text = octets.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeError:
        raise ConfigurationError(f"{option}: {path} is not text in UTF-8") from None
    if not text or "\n" in text:
        raise ConfigurationError(f"{option}: {path} must hold one line that is not empty")
    return text
