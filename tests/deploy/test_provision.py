"""Keys that are made on the board: whole or not at all, and never in place of another unasked."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from deploying import run
from flashboard import SIZE, FlashBoard, files
from test_application import PUBLIC, SEED, image, key_text

from microwamp import cli
from microwamp_rig import crossbar
from microwamp_rig.rp2040.flash import make_image
from wamp import ed25519, keys


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our boards are back after a reset at once, or never."""
    monkeypatch.setattr("microwamp.boards.remote._BACK_S", 1.0)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A flash with the library and no main.py: a board at its prompt."""
    path = tmp_path_factory.mktemp("flash") / "flash"
    image(path, {"/main.py": ""})
    return path


def test_a_key_is_never_overwritten_without_being_told(tmp_path, library, capsys):
    flash = tmp_path / "flash"
    flash.write_bytes(library.read_bytes())
    with FlashBoard(flash) as board:
        status, out, err = run(capsys, "provision", board.port, "--dry-run")
        assert (status, out, err) == (0, "a key would be made\n", "")
        status, out, _ = run(capsys, "provision", board.port, "--name", "one")
        assert status == 0
        public = out.split()[2]
        first = files(flash)["/device.key"]
        assert f"microwamp router --anonymous --cryptosign {public}:one" in out
        status, out, err = run(capsys, "provision", board.port)
        assert status == 2 and out == ""
        assert f"its public key is {public}; --force makes a new one" in err
        assert files(flash)["/device.key"] == first
        status, out, _ = run(capsys, "provision", board.port, "--force", "--json")
        assert status == 0
        made = json.loads(out)
        assert made["public_key"] != public
        assert made["public_key"] in files(flash)["/device.key"].decode()
        # As the nodes of the crossbar tests have it.
        principals = json.loads("{" + made["crossbar"] + "}")
        auth = crossbar._config([0] * 20, tmp_path, {"device": made["public_key"]})
        theirs = json.dumps({"authorized_keys": [made["public_key"]], "role": "user"})
        assert theirs in json.dumps(auth)
        assert json.dumps(principals["device"]) == theirs.replace("user", "device")
        assert "/device.key.new" not in files(flash)
        private = [line for line in board.text.splitlines() if "private-key" in line]
        assert private == []


def test_a_constant_generator_is_refused(tmp_path, capsys):
    flash = image(tmp_path / "flash", {"/main.py": ""})
    with FlashBoard(flash, constant=True) as board:
        status, out, err = run(capsys, "provision", board.port)
        assert (status, out) == (2, "")
        assert "random generator (os.urandom) repeats itself: make the key on another" in err
    assert not [name for name in files(flash) if "device.key" in name]


def test_power_cut_at_every_write_leaves_the_old_key_or_the_new(tmp_path):
    first = image(tmp_path / "first", {"/main.py": "", "/device.key": key_text(tmp_path)})
    found = set()
    for cut in range(1, 60, 2):
        flash = tmp_path / "flash"
        flash.write_bytes(first.read_bytes())
        with FlashBoard(flash, cut=cut) as board:
            status = cli.main(["provision", board.port, "--force", "--wait", "60"])
        key = files(flash)["/device.key"]
        path = tmp_path / f"key{cut}"
        path.touch(0o600)
        path.write_bytes(key)
        seed, public = keys.read_key(path)
        assert public is not None
        found.add("old" if seed == SEED and public == PUBLIC else "new")
        if status == 0:
            break
    assert status == 0 and found == {"old", "new"}


def whole(tmp_path: Path, octets: bytes) -> str:
    """The public key of a key file as it is on the board; fails unless it is whole."""
    path = tmp_path / "found.key"
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(octets)
    seed, public = keys.read_key(path)
    assert public == ed25519.run(ed25519.public_key(seed))
    return public.hex()


OWN = "print('my own program')\n"


@pytest.mark.parametrize("old", [False, True], ids=["no key before", "a key before"])
def test_cable_pulled_at_every_step_and_gone_on(tmp_path, capsys, old):
    more: dict[str, bytes | str] = {"/main.py": OWN}
    if old:
        more["/device.key"] = key_text(tmp_path)
    first = image(tmp_path / "first", more)
    words = ("--force",) if old else ()

    def provision(pull: int = 0) -> tuple[int, int, str, str]:
        with FlashBoard(tmp_path / "flash", pull=pull) as board:
            board.wait(">>> ")
            return board.octets, *run(capsys, "provision", board.port, *words, "--wait", "60")

    (tmp_path / "flash").write_bytes(first.read_bytes())
    with FlashBoard(tmp_path / "flash") as board:
        assert run(capsys, "provision", board.port, *words)[0] == 0
        total = board.octets
    # At chance, and around the only command that matters, near the end.
    steps = [*random.Random(8).sample(range(10, total), 5), total - 120, total - 60, total - 20]
    seen = set()
    for pull in sorted(steps):
        (tmp_path / "flash").write_bytes(first.read_bytes())
        _, status, out, _ = provision(pull)
        assert status == 3 or pull > total - 200
        there = files(tmp_path / "flash")
        key = there.get("/device.key")
        found = None if key is None else whole(tmp_path, key)
        assert found is not None or not old
        made = found not in (None, PUBLIC.hex())
        seen.add((status, made))
        _, status, out, err = provision()
        there = files(tmp_path / "flash")
        if made and not old:
            # It was made, and the host did not hear of it: not made anew, but named.
            assert status == 2 and f"its public key is {found};" in err
            assert there["/device.key"] == key
        else:
            assert status == 0 and whole(tmp_path, there["/device.key"]) in out
        assert there["/main.py"] == OWN.encode()
        assert not {"/safe_mode", "/main.py.parked", "/device.key.new"} & set(there)
    assert (3, False) in seen and len(seen) > 1, seen


@pytest.mark.parametrize(
    "version, said",
    [
        ("0.0.9", "has wamp 0.0.9, which does not fit this host's .*`microwamp deploy .*` repla"),
        ("9.0.0", "has wamp 9.0.0, which does not fit this host's .*: upgrade microwamp here"),
    ],
)
def test_a_library_that_does_not_fit_this_host(tmp_path, library, capsys, version, said):
    there = files(library)
    there.pop("/lib/wamp/__init__.mpy")
    there["/lib/wamp/__init__.py"] = f"__version__ = {version!r}\n".encode()
    flash = tmp_path / "flash"
    flash.write_bytes(make_image({n.lstrip("/"): o for n, o in there.items()}, SIZE))
    with FlashBoard(flash) as board:
        status, out, err = run(capsys, "provision", board.port, "--force")
    assert (status, out) == (2, "")
    assert re.search(said, err)
    assert "/device.key" not in files(flash)
