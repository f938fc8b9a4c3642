"""The pinned sources: fetched as Debian packages, unpacked into one tree like a full checkout."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import toolchain
from aptlist import RELEASE, Apt, apt_for_release
from common import BUILD, fail, is_debian, run, same, say, step

DOWNLOAD = BUILD / "download"
SRC = BUILD / "src"
TREE = SRC / "micropython"

MICROPYTHON_TAG = "v1.25.0"
MICROPYTHON_DATE = "1744675200"  # 2025-04-15, its release: the build date in the banner


@dataclass(frozen=True)
class Package:
    """A Debian package, where it goes in the tree, and how to know it again.

    version: the one built and tested. accept: others of the same upstream version, taken with a
    word of warning when the archive has moved on. sha256: of the pinned file.
    """

    name: str
    version: str
    accept: str
    file: str
    sha256: str
    into: str
    binary: str = ""  # the folder inside a binary package; source packages have none


PACKAGES = (
    Package(
        "micropython",
        "1.25.0+ds-1",
        r"1\.25\.0\+",
        "micropython_1.25.0+ds.orig.tar.xz",
        "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea",
        "",
    ),
    Package(
        "mbedtls",
        "3.6.6-0.1~deb13u1",
        r"3\.6\.",
        "mbedtls_3.6.6.orig.tar.bz2",
        "8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a",
        "lib/mbedtls",
    ),
    Package(
        "pico-sdk-source",
        "2.1.1-1",
        r"2\.1\.1-",
        "pico-sdk-source_2.1.1-1_all.deb",
        "507a3ca37636641bc90239d7c04dc9dc28c5008087a8162102ea94d2273153d3",
        "lib/pico-sdk",
        "usr/src/pico-sdk",
    ),
    Package(
        "tinyusb-source",
        "0.18.0+dfsg-1",
        r"0\.18\.0\+",
        "tinyusb-source_0.18.0+dfsg-1_all.deb",
        "01ce2c645df68f14a8a7dcfc8fb355713152543757955820479a87949a61154e",
        "lib/tinyusb",
        "usr/src/tinyusb",
    ),
)


def _fetched(package: Package) -> Path | None:
    """The file that was fetched for this package, pinned or accepted."""
    for path in (DOWNLOAD / package.name).glob("*_*"):
        if re.match(package.accept, path.name.partition("_")[2]):
            return path
    return None


def _fetch(apt: Apt, package: Package) -> None:
    version = package.version
    versions = apt.versions(package.name)
    if version not in versions:
        others = [v for v in versions if re.match(package.accept, v)]
        if not others:
            have = ", ".join(dict.fromkeys(versions)) or "no such package"
            problems = f"\napt says:\n{apt.problems}" if apt.problems else ""
            fail(
                f"Debian {RELEASE}, as this machine reaches it, has no {package.name} {version}"
                f" (it has: {have}). Give MPY_DIR=<MicroPython checkout>, or correct the pins"
                f" in firmware/build/sources.py.{problems}"
            )
        say(f"  {package.name} {version} is no longer in the archive; taking {others[0]}")
        version = others[0]
    folder = DOWNLOAD / package.name
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=BUILD) as name:
        place = Path(name)
        if package.binary:
            apt.get("download", f"{package.name}={version}", cwd=place)
            files = list(place.glob("*.deb"))
        else:
            words = ("source", "--download-only", "--tar-only", f"{package.name}={version}")
            apt.get(*words, cwd=place)
            files = list(place.glob("*.orig.tar.*"))
        if len(files) != 1:
            fail(f"apt fetched {[p.name for p in files]} for {package.name}, not one file")
        got = files[0]
        digest = hashlib.sha256(got.read_bytes()).hexdigest()
        if got.name == package.file and digest != package.sha256:
            fail(f"{got.name} is not the file that was pinned: its SHA-256 is {digest}")
        size = got.stat().st_size
        folder.mkdir(parents=True)
        os.replace(got, folder / got.name)
    say(f"  {got.name}, {size / 1e6:.1f} MB")


def _missing() -> list[Package]:
    return [package for package in PACKAGES if _fetched(package) is None]


def check_system() -> None:
    """BuildError where the sources are not here and cannot be fetched: before anything else."""
    if _missing() and not is_debian():
        fail(
            "the pinned sources are Debian packages, and this system is not Debian."
            " Give MPY_DIR=<MicroPython checkout, 1.23 or newer, with its submodules>."
        )


def fetch() -> None:
    """Download what is not there yet."""
    missing = _missing()
    if not missing:
        return
    names = ", ".join(package.name for package in missing)
    with step(f"fetching {names} from Debian {RELEASE}"), apt_for_release() as apt:
        for package in missing:
            _fetch(apt, package)


def tree() -> Path:
    """Fetch and unpack what is needed; returns a folder like a checkout with submodules."""
    fetch()
    files = {package: _fetched(package) for package in PACKAGES}
    stamp = "".join(f"{path.name}\n" for path in files.values() if path)
    if same(SRC / "stamp", stamp):
        return TREE
    toolchain.ensure(toolchain.UNPACK)
    with step(f"unpacking the sources into {TREE.relative_to(BUILD.parent)}"):
        shutil.rmtree(SRC, ignore_errors=True)
        SRC.mkdir(parents=True)
        for package, path in files.items():
            assert path is not None  # fetch() has put it there
            target = TREE / package.into
            if target.exists():
                target.rmdir()  # the empty folder of a submodule
            if package.binary:
                part = SRC / "deb"
                run(["dpkg-deb", "-x", path, part])
                os.replace(part / package.binary, target)
                shutil.rmtree(part)
            else:
                target.mkdir()
                run(["tar", "-x", "-f", path, "-C", target, "--strip-components=1"])
        (SRC / "stamp").write_text(stamp)
    return TREE
