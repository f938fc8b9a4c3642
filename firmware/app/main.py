"""Starts the default application. A main.py of your own in its place is kept by `deploy`."""

import micropython

micropython.kbd_intr(-1)  # a bridge may still be sending: 03 in a frame is no Ctrl-C

import wampapp  # noqa: E402

wampapp.main()
