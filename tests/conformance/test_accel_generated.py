"""The native functions are the library's own, word by word."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_generated_module_is_what_its_generator_makes() -> None:
    script = ROOT / "firmware" / "tools" / "gen_accel.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_generator_notices_a_difference(tmp_path: Path) -> None:
    library = tmp_path / "lib" / "wamp"
    library.mkdir(parents=True)
    for name in ("cbor", "link", "_accel"):
        source = (ROOT / "firmware" / "lib" / "wamp" / f"{name}.py").read_text()
        (library / f"{name}.py").write_text(source.replace("n < 24", "n < 23"))
    tools = tmp_path / "tools"
    tools.mkdir()
    script = tools / "gen_accel.py"
    script.write_text((ROOT / "firmware" / "tools" / "gen_accel.py").read_text())
    run = [sys.executable, str(script), "--check"]
    assert subprocess.run(run, check=False).returncode == 0
    cbor = library / "cbor.py"
    cbor.write_text(cbor.read_text().replace("n < 23", "n < 22"))
    assert subprocess.run(run, check=False, capture_output=True).returncode == 1
