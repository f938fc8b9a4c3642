"""Numbers modulo 2^255 - 19 and steps taken with them, on plain integers, for verifying where
there is no accelerator. The steps are those of wamp._ed25519_fast."""

_M = (1 << 255) - 1
_P = _M - 18


class Numbers:
    """As wamp._ed25519_fast.Numbers."""

    def __init__(self):
        self._numbers = [0] * 15

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
