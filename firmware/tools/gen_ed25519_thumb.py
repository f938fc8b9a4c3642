"""Write firmware/accel/thumb/wamp/_ed25519_thumb.py, arithmetic modulo 2^255 - 19 in Thumb code.

Run it without arguments to write the module, with --check to compare only (exit code 1 on a
difference). The loops over a number's eight words are unrolled, which is why this is generated.

Registers: a step of the program is taken apart in r0 to r6. r8: the second factor; r9, r10: the
first factor's next word and its end; r11: the scratch memory, 64 octets for a product, then where
the program is (64), where the numbers are (68), how many steps are left (72), the result (76) and
the table (80).
"""

import sys
from pathlib import Path

MODULE = Path(__file__).resolve().parent.parent / "accel" / "thumb" / "wamp" / "_ed25519_thumb.py"

WORDS = range(0, 32, 4)

HEAD = '''"""Arithmetic modulo 2^255 - 19 on ARM. Made by firmware/tools/gen_ed25519_thumb.py.

`run(program, numbers, table, count)` takes `count` steps of four octets each: what to do (0 add,
1 subtract, 2 multiply), then the places of result, first and second operand; or 3, the first of
three places to copy an entry of the table to, and which entry. numbers: bytearray of SIZE octets,
32 for each of 15 places, little end first, the rest for `run` alone; a result may take the place
of an operand. Numbers are any below 2^256; results are right modulo 2^255 - 19,
and below 2^256 too.

Thumb code that every Cortex-M runs; 18 us a multiplication on an RP2040. It branches on no number,
and takes the same time for all.
"""
# ruff: noqa: F821 - the names are instructions and registers

import micropython

SIZE = 15 * 32 + 84


@micropython.asm_thumb
def run(r0, r1, r2, r3):
'''


def uxth(register: int) -> str:
    """Clear the upper half of r0 to r7; the assembler has no name for it."""
    return f"data(2, {0xB280 | register << 3 | register})  # uxth r{register}"


