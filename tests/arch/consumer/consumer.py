"""A stranger's program, for type checkers: the installed packages are seen, with their types.

Checked by `make lint` with mypy and pyright, strict, neither told where the sources are.
"""

from typing import assert_type

import microwamp
import wamp
from microwamp_rig.boards import UnixBoard
from microwamp_rig.line import Line

error = wamp.ApplicationError("com.example.error", 1, detail="x")
assert_type(error.error, str)
assert_type(microwamp.__name__, str)
board = UnixBoard("print('hello')")
assert_type(board.port, str)
line = Line(board.port)
assert_type(line.to_host.counters.lost, int)
