"""A Cortex-M0+ as far as functions of `@micropython.asm_thumb` need one, in Python.

It runs the source text, with flags as the ARMv6-M Architecture Reference Manual has them, refuses
what is not aligned and what lies outside the memory it is given, and counts cycles.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

MASK = 0xFFFFFFFF
REGISTERS = {f"r{n}": n for n in range(16)}

Step = Callable[["Cpu"], "str | None"]


class Cpu:
    """Registers, flags and memory; `code` is one function."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.r = [0] * 16
        self.carry = self.zero = self.negative = False
        self.stack: list[int] = []
        self.memory: dict[int, bytearray] = {}  # by address, each below 64 KiB
        self.cycles = 0

    def place(self, octets: bytearray) -> int:
        """Put octets into the memory; their address."""
        address = (len(self.memory) + 1) << 16
        self.memory[address] = octets
        return address

    def call(self, *arguments: int) -> None:
        """Run the function from its beginning to its end."""
        marks = [0xC0FFEE00 + n for n in range(8)]
        self.r[:4] = arguments
        self.r[8:12] = marks[:4]
        at = 0
        steps = self.code.steps
        while at < len(steps):
            label = steps[at](self)
            at = at + 1 if label is None else self.code.labels[label]
        assert not self.stack, "the stack is not as it was"
        assert self.r[8:12] == marks[:4], "a register that belongs to the caller was changed"

    def bytes_at(self, address: int, size: int) -> tuple[bytearray, int]:
        assert address % size == 0, f"{size} octets at {address:#x}"
        base = address & ~0xFFFF
        offset = address - base
        octets = self.memory[base]
        assert offset + size <= len(octets), f"beyond the end, at {offset}"
        return octets, offset

    def load(self, address: int, size: int) -> int:
        octets, offset = self.bytes_at(address, size)
        return int.from_bytes(octets[offset : offset + size], "little")

    def store(self, address: int, size: int, value: int) -> None:
        octets, offset = self.bytes_at(address, size)
        octets[offset : offset + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")

    def result(self, value: int) -> int:
        value &= MASK
        self.zero = value == 0
        self.negative = bool(value >> 31)
        return value

    def added(self, a: int, b: int, carry: int) -> int:
        total = a + b + carry
        self.carry = total > MASK
        return self.result(total)


class Code:
    """A function, taken apart once."""

    def __init__(self, path: Path, name: str) -> None:
        tree = ast.parse(path.read_text())
        (function,) = [
            node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name
        ]
        self.steps: list[Step] = []
        self.labels: dict[str, int] = {}
        for line in function.body:
            assert isinstance(line, ast.Expr) and isinstance(line.value, ast.Call), line.lineno
            assert isinstance(line.value.func, ast.Name), line.lineno
            operation = line.value.func.id
            if operation == "label":
                (argument,) = line.value.args
                assert isinstance(argument, ast.Name)
                self.labels[argument.id] = len(self.steps)
            else:
                self.steps.append(step(operation, line.value.args))


def register(node: ast.expr, most: int = 7) -> int:
    assert isinstance(node, ast.Name), ast.dump(node)
    number = REGISTERS[node.id]
    assert number <= most, f"r{number} where r0 to r{most} are possible"
    return number


def constant(node: ast.expr, most: int) -> int:
    assert isinstance(node, ast.Constant) and isinstance(node.value, int), ast.dump(node)
    assert 0 <= node.value <= most, node.value
    return node.value


def is_register(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in REGISTERS


BRANCHES: dict[str, Callable[[Cpu], bool]] = {
    "b": lambda cpu: True,
    "beq": lambda cpu: cpu.zero,
    "bne": lambda cpu: not cpu.zero,
    "bpl": lambda cpu: not cpu.negative,
    "bhi": lambda cpu: cpu.carry and not cpu.zero,
}


def step(operation: str, arguments: list[ast.expr]) -> Step:
    """One instruction as a function that returns the label it branches to, or None."""
    if operation in BRANCHES:
        (label,) = arguments
        assert isinstance(label, ast.Name)
        return branch(BRANCHES[operation], label.id)
    if operation in ("push", "pop"):
        (listed,) = arguments
        assert isinstance(listed, ast.Set)
        registers = sorted(register(element) for element in listed.elts)
        return push(registers) if operation == "push" else pop(registers)
    if operation in ("ldr", "str", "ldrb"):
        value, address = arguments
        assert isinstance(address, ast.List)
        size = 1 if operation == "ldrb" else 4
        base, offset = register(address.elts[0]), constant(address.elts[1], 31 * size)
        assert offset % size == 0
        return memory(operation, register(value), base, offset, size)
    if operation == "data":
        assert constant(arguments[0], 2) == 2
        word = constant(arguments[1], 0xFFFF)
        assert word >> 6 == 0b1011001010, "only uxth is known"
        return uxth(word & 7, word >> 3 & 7)
    if operation == "mov" and is_register(arguments[1]):
        return move(register(arguments[0], 15), register(arguments[1], 15))
    target = register(arguments[0])
    if operation in ("lsl", "lsr"):
        return shift(operation, target, register(arguments[1]), constant(arguments[2], 31))
    if len(arguments) == 3:
        return arithmetic(operation, target, register(arguments[1]), register(arguments[2]))
    if is_register(arguments[1]):
        return arithmetic(operation, target, target, register(arguments[1]))
    return immediate(operation, target, constant(arguments[1], 255))


def branch(taken: Callable[[Cpu], bool], label: str) -> Step:
    def run(cpu: Cpu) -> str | None:
        if taken(cpu):
            cpu.cycles += 2
            return label
        cpu.cycles += 1
        return None

    return run


def push(registers: list[int]) -> Step:
    def run(cpu: Cpu) -> None:
        cpu.cycles += 1 + len(registers)
        cpu.stack += [cpu.r[n] for n in reversed(registers)]

    return run


def pop(registers: list[int]) -> Step:
    def run(cpu: Cpu) -> None:
        cpu.cycles += 1 + len(registers)
        for n in registers:
            cpu.r[n] = cpu.stack.pop()

    return run


def memory(operation: str, target: int, base: int, offset: int, size: int) -> Step:
    def load(cpu: Cpu) -> None:
        cpu.cycles += 2
        cpu.r[target] = cpu.load(cpu.r[base] + offset, size)

    def store(cpu: Cpu) -> None:
        cpu.cycles += 2
        cpu.store(cpu.r[base] + offset, size, cpu.r[target])

    return store if operation == "str" else load


def uxth(target: int, source: int) -> Step:
    def run(cpu: Cpu) -> None:
        cpu.cycles += 1
        cpu.r[target] = cpu.r[source] & 0xFFFF

    return run


def move(target: int, source: int) -> Step:
    def run(cpu: Cpu) -> None:  # the form that leaves the flags alone
        cpu.cycles += 1
        cpu.r[target] = cpu.r[source]

    return run


def shift(operation: str, target: int, source: int, count: int) -> Step:
    assert count, "a shift by 0 means something else"

    def left(cpu: Cpu) -> None:
        cpu.cycles += 1
        value = cpu.r[source] << count
        cpu.carry = bool(value >> 32 & 1)
        cpu.r[target] = cpu.result(value)

    def right(cpu: Cpu) -> None:
        cpu.cycles += 1
        value = cpu.r[source]
        cpu.carry = bool(value >> count - 1 & 1)
        cpu.r[target] = cpu.result(value >> count)

    return left if operation == "lsl" else right


def arithmetic(operation: str, target: int, first: int, second: int) -> Step:
    def run(cpu: Cpu) -> None:
        cpu.cycles += 1
        a, b = cpu.r[first], cpu.r[second]
        if operation == "add":
            cpu.r[target] = cpu.added(a, b, 0)
        elif operation == "adc":
            cpu.r[target] = cpu.added(a, b, cpu.carry)
        elif operation == "sub":
            cpu.r[target] = cpu.added(a, b ^ MASK, 1)
        elif operation == "sbc":
            cpu.r[target] = cpu.added(a, b ^ MASK, cpu.carry)
        elif operation == "cmp":
            cpu.added(a, b ^ MASK, 1)
        elif operation == "mul":  # leaves the carry alone
            cpu.r[target] = cpu.result(a * b)
        else:
            assert operation == "and_", operation
            cpu.r[target] = cpu.result(a & b)

    assert operation in ("add", "adc", "sub", "sbc", "cmp", "mul", "and_"), operation
    return run


def immediate(operation: str, target: int, value: int) -> Step:
    def run(cpu: Cpu) -> None:
        cpu.cycles += 1
        if operation == "mov":  # sets zero and negative, leaves the carry alone
            cpu.r[target] = cpu.result(value)
        elif operation == "add":
            cpu.r[target] = cpu.added(cpu.r[target], value, 0)
        elif operation == "sub":
            cpu.r[target] = cpu.added(cpu.r[target], value ^ MASK, 1)
        else:
            cpu.added(cpu.r[target], value ^ MASK, 1)

    assert operation in ("mov", "add", "sub", "cmp"), operation
    return run
