"""Boards with a FAT file system, which cannot put one file in another's place at once: power cuts
while configuration, library and keys are written.

A sector is written in order, and whole or half. What an erase that is cut short takes with it is
beyond every program (docs/design.md, section 3, "Boards and the default application").
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from deploying import FEW, deploy
from fatimage import Damaged, FatImage
from flashboard import FlashBoard
from test_application import PUBLIC, key_text
from test_provision import whole

import wamp
from microwamp import boards
from microwamp.boards import deployment, provisioning
from microwamp.boards.remote import _HELPERS as HELPERS
from microwamp.boards.remote import Remote
from microwamp_rig import micropython

DEVICE = Path(__file__).with_name("fat_device.py")
SIZE = 80 * 512


def cuts(
    folder: Path,
    files: dict[str, bytes],
    define: str,
    act: str,
    *,
    ask: str = "None",
    names: int = 0,
    kind: str = "unix32",
) -> list[tuple[Any, dict[str, bytes]]]:
    """The answer to `ask`, and all files, after a power cut at each write of `act`; in order of
    the cuts, first those that leave a sector as it was, then those that leave it half written.
    Each of these file systems is sound, or `Damaged`."""
    task, images = folder / "task.json", folder / "images"
    task.write_text(
        json.dumps(
            {
                "path": [str(boards.application().parent)],
                "files": {path: octets.hex() for path, octets in files.items()},
                "names": names,
                "define": define,
                "act": act,
                "ask": ask,
                "images": str(images),
            }
        )
    )
    done = micropython.run(DEVICE, str(task), board=kind)
    assert done.returncode == 0, done.stdout
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    octets = images.read_bytes()
    assert len(octets) == SIZE * len(answers)
    starts = range(0, len(octets), SIZE)
    found = [FatImage(octets[start : start + SIZE]).files for start in starts]
    others = {f"/F{n}": b"" for n in range(names)}
    for there in found:
        assert others.items() <= there.items()
    return [(answer, there) for answer, there in zip(answers, found, strict=True)]


# -- the application ------------------------------------------------------------------------------

OLD, NEW = (json.dumps({"realm": letter * 1200}).encode() for letter in "on")


@pytest.mark.parametrize("kind", ["unix32", "unix"])
def test_configuration_is_the_old_one_or_the_new_one(tmp_path, kind):
    """However full the folder is: names that begin in one sector may end in the next."""
    order = [["o", "/wamp.json"], ["n", "/wamp.json.new"], ["n", "/wamp.json"]]
    for names in range(18):
        found = cuts(
            tmp_path,
            {"/wamp.json": OLD},
            "from wampapp import config",
            f"config.save(config.PATH, {NEW!r})",
            ask="[config.load()[0]['realm'][0], config.load()[1]]",
            names=names,
            kind=kind,
        )
        steps = [order.index(answer) for answer, _ in found]
        half = steps.index(0, steps.index(2))
        for part in (steps[:half], steps[half:]):
            assert part == sorted(part) and set(part) == {0, 1, 2}, (names, part)


def test_a_file_of_before_counts_only_beside_what_is_cut_off(tmp_path):
    """One that was never put in place does not come back when the present one is broken."""
    for present, path in ((OLD[:20], "/wamp.good.json"), (NEW[:20], "/wamp.json.new")):
        found = cuts(
            tmp_path,
            {"/wamp.json": present, "/wamp.json.new": NEW, "/wamp.good.json": OLD},
            "from wampapp import config",
            "pass",
            ask="config.load()[1:]",
        )
        assert found[0][0][0] == path and "/wamp.json: it is " in found[0][0][1][0]


# -- what deploy and provision do on the board ----------------------------------------------------

NAMES = (0, 12, 13, 14, 15)


def kept(there: dict[str, bytes], path: str, new: bytes, rest: str) -> bool:
    """Whether a file is cut off, which it may be only while the other has all of it."""
    octets = there.get(path, b"")
    if octets == new:
        return True
    assert new.startswith(octets) and there[rest] == new
    return False


@pytest.mark.parametrize("names", NAMES)
def test_a_file_is_the_old_one_or_the_new_one(tmp_path, names):
    new = bytes(range(256)) * 6
    digest = hashlib.sha256(new).hexdigest()
    act = f"_o('/it'); _w({base64.b64encode(new)!r}); _e('/it', {digest!r})"
    seen = set()
    for _, there in cuts(tmp_path, {"/it": OLD}, HELPERS, act, names=names):
        seen.add("old" if there.get("/it") == OLD else kept(there, "/it", new, "/it.new"))
    assert seen == {"old", False, True}


@pytest.mark.parametrize("names", NAMES)
def test_a_main_program_that_is_parked_is_always_there(tmp_path, names):
    own = b"print('my own program')\n" * 50
    for begin, end in (("/main.py", "/main.py.parked"), ("/main.py.parked", "/main.py")):
        seen = set()
        act = f"_m({begin!r}, {end!r})"
        for _, there in cuts(tmp_path, {begin: own}, HELPERS, act, names=names):
            seen.add(kept(there, end, own, begin))
        assert seen == {False, True}


# What _make prints. All of the library is loaded before its own file system goes.
SAYING = """
ed25519.run(ed25519.public_key(bytes(32)))
words = []
def print(*some):
    words[:] = some
