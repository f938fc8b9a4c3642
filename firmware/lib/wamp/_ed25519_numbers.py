"""Numbers modulo p = 2^255 - 19, and steps taken with them, for verifying: by the accelerator of
wamp.ed25519 where it is in use, else on plain integers. The steps are those of wamp._ed25519_fast.
"""

_M = (1 << 255) - 1
_P = _M - 18
_PLACES = 15


class Integers:
    """Numbers as integers."""

    def __init__(self):
        self._numbers = [0] * _PLACES

    def set(self, place, number):
        """Put a number."""
        self._numbers[place] = number

    def get(self, place):
        """The number modulo p."""
        return self._numbers[place] % _P

    def run(self, program):
        """Take the steps of a program."""
        m = _M
        n = self._numbers
        for i in range(0, len(program), 4):
            operation = program[i]
            a = n[program[i + 2]]
            b = n[program[i + 3]]
            if operation == 2:
                a *= b
                a = (a & m) + (a >> 255) * 19
                a = (a & m) + (a >> 255) * 19
            elif operation:
                a -= b
            else:
                a += b
            n[program[i + 1]] = a

    def square(self, result, operand, count):
        """Square `count` times, at least once."""
        m = _M
        a = self._numbers[operand]
        for _ in range(count):
            a *= a
            a = (a & m) + (a >> 255) * 19
            a = (a & m) + (a >> 255) * 19
        self._numbers[result] = a


class Octets:
    """Numbers as the accelerator takes them."""

    def __init__(self, accelerator):
        self._run = accelerator.run
        self._octets = bytearray(accelerator.SIZE)
        self._view = memoryview(self._octets)

    def set(self, place, number):
        """As Integers.set; from 0 to 2^256 - 1."""
        self._view[32 * place : 32 * place + 32] = number.to_bytes(32, "little")

    def get(self, place):
        """As Integers.get."""
        return int.from_bytes(self._view[32 * place : 32 * place + 32], "little") % _P

    def run(self, program):
        """As Integers.run."""
        self._run(program, self._octets, b"", len(program) >> 2)

    def square(self, result, operand, count):
        """As Integers.square."""
        self.run(bytes((2, result, operand, operand)))
        again = bytes((2, result, result, result)) * 10
        count -= 1
        while count > 0:
            self._run(again, self._octets, b"", min(count, 10))
            count -= 10


def numbers(accelerator):
    """New numbers, of the form that suits `accelerator`, a module, or None."""
    return Integers() if accelerator is None else Octets(accelerator)
