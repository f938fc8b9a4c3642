"""The accelerator for ARM, instruction by instruction, against Python's integers."""

from __future__ import annotations

import random
import runpy
from itertools import product
from pathlib import Path

from thumb import Code, Cpu

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
