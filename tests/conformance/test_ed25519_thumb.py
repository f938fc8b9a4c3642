"""The accelerator for ARM, instruction by instruction, against Python's integers."""

from __future__ import annotations

import importlib
import random
import runpy
import sys
import types
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import nacl.bindings
import pytest
from nacl.signing import SigningKey
from thumb import Code, Cpu

from wamp import ed25519

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "firmware" / "tools" / "gen_ed25519_thumb.py"
MODULE = ROOT / "firmware" / "accel" / "thumb" / "wamp" / "_ed25519_thumb.py"
CODE = Code(MODULE, "run")

P = 2**255 - 19
TOP = 2**256
ADD, SUBTRACT, MULTIPLY = range(3)
MEANING = (lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b)

# What carries far, what borrows, what is 0 modulo p in several ways.
EDGES = sorted(
    {n for k in range(5) for n in (k, P - k, P + k, 2 * P - k, 2 * P + k, TOP - 1 - k)}
    | {TOP - 37, TOP - 38, TOP - 39, TOP - 76, 37, 38, 39, 75, 76, 77}
    | {1 << bit for bit in range(15, 256, 16)}
    | {(1 << bit) - 1 for bit in range(16, 257, 16)}
    | {TOP - (1 << bit) for bit in range(16, 256, 32)}
    | {sum(0xFFFF << bit for bit in range(start, 256, 32)) for start in (0, 16)}
)


class Machine:
    """The function with its memory: 15 numbers, and a table of two entries."""

    def __init__(self) -> None:
        self.cpu = Cpu(CODE)
        self.numbers = bytearray(15 * 32 + 84)
        self.table = bytearray(range(192))
        self.places = self.cpu.place(self.numbers), self.cpu.place(self.table)

    def run(self, program: bytes) -> None:
        self.cpu.memory.pop(3 << 16, None)
        at = self.cpu.place(bytearray(program))
        self.cpu.call(at, *self.places, len(program) // 4)

    def set(self, place: int, number: int) -> None:
        self.numbers[32 * place : 32 * place + 32] = number.to_bytes(32, "little")

    def get(self, place: int) -> int:
        return int.from_bytes(self.numbers[32 * place : 32 * place + 32], "little")


def check(machine: Machine, a: int, b: int) -> None:
    """All three operations on a pair, with results in places of their own."""
    machine.set(0, a)
    machine.set(1, b)
    machine.run(b"".join(bytes((operation, 2 + operation, 0, 1)) for operation in range(3)))
    for operation, meaning in enumerate(MEANING):
        assert (machine.get(2 + operation) - meaning(a, b)) % P == 0, (operation, a, b)
    assert (machine.get(0), machine.get(1)) == (a, b)


def test_the_module_is_what_its_generator_writes() -> None:
    assert runpy.run_path(str(TOOL))["module_text"]() == MODULE.read_text(encoding="ascii")


def test_every_pair_of_edges() -> None:
    machine = Machine()
    for a, b in product(EDGES, EDGES):
        if a <= b or random.Random(a * b).random() < 0.2:
            check(machine, a, b)


def test_random_pairs() -> None:
    source = random.Random(25519)
    machine = Machine()
    for _ in range(1000):
        check(machine, source.randrange(TOP), source.randrange(TOP))


def test_random_words_that_are_extreme() -> None:
    """Words of all zeros and all ones, where carries go a long way."""
    source = random.Random(8032)
    words = (0, 0xFFFFFFFF, 0xFFFF0000, 0x0000FFFF, 1, 0x80000000, 0xFFFFFFFE)
    machine = Machine()
    for _ in range(1000):
        a, b = (
            sum(source.choice(words) << 32 * i for i in range(8)),
            sum(source.choice(words) << 32 * i for i in range(8)),
        )
        check(machine, a, b)


def test_results_in_the_place_of_an_operand() -> None:
    source = random.Random(1)
    for operation, meaning in enumerate(MEANING):
        for result, first, second in product((0, 1), (0, 1), (0, 1)):
            machine = Machine()
            values = source.randrange(TOP), source.randrange(TOP)
            for place, value in enumerate(values):
                machine.set(place, value)
            machine.run(bytes((operation, result, first, second)))
            right = meaning(values[first], values[second])
            assert (machine.get(result) - right) % P == 0, (operation, result, first, second)
            assert machine.get(1 - result) == values[1 - result]


def test_entries_of_the_table() -> None:
    for entry in range(2):
        machine = Machine()
        machine.run(bytes((3, 4, entry, 0)))
        copied = bytes(machine.table[96 * entry : 96 * entry + 96])
        assert machine.numbers[: 15 * 32] == bytes(128) + copied + bytes(8 * 32)


def test_no_steps_change_nothing() -> None:
    machine = Machine()
    machine.set(0, P)
    machine.run(b"")
    assert machine.get(0) == P


def test_the_time_does_not_depend_on_the_numbers() -> None:
    found = set()
    for a, b in product(EDGES[::7], EDGES[::7]):
        machine = Machine()
        machine.set(0, a)
        machine.set(1, b)
        machine.run(b"".join(bytes((operation, 2, 0, 1)) for operation in range(3)))
        found.add(machine.cpu.cycles)
    assert len(found) == 1, found


def test_long_programs() -> None:
    """Hundreds of steps on the results of others, as a signature takes them."""
    source = random.Random(7)
    machine = Machine()
    values = [source.randrange(TOP) for _ in range(15)]
    for place, value in enumerate(values):
        machine.set(place, value)
    program = bytearray()
    for _ in range(500):
        operation, result = source.randrange(3), source.randrange(15)
        first, second = source.randrange(15), source.randrange(15)
        program += bytes((operation, result, first, second))
        values[result] = MEANING[operation](values[first], values[second]) % P
    machine.run(bytes(program))
    assert [machine.get(place) % P for place in range(15)] == values


class Accelerator(types.ModuleType):
    """The module as the library sees it on a board. `thumb`: by its code, else by integers."""

    SIZE = 15 * 32 + 84

    def __init__(self) -> None:
        super().__init__("wamp._ed25519_thumb")
        self.thumb = True

    def run(self, program: bytes, numbers: bytearray, table: bytes, count: int) -> None:
        if self.thumb:
            cpu = Cpu(CODE)
            octets = cpu.place(bytearray(program)), cpu.place(numbers), cpu.place(bytearray(table))
            cpu.call(*octets, count)
            return
        for operation, result, first, second in zip(
            *[iter(program[: 4 * count])] * 4, strict=True
        ):
            if operation == 3:
                numbers[32 * result : 32 * result + 96] = table[96 * first : 96 * first + 96]
                continue
            a, b = (
                int.from_bytes(numbers[32 * place : 32 * place + 32], "little")
                for place in (first, second)
            )
            value = MEANING[operation](a, b) % P + P  # not the least, as in Thumb code
            numbers[32 * result : 32 * result + 32] = value.to_bytes(32, "little")


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Accelerator]:
    """wamp.ed25519 as it is where there is an accelerator."""
    import wamp

    module = Accelerator()
    monkeypatch.setitem(sys.modules, "wamp._ed25519_thumb", module)
    monkeypatch.setattr(wamp, "_ed25519_thumb", module, raising=False)
    fast = importlib.import_module("wamp._ed25519_fast")
    monkeypatch.setattr(ed25519, "_curve", fast)
    yield module
    del sys.modules["wamp._ed25519_fast"]
    delattr(wamp, "_ed25519_fast")