def said(force):
    _make("/device.key", "00" * 32, "it", force)
    return words
"""


@pytest.mark.parametrize("names", (0, 13))
def test_a_key_is_the_old_one_or_the_new_one(tmp_path, names):
    """What the power cut left of it goes on at the next `provision`."""
    old = key_text(tmp_path)
    define = HELPERS + provisioning._MAKE + SAYING
    act, ask = "said(True)", "said(False)"
    seen = set()
    for answer, there in cuts(tmp_path, {"/device.key": old}, define, act, ask=ask, names=names):
        octets, new = there.get("/device.key", b""), there.get("/device.key.new", b"")
        if octets == old:
            public = PUBLIC.hex()
        else:
            public = whole(tmp_path, octets if not new else new)
            kept(there, "/device.key", new or octets, "/device.key.new")
        assert answer == ["there", public]
        seen.add((octets == old, bool(new)))
    assert seen == {(True, False), (True, True), (False, True), (False, False)}


# -- the commands ---------------------------------------------------------------------------------

OWN = b"print('my own program')\n"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "device_files", lambda arch: FEW)


def wait_no_longer(monkeypatch: pytest.MonkeyPatch, board: FlashBoard) -> None:
    """Nobody waits for a board that is without power; for one that was reset, as ever."""

    def reopen(self: Remote, limit_s: float | None = None) -> None:
        while True:
            try:
                return self.open()
            except (wamp.TransportError, wamp.ConfigurationError):
                if board.over:
                    raise
                time.sleep(0.05)

    monkeypatch.setattr(Remote, "reopen", reopen)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("own", [False, True], ids=["our main.py", "one of the user's own"])
def test_deploy_goes_on_after_power_cuts(tmp_path, monkeypatch, own):
    flash = tmp_path / "flash"
    with FlashBoard(flash, system="fat") as board:
        if own:
            with Remote(board.port) as prompt:
                prompt.exec(f"f = open('/main.py', 'wb')\nf.write({OWN!r})\nf.close()\n")
        deploy(board, prefix="org.lab.", realm="one")
        with Remote(board.port) as prompt:  # what an older version left
            prompt.exec("f = open('/lib/wamp/errors.mpy', 'wb')\nf.write(b'old')\nf.close()\n")
            if not own:
                prompt.exec("f = open('/main.py', 'ab')\nf.write(b'#\\n')\nf.close()\n")
    first = flash.read_bytes()
    main = OWN if own else boards.main_program()
    expected = {**FEW, "/main.py": main}
    rng = random.Random(f"fat {own}")
    seen = set()
    for cut in (rng.randint(start, start + 6) for start in range(1, 35, 7)):
        flash.write_bytes(first)
        with (
            FlashBoard(flash, system="fat", cut=cut) as board,
            contextlib.suppress(wamp.TransportError, wamp.ConfigurationError),
            monkeypatch.context() as patched,
        ):
            wait_no_longer(patched, board)
            deploy(board, realm="two")
            raise AssertionError(f"the power did not fail at write {cut}")
        check(flash)
        with FlashBoard(flash, system="fat") as board:
            deploy(board)
            board.wait(OWN.decode()[7:-3] if own else "application")
        there = check(flash)
        settings = json.loads(there.pop("/wamp.json"))
        seen.add(settings.pop("realm"))
        assert settings == {"key": None, "prefix": "org.lab.", "url": "serial:"}
        assert there == expected, cut
    assert seen == {"one", "two"}


def check(flash: Path) -> dict[str, bytes]:
    return FatImage(flash.read_bytes()).files


def test_what_is_not_sound_is_found(tmp_path):
    """As os.rename leaves it on FAT, where the power fails between two sectors."""
    files = {"/a": b"a" * 1400, "/b": b"b" * 1400}
    cuts(tmp_path, files, "", "pass")
    image = bytearray((tmp_path / "images").read_bytes()[:SIZE])
    at = sorted(image.index(name + b"          ") for name in (b"A", b"B"))
    one, other = (chr(image[n]).lower() for n in at)
    FatImage(bytes(image))
    same = bytearray(image)
    same[at[1] + 26 : at[1] + 28] = image[at[0] + 26 : at[0] + 28]
    with pytest.raises(Damaged, match=f"/{other} has blocks of /{one}"):
        FatImage(bytes(same))
    image[at[1] + 26 : at[1] + 28] = (60).to_bytes(2, "little")
    with pytest.raises(Damaged, match=f"/{other} goes on in blocks that are free"):
        FatImage(bytes(image))
