"""The native functions are in use exactly where they can be."""

import sys

from wamp import cbor, link


def test_native_functions_are_used_on_32_bits():
    if sys.maxsize == 0x7FFFFFFF:
        from wamp import _accel

        assert cbor._encode is _accel.encode
        assert link.Link.put is _accel.put and link.Link.receive is _accel.receive
    else:
        assert "wamp._accel" not in sys.modules
