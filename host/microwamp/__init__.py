"""microwamp: the host's side of WAMP for microcontrollers.

Importing this package costs next to nothing: every part is a submodule that is loaded when it is
asked for (`microwamp.router`, `microwamp.cli`). On the board the library is `import wamp`.
"""

__version__ = "0.1.0"
