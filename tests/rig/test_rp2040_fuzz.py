"""What the fuzzer kept, a sample of it on the emulated RP2040: a board's words, stack and heap."""

from pathlib import Path

import pytest
from emulated import Console

from microwamp_rig.rp2040 import Machine

CORE = Path(__file__).parents[1] / "core"

# target: modules beside fuzz.py that it needs, how many cases (evenly out of the corpus)
SAMPLE = {
    "cbor": (("cbor_vectors", "wire"), 30),
    "rawsocket": (("wire",), 24),
    "message": (("wire",), 24),
    "sessions": (("wire", "test_session_model", "helpers"), 4),
    "link": (("wire", "test_link", "link_vectors", "helpers"), 4),
}

PROGRAM = """
import gc
from binascii import unhexlify
import fuzz

run = fuzz.TARGETS["{target}"]
done = 0
with open("cases.txt") as file:
    for line in file:
        data = unhexlify(line.strip())
        try:
            run(data)
        except BaseException as e:
            print("failed", data, repr(e))
            raise e
        done += 1
        gc.collect()
print("done", done)
"""


@pytest.mark.parametrize("target", SAMPLE)
def test_corpus_on_the_board(target):
    modules, count = SAMPLE[target]
    cases = (CORE / "corpus" / f"{target}.txt").read_text().split()
    step = max(len(cases) // count, 1)
    sample = cases[::step][:count]
    assert len(sample) == count
    files = {f"{name}.py": (CORE / f"{name}.py").read_text() for name in ("fuzz", *modules)}
    files["cases.txt"] = "\n".join(sample) + "\n"
    machine = Machine(files={"main.py": PROGRAM.format(target=target), **files})
    console = Console(machine)
    machine.power_on()
    console.wait(f"done {count}\r\n", 60_000)
