"""Putting the library, the application and a configuration on a board.

The board is in safe mode from the first octet written to the last one verified: there is a file
/safe_mode, so nothing runs there that is half new, and no watchdog. A cable that is pulled leaves
it so, and the next `deploy` goes on where this one ended: what is on the board is compared by
its hash, file by file.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import wamp
from wamp.errors import ConfigurationError, RemoteProtocolError, TransportError

from . import device_files, main_program
from .remote import Facts, Remote

FOLDERS = ["/lib/wamp", "/lib/wampapp"]
MAIN = "/main.py"
PARKED = "/main.py.parked"
SAFE_MODE = "/safe_mode"
CONFIG = "/wamp.json"
_AGAIN_S = 5.0  # a board that a watchdog has reset is back by then; a cable that is out is not
# What we write into the marker; one with anything else in it is the user's, and stays.
_OURS = b"deploy\n"


@dataclass
class Plan:
    """What is to be done. write: path to octets; remove: files that hide or are of no use."""

    write: dict[str, bytes]
    remove: list[str]
    kept: int
    notes: list[str] = field(default_factory=list)

    @property
    def octets(self) -> int:
        """The size of what is written."""
        return sum(map(len, self.write.values()))


@dataclass
class Outcome:
    """What was done. sent: octets typed to the board, all overhead included."""

    written: int
    removed: int
    kept: int
    octets: int
    sent: int
    seconds: float
    notes: list[str]


def check_version(port: str, facts: Facts) -> None:
    """Raises ConfigurationError where the library in the firmware does not fit this host's."""
    if facts.frozen and _series(facts.wamp) != _series(wamp.__version__):
        raise ConfigurationError(
            f"port {port}: the firmware holds wamp {facts.wamp}, which does not fit this host's"
            f" {wamp.__version__} and cannot be replaced by files: flash a firmware of this"
            " version, or MicroPython's own"
        )


def check_fits(port: str, facts: Facts) -> None:
    """Raises ConfigurationError where this host cannot use the library that is on the board."""
    check_version(port, facts)
    if facts.wamp is None:
        raise ConfigurationError(
            f"port {port}: the library is not on the board yet: `microwamp deploy {port}` first"
        )
    if _series(facts.wamp) != _series(wamp.__version__):
        newer = _numbers(facts.wamp) > _numbers(wamp.__version__)
        cure = "upgrade microwamp here" if newer else f"`microwamp deploy {port}` replaces it"
        raise ConfigurationError(
            f"port {port}: the board has wamp {facts.wamp}, which does not fit this host's"
            f" {wamp.__version__}: {cure}"
        )


def check_newer(port: str, facts: Facts, force: bool) -> None:
    """Raises ConfigurationError where the files on the board are newer than ours."""
    if facts.wamp is None or facts.frozen or force:
        return
    if _numbers(facts.wamp) > _numbers(wamp.__version__):
        raise ConfigurationError(
            f"port {port}: the board has wamp {facts.wamp}, newer than this host's"
            f" {wamp.__version__}: upgrade microwamp here, or give --force"
        )


def _series(version: str | None) -> str:
    return ".".join((version or "").split(".")[:2])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def plan(remote: Remote, facts: Facts, own: dict[str, bytes]) -> Plan:
    """Compare what should be there with what is there. Writes nothing.

    own: further files, by path: the configuration, a certificate.
    """
    notes = []
    for hiding in ("/wamp", "/wampapp"):
        if hiding in facts.found:
            raise ConfigurationError(
                f"port {remote.port}: the board has a folder {hiding}, which hides /lib{hiding}:"
                f" remove it (`mpremote fs rm -r :{hiding}`)"
            )
    wanted = {} if facts.frozen else dict(device_files(facts.arch))
    if facts.frozen:
        notes.append(f"wamp {facts.wamp} is part of the firmware: no files of it are needed")
    main = main_program()
    wanted |= own
    remote.helpers()
    rests = [f"{path}.new" for path in (MAIN, *own)]
    there = remote.hashes([] if facts.frozen else FOLDERS, [MAIN, PARKED, *own, *rests])
    theirs = there.get(PARKED) or there.get(MAIN)
    if theirs in (None, _digest(main)) or _is_ours(remote, there):
        wanted[MAIN] = main
    else:
        notes.append("the board's own main.py is kept: the default application does not start")
    write = {path: data for path, data in wanted.items() if there.get(path) != _digest(data)}
    remove = sorted(path for path in there if path not in (*wanted, MAIN, PARKED))
    return Plan(write, remove, len(wanted) - len(write), notes)


def _is_ours(remote: Remote, there: dict[str, str]) -> bool:
    """Whether main.py starts the default application, in whatever version."""
    octets = remote.read(PARKED if PARKED in there else MAIN) or b""
    if PARKED not in there and MAIN + ".new" in there:
        # On FAT a power cut may have left half of it, and all of it beside.
        new = remote.read(MAIN + ".new") or b""
        if new.startswith(octets):
            octets = new
    return b"wampapp.main()" in octets


