"""What the tests of the core share; runs on CPython and MicroPython."""


def raises(error, function, *args, **kwargs):
    """Call the function and return the exception, which must be of that type."""
    try:
        value = function(*args, **kwargs)
    except error as e:
        return e
    raise AssertionError("%s expected, got %r" % (error.__name__, value))
