"""The FlatBuffers schema of WAMP (`*.fbs`), and messages as buffers of it.

`_slots.py` is generated from the schema files by host/tools/gen_slots.py.
"""