def _digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def check_room(remote: Remote, facts: Facts, todo: Plan) -> None:
    """Raises TransportError if it will not fit. A file may need room twice, until the old goes."""
    if not todo.write:
        return
    block = facts.block
    needed = sum(-(-len(octets) // block) + 1 for octets in todo.write.values()) * block
    there = remote.hashes([], list(todo.write))
    # What is replaced is freed as we go; only the largest file is there twice.
    freed = sum(-(-len(todo.write[path]) // block) for path in there) * block
    largest = max(-(-len(octets) // block) for octets in todo.write.values()) * block
    if needed - freed + largest > facts.free * block:
        raise TransportError(
            f"port {remote.port}: the board's flash has {facts.free * block:,} octets free, and"
            f" this needs some {needed - freed + largest:,}: remove files of your own; nothing"
            " was written"
        )


@contextmanager
def safe_mode(remote: Remote, facts: Facts) -> Iterator[None]:
    """The board with its program out of the way, until all is done; a failure leaves it so.

    A program that may be running, or may have armed a watchdog, is kept from starting, and the
    board reset: nothing else stops a watchdog. Another's main.py is parked under another name.
    """
    marked = remote.read(SAFE_MODE)
    if marked is None:
        for last in (False, False, True):
            try:
                _enter(remote, facts)
                break
            except (TransportError, ConfigurationError):
                if last:
                    raise
                remote.reopen()  # a watchdog may have been first
                if remote.read(SAFE_MODE) is not None:
                    break
        marked = _OURS
    yield
    if marked != _OURS:
        return
    remote.helpers()
    remote.exec(
        f"try:\n    os.stat({PARKED!r})\nexcept OSError:\n    pass\n"
        f"else:\n    _m({PARKED!r}, {MAIN!r})\n"
        f"os.remove({SAFE_MODE!r})\n"
    )


def hold(remote: Remote) -> Facts:
    """A board that went away under our hands, perhaps by its watchdog: get it into safe mode.

    Raises TransportError if it does not come back, or not for long enough.
    """
    remote.reopen(_AGAIN_S)
    facts = remote.facts()
    if SAFE_MODE not in facts.found:
        _enter(remote, facts)
        facts = remote.facts()
    return facts


def _enter(remote: Remote, facts: Facts) -> None:
    # The marker comes last: where it stands, nothing of another's is left to start. It may be
    # the second attempt, and main.py parked already: a watchdog has reset the board in between.
    code = ""
    if MAIN in facts.found:
        remote.helpers()
        code = (
            f"try:\n    with open({MAIN!r}, 'rb') as f:\n"
            "        ours = b'wampapp.main()' in f.read(4096)\n"
            f"    if not ours:\n        _m({MAIN!r}, {PARKED!r})\n"
            "except OSError as e:\n    if e.errno != 2:\n        raise\n"
        )
    remote.exec(code + f"with open({SAFE_MODE!r}, 'wb') as f:\n    f.write({_OURS!r})\n")
    if facts.found & {MAIN, "/boot.py"}:
        remote.reset()
        remote.reopen()


def deploy(
    remote: Remote,
    own: dict[str, bytes],
    *,
    facts: Facts,
    force: bool = False,
    progress: Callable[[int, int, str], None],
) -> Outcome:
    """Bring a board up to date. progress(done, all, path): octets. Raises as Remote does."""
    begin = time.monotonic()
    check_version(remote.port, facts)
    check_newer(remote.port, facts, force)
    todo = plan(remote, facts, own)
    if todo.write or todo.remove or facts.found & {SAFE_MODE, PARKED}:
        check_room(remote, facts, todo)
        with safe_mode(remote, facts):
            remote.helpers()
            _apply(remote, todo, progress)
            _verify(remote, todo)
    remote.reset()
    return Outcome(
        len(todo.write),
        len(todo.remove),
        todo.kept,
        todo.octets,
        remote.octets,
        time.monotonic() - begin,
        todo.notes,
    )


def _apply(remote: Remote, todo: Plan, progress: Callable[[int, int, str], None]) -> None:
    for path in todo.remove:
        remote.exec(f"_r({path!r})")
    done = 0
    for path, octets in todo.write.items():

        def step(count: int, path: str = path) -> None:
            nonlocal done
            done += count
            progress(done, todo.octets, path)

        remote.write(path, octets, _digest(octets), step)


def _verify(remote: Remote, todo: Plan) -> None:
    there = remote.hashes([], list(todo.write))
    for path, octets in todo.write.items():
        if there.get(path) != _digest(octets):
            raise RemoteProtocolError(
                f"port {remote.port}: {path} is not what was written: is the flash worn out?"
            )
