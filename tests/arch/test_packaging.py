"""What gets installed: the wheel holds all three packages and works far from the sources."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from microwamp import boards
from microwamp.boards import bytecode

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "wamp": ROOT / "firmware" / "lib" / "wamp",
    "microwamp": ROOT / "host" / "microwamp",
    "microwamp_rig": ROOT / "rig" / "microwamp_rig",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=60,
    )
    (path,) = folder.glob("microwamp-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:  # a pure wheel is installed by unpacking it
        archive.extractall(folder)
    return folder


def run(installed: Path, folder: Path, *command: str) -> str:
    result = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_holds_every_file_of_the_package(wheel, package):
    source = PACKAGES[package]
    expected = {
        f"{package}/{path.relative_to(source)}"
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert f"{package}/py.typed" in expected
    names = {
        name
        for name in zipfile.ZipFile(wheel).namelist()
        if name.startswith(package + "/") and not name.startswith("microwamp/_device/")
    }
    assert names == expected


def test_wheel_holds_nothing_else(wheel):
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_wheel_holds_what_boards_get(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for arch in bytecode.ARCHES:
        assert f"microwamp/_device/mpy/{arch}/wamp/_sha512_viper.mpy" in names
    for package in (boards.library(), boards.application()):
        for path in bytecode.modules(package):
            kinds = bytecode.arches(path.read_text(encoding="utf-8"))
            for kind in kinds:
                assert f"microwamp/_device/mpy/{kind}/{package.name}/{path.stem}.mpy" in names
    for name in boards.boards():
        assert f"microwamp/_device/boards/{name}/board.toml" in names
    assert not [name for name in names if name.endswith((".mpy.new", "inputs", "firmware.uf2"))]


def test_boards_and_bytecode_are_found_in_the_wheel(installed, tmp_path):
    program = (
        "from microwamp import boards as b\n"
        "assert b.source_tree() is None\n"
        "print(len(b.boards()), len(b.device_files('armv6m')), len(b.main_program()) > 50)\n"
    )
    output = run(installed, tmp_path, "-c", program).split()
    assert output == [str(len(boards.boards())), str(len(boards.device_files("armv6m"))), "True"]


def test_packages_of_the_wheel_are_imported_in_an_empty_folder(installed, tmp_path):
    names = ", ".join(PACKAGES)
    program = f"import {names}\nfor m in ({names}): print(m.__file__)"
    files = run(installed, tmp_path, "-c", program).splitlines()
    assert files == [str(installed / name / "__init__.py") for name in PACKAGES]


def test_boards_of_the_wheel_run_its_device_library(installed, tmp_path):
    (tmp_path / "main.py").write_text("import wamp.errors\nprint(wamp.errors.__file__)\n")
    program = "from microwamp_rig import micropython as m; print(m.run('main.py').stdout, end='')"
    output = run(installed, tmp_path, "-c", program)
    assert output == f"{installed}/wamp/errors.py\n"


def test_command_of_the_wheel_starts(installed, tmp_path):
    assert "usage" in run(installed, tmp_path, "-m", "microwamp", "--help").lower()
