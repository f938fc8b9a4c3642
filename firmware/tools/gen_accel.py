"""Makes firmware/lib/wamp/_accel.py: functions of the library for MicroPython's native compiler.

    python firmware/tools/gen_accel.py [--check]

Native code is a fifth to a third faster than bytecode and twice its size. The functions are copied
from their modules as they are, so there is one source; with --check the file is only compared.
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1] / "lib" / "wamp"
TARGET = LIBRARY / "_accel.py"

#: Module, function (of a class: with its name), its name in _accel.
FUNCTIONS = (
    ("cbor", "_encode", "encode"),
    ("link", "Link.put", "put"),
    ("link", "Link.receive", "receive"),
)

HEAD = '''"""Functions of `cbor` and `link` as native code; made by firmware/tools/gen_accel.py.

Optional: those modules take them where this can be imported, on ports with 32-bit words.
mpy-cross compiles it for one processor only: it needs its name (-march=armv6m for the RP2040).
"""

from binascii import crc32
from collections import OrderedDict
from struct import pack_into

from .cbor import _float, _head
from .errors import LocalProtocolError

try:
    import micropython
    from micropython import const
except ImportError:  # CPython, where tools look at this module but nothing runs it
    const = int

    class micropython:
        native = staticmethod(lambda function: function)


__all__ = ("encode", "put", "receive")

# A name that the module itself has is found faster than one of the interpreter.
bool = bool
bytearray = bytearray
bytes = bytes
dict = dict
float = float
int = int
len = len
list = list
str = str
tuple = tuple
type = type

'''


def generated() -> str:
    """The text of the module."""
    constants: list[str] = []
    functions: list[str] = []
    for module, path, name in FUNCTIONS:
        source = (LIBRARY / f"{module}.py").read_text()
        lines = source.splitlines()
        body = ast.parse(source).body
        *classes, function = path.split(".")
        scope = body
        for outer in classes:
            scope = next(
                node.body for node in body if isinstance(node, ast.ClassDef) and node.name == outer
            )
        found = next(
            node for node in scope if isinstance(node, ast.FunctionDef) and node.name == function
        )
        text = lines[found.lineno - 1 : found.end_lineno]
        text = [line[found.col_offset :] for line in text]
        code = "\n".join(text).replace(f"def {function}(", f"def {name}(")
        code = code.replace(f"{function}(out, add,", f"{name}(out, add,")
        functions.append(f"@micropython.native\n{code}\n")
        used = {node.id for node in ast.walk(found) if isinstance(node, ast.Name)}
        for node in body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                value = ast.unparse(node)
                if node.targets[0].id in used and "const(" in value and value not in constants:
                    constants.append(lines[node.lineno - 1].partition("  #")[0])
    return HEAD + "\n".join(constants) + "\n\n\n" + "\n\n".join(functions)


def main() -> int:
    """Write or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the file")
    options = parser.parse_args()
    text = generated()
    if not options.check:
        TARGET.write_text(text)
        return 0
    if TARGET.read_text() != text:
        print(f"{TARGET.name} is not what {Path(__file__).name} makes: run it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