def test_signatures_by_thumb_code(accelerator: Accelerator) -> None:
    for n in range(2):
        theirs = SigningKey(bytes([n]) * 32)
        public = ed25519.run(ed25519.public_key(bytes([n]) * 32))
        assert public == theirs.verify_key.encode()
        signature = ed25519.run(ed25519.sign(bytes([n]) * 32, public, b"challenge"))
        assert signature == theirs.sign(b"challenge").signature


def test_steps_of_signatures(accelerator: Accelerator) -> None:
    """The programs for the accelerator, with integers in its place."""
    accelerator.thumb = False
    source = random.Random(25519)
    order = 2**252 + 27742317777372353535851937790883648493
    scalars = [source.randrange(1, order) for _ in range(200)]
    scalars += [1, 2, 8, order - 1] + [1 << bit for bit in range(0, 252, 9)]
    for scalar in scalars:
        theirs = nacl.bindings.crypto_scalarmult_ed25519_base_noclamp(
            scalar.to_bytes(32, "little")
        )
        columns = ed25519._columns(scalar)
        assert ed25519.run(ed25519._curve.base_times(columns)) == theirs, scalar


def test_steps_of_verifying(accelerator: Accelerator) -> None:
    accelerator.thumb = False
    source = random.Random(1)
    for _ in range(20):
        theirs = SigningKey(source.randbytes(32))
        public = theirs.verify_key.encode()
        signature = theirs.sign(b"m").signature
        assert ed25519.run(ed25519.verify(public, b"m", signature)) is True
        assert ed25519.run(ed25519.verify(public, b"n", signature)) is False


def test_a_wrong_accelerator_is_not_used(accelerator: Accelerator) -> None:
    fast = sys.modules["wamp._ed25519_fast"]
    right = accelerator.run
    for place in range(3):

        def wrong(program: bytes, numbers: bytearray, table: bytes, count: int) -> None:
            right(program, numbers, table, count)
            numbers[(2, 3, 0)[place] * 32 + 9] ^= 4

        accelerator.run = wrong  # type: ignore[method-assign]
        with pytest.raises(ImportError, match="accelerator"):
            fast._check()
