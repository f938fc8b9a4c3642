"""CBOR: encode and decode of the three messages everybody is measured by, and of twenty others."""

import measure
import wire


def main(peer):
    """peer: None, or the name of a package like micropython-lib's cbor2 to measure instead."""
    if peer:
        package = __import__(peer)
        encode, decode = package.dumps, package.loads
    else:
        from wamp.cbor import decode, encode
    for name in wire.TUNED:
        measure.calls(f"codec.{name}.encode", encode, wire.MESSAGES[name])
        measure.calls(f"codec.{name}.decode", decode, wire.OCTETS[name])
    for i, name in enumerate(wire.OTHERS):
        if i % 2 == 0:
            measure.fresh()
        for way, f, value in (("encode", encode, wire.MESSAGES), ("decode", decode, wire.OCTETS)):
            figure = f"codec.other.{name}.{way}"
            measure.calls(figure, f, value[name], n=2, batches=1, heap=False, settle=False)