def body() -> list[str]:
    """The function's lines."""
    code: list[str] = []

    def put(text: str) -> None:
        code.extend(line.strip() for line in text.strip().splitlines())

    put("""
        mov(r4, r8)
        mov(r5, r9)
        mov(r6, r10)
        mov(r7, r11)
        push({r4, r5, r6, r7})
        mov(r5, r2)
        mov(r4, 240)
        add(r2, r1, r4)
        add(r2, r2, r4)
        mov(r11, r2)
        str(r5, [r2, 80])
        str(r0, [r2, 64])
        str(r1, [r2, 68])
        str(r3, [r2, 72])
        label(NEXT)
        mov(r2, r11)
        ldr(r3, [r2, 72])
        sub(r3, 1)
        bpl(STEP)
        pop({r4, r5, r6, r7})
        mov(r8, r4)
        mov(r9, r5)
        mov(r10, r6)
        mov(r11, r7)
        b(END)
        label(STEP)
        str(r3, [r2, 72])
        ldr(r0, [r2, 64])
        ldr(r1, [r2, 68])
        ldrb(r7, [r0, 0])
        ldrb(r4, [r0, 1])
        ldrb(r5, [r0, 2])
        ldrb(r6, [r0, 3])
        add(r0, 4)
        str(r0, [r2, 64])
        lsl(r4, r4, 5)
        add(r4, r4, r1)
        str(r4, [r2, 76])
        lsl(r5, r5, 5)
        add(r5, r5, r1)
        lsl(r6, r6, 5)
        add(r6, r6, r1)
        mov(r3, 0)
        mov(r0, 38)
        cmp(r7, 1)
        beq(SUBTRACT)
        bhi(MULTIPLY)
    """)
    # Add: eight words into the scratch memory, the carry into r4.
    for i in WORDS:
        put(f"ldr(r4, [r5, {i}])")
        put(f"ldr(r7, [r6, {i}])")
        put("adc(r4, r7)" if i else "add(r4, r4, r7)")
        put(f"str(r4, [r2, {i}])")
    put("mov(r4, r3)")
    put("adc(r4, r3)")
    put("b(FOLD)")
    put("""
        label(MULTIPLY)
        cmp(r7, 3)
        beq(COPY)
        b(PRODUCT)
    """)
    # Copy: r5 is 32 times the entry's number beyond the numbers, and 96 times is wanted.
    put("""
        label(COPY)
        sub(r5, r5, r1)
        ldr(r6, [r2, 80])
        add(r6, r6, r5)
        add(r6, r6, r5)
        add(r6, r6, r5)
        mov(r5, 24)
        label(WORD)
        ldr(r7, [r6, 0])
        str(r7, [r4, 0])
        add(r6, 4)
        add(r4, 4)
        sub(r5, 1)
        bne(WORD)
        b(NEXT)
    """)
    # Subtract: where it borrows, 38 is taken off as well, since 2^256 is 38 modulo p; and where
    # that borrows, again, which cannot reach beyond the first word.
    put("label(SUBTRACT)")
    put("ldr(r1, [r2, 76])")
    for i in WORDS:
        put(f"ldr(r4, [r5, {i}])")
        put(f"ldr(r7, [r6, {i}])")
        put("sbc(r4, r7)" if i else "sub(r4, r4, r7)")
        put(f"str(r4, [r2, {i}])")
    put("sbc(r4, r4)")
    put("and_(r4, r0)")
    for i in WORDS:
        put(f"ldr(r5, [r2, {i}])")
        put("sbc(r5, r3)" if i else "sub(r5, r5, r4)")
        put(f"str(r5, [r1, {i}])")
    put("""
        sbc(r4, r4)
        and_(r4, r0)
        ldr(r5, [r1, 0])
        sub(r5, r5, r4)
        str(r5, [r1, 0])
        b(NEXT)
    """)
    # Multiply: row by row, a word of the first factor (halves r0, r1) times the second factor
    # is added to the product; r2 goes along it, r4 carries.
    put("label(PRODUCT)")
    put("mov(r8, r6)")
    for i in WORDS:
        put(f"str(r3, [r2, {i}])")
    put("""
        mov(r4, 32)
        add(r4, r4, r5)
        mov(r10, r4)
        label(ROW)
        ldr(r0, [r5, 0])
        add(r5, 4)
        mov(r9, r5)
        lsr(r1, r0, 16)
    """)
    put(uxth(0))
    put("mov(r4, 0)")
    for i in WORDS:
        put("mov(r5, r8)")
        put(f"ldr(r5, [r5, {i}])")
        put("lsr(r6, r5, 16)")
        put(uxth(5))
        # r7 low by low, r5 high by low, r4 high by high with what is carried in, r6 low by high
        put("""
            mov(r7, r5)
            mul(r7, r0)
            mul(r5, r1)
            add(r7, r7, r4)
            mov(r4, r6)
            mul(r4, r1)
            adc(r4, r3)
            mul(r6, r0)
            add(r5, r5, r6)
            mov(r6, r3)
            adc(r6, r3)
            lsl(r6, r6, 16)
            add(r4, r4, r6)
            lsr(r6, r5, 16)
            add(r4, r4, r6)
            lsl(r5, r5, 16)
            add(r7, r7, r5)
            adc(r4, r3)
        """)
        put(f"ldr(r5, [r2, {i}])")
        put("add(r7, r7, r5)")
        put("adc(r4, r3)")
        put(f"str(r7, [r2, {i}])")
    put("""
        str(r4, [r2, 32])
        add(r2, 4)
        mov(r5, r9)
        mov(r6, r10)
        cmp(r5, r6)
        beq(ROWS_END)
        b(ROW)
        label(ROWS_END)
        mov(r2, r11)
        mov(r0, 38)
        mov(r4, 0)
    """)
    # The upper half of the product counts 38 times; r4 carries.
    for i in WORDS:
        put(f"ldr(r5, [r2, {32 + i}])")
        put("lsr(r6, r5, 16)")
        put(uxth(5))
        put("""
            mul(r5, r0)
            mul(r6, r0)
            lsl(r7, r6, 16)
            lsr(r6, r6, 16)
            add(r5, r5, r7)
            adc(r6, r3)
            add(r5, r5, r4)
            adc(r6, r3)
        """)
        put(f"ldr(r7, [r2, {i}])")
        put("add(r5, r5, r7)")
        put("adc(r6, r3)")
        put(f"str(r5, [r2, {i}])")
        put("mov(r4, r6)")
    # What is above 2^256 (r4) counts 38 times, and again what that carries, which cannot reach
    # beyond the first word.
    put("label(FOLD)")
    put("ldr(r1, [r2, 76])")
    put("mul(r4, r0)")
    for i in WORDS:
        put(f"ldr(r5, [r2, {i}])")
        put("adc(r5, r3)" if i else "add(r5, r5, r4)")
        put(f"str(r5, [r1, {i}])")
    put("""
        mov(r4, r3)
        adc(r4, r3)
        mul(r4, r0)
        ldr(r5, [r1, 0])
        add(r5, r5, r4)
        str(r5, [r1, 0])
        b(NEXT)
        label(END)
    """)
    return code


def module_text() -> str:
    """The whole source text of the generated module."""
    return HEAD + "".join(f"    {line}\n" for line in body())


def main(arguments: list[str]) -> int:
    text = module_text()
    if "--check" in arguments:
        if MODULE.read_text(encoding="ascii") == text:
            return 0
        print(f"{MODULE.name} differs from its generator: run {Path(__file__).name}")
        return 1
    MODULE.write_text(text, encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
