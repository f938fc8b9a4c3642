"""The power that a square root modulo 2^255 - 19 begins with."""

_FIRST = (
    b"\x02\x09\x09\x02"  # b = z^8 * z
    b"\x02\x08\x08\x09"  # a = z^2 * b
    b"\x02\x08\x08\x08"  # a = a * a
    b"\x02\x09\x08\x09"  # b = a * b = z^(2^5 - 1)
)
# Squares of one number (result, operand, how many), then a product (result, operands).
_CHAIN = (
    (8, 9, 5, b"\x02\x09\x08\x09"),  # b = z^(2^10 - 1)
    (8, 9, 10, b"\x02\x0a\x08\x09"),  # c = z^(2^20 - 1)
    (8, 10, 20, b"\x02\x08\x08\x0a"),  # a = z^(2^40 - 1)
    (8, 8, 10, b"\x02\x09\x08\x09"),  # b = z^(2^50 - 1)
    (8, 9, 50, b"\x02\x0a\x08\x09"),  # c = z^(2^100 - 1)
    (8, 10, 100, b"\x02\x08\x08\x0a"),  # a = z^(2^200 - 1)
    (8, 8, 50, b"\x02\x08\x08\x09"),  # a = z^(2^250 - 1)
    (8, 8, 2, b"\x02\x08\x08\x02"),  # a = z^(2^252 - 3)
)


def power(numbers):
    """Generator; puts z^(2^252 - 3) into place 8, z being in place 2. Takes places 9 and 10."""
    numbers.square(8, 2, 1)
    numbers.square(9, 8, 2)
    numbers.run(_FIRST)
    for result, operand, count, product in _CHAIN:
        while count > 50:  # 6 ms of an RP2040 without an accelerator
            numbers.square(result, operand, 50)
            operand = result
            count -= 50
            yield
        numbers.square(result, operand, count)
        numbers.run(product)
        yield
