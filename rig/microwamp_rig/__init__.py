"""The rig: boards, serial lines with faults and routers, to test microwamp and its users.

Import what is needed from the module that has it; importing this package loads nothing:

    micropython     the unix port: where it is, how to run a script under it
    boards          UnixBoard, a MicroPython program whose UART is one end of a pty
    pty             a pair of connected serial ports
    line            a cable between two of them that can be cut, noisy, slow or unplugged
    crossbar        a crossbar.io node with realms, logins and transports of its own
    process         child processes that do not outlive this one; free TCP ports
    pytest_plugin   one test file on CPython and on MicroPython; async tests; the node as fixture
"""
