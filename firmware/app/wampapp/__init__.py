"""The default application: joins as its configuration says, and offers a few procedures.

It never takes the board away from its user: in safe mode (there is a file /safe_mode), with a
configuration that cannot work, and after Ctrl-C there is the prompt, with the reason printed.
"""

import micropython

SAFE_MODE = "/safe_mode"

_CTRL_C = 3
_running = None  # the application, for what is to be said at its end


def main():
    """Run until Ctrl-C, or until it cannot go on; returns to the prompt."""
    from os import stat

    try:
        stat(SAFE_MODE)
    except OSError:
        pass
    else:
        micropython.kbd_intr(_CTRL_C)
        print("wampapp: safe mode: no application, no watchdog; remove %s to end it" % SAFE_MODE)
        return
    try:
        _main()
    except KeyboardInterrupt:
        print("wampapp: interrupted")
    except Exception as error:
        print("wampapp: ended: %s" % (error if str(error) else type(error).__name__))
    finally:
        micropython.kbd_intr(_CTRL_C)
        if _running is not None and _running.watchdog is not None:
            print(
                "wampapp: the watchdog is armed and will reset the board; to stay here: "
                "open(%r, 'w').close()" % SAFE_MODE
            )


def _main():
    from . import config

    found, path, complaints = config.load()
    for text in complaints:
        print("wampapp:", text)
    if found is None:
        print("wampapp: not started; `microwamp deploy` brings a configuration")
        return
    if complaints:
        print("wampapp: going on with", path)

    from wamp.errors import ConfigurationError

    try:
        _run(found, path)
    except ConfigurationError as error:
        # No waiting repairs this one; the last one that joined may do.
        good = config.good(found)
        if good is None or path == config.GOOD or _running and _running.client.joins:
            raise
        print("wampapp: %s: %s" % (path, error))
        print("wampapp: going on with", config.GOOD)
        _run(good, config.GOOD)


def _run(found, path):
    global _running

    # Where no line of ours is the console, Ctrl-C is the user's.
    console = found["url"].split("?")[0] == "serial:"
    micropython.kbd_intr(-1 if console else _CTRL_C)
    from .application import Application

    _running = None
    _running = Application(found, path)
    _running.run()
