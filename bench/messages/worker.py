"""One side of the comparison: serializes and reads messages, and tells the CPU time it took.

    worker.py microwamp|autobahn

Each line on stdin is `SERIALIZER MESSAGE OPERATION ROUNDS`, where the operation is `write`
(serialize, nothing cached) or `read` (unserialize, and read every attribute). Each answer is a
line: nanoseconds of CPU time for one round, and the octets of the message.
"""

import sys
import time

ENC = ("enc_algo", "enc_key", "enc_serializer")
CALLER = ("caller", "caller_authid", "caller_authrole")
CALLEE = ("callee", "callee_authid", "callee_authrole")
ARGS = [23.45, "celsius", 1003]
KWARGS = {"sensor": "kitchen", "valid": True}

# As crossbar sends them where publishers are disclosed.
# Class: what it is made with, and the attributes that are read.
MESSAGES = {
    "Publish": (
        dict(request=123456, topic="com.example.topic.temperature", acknowledge=True),
        ("request", "topic", "args", "kwargs", "payload", "acknowledge", "exclude_me", "exclude")
        + ("exclude_authid", "exclude_authrole", "eligible", "eligible_authid")
        + ("eligible_authrole", "retain", "transaction_hash", "forward_for", *ENC),
    ),
    "Event": (
        dict(
            subscription=5512315355,
            publication=4429313566,
            publisher=3639288264,
            publisher_authid="alice",
            publisher_authrole="user",
        ),
        ("subscription", "publication", "args", "kwargs", "payload", "publisher")
        + ("publisher_authid", "publisher_authrole", "topic", "retained", "transaction_hash")
        + ("x_acknowledged_delivery", "forward_for", *ENC),
    ),
    "Call": (
        dict(request=123456, procedure="com.example.procedure.name"),
        ("request", "procedure", "args", "kwargs", "payload", "timeout", "receive_progress")
        + ("transaction_hash", "forward_for", *CALLER, *ENC),
    ),
    "Result": (
        dict(request=123456),
        ("request", "args", "kwargs", "payload", "progress", "forward_for", *CALLEE, *ENC),
    ),
    "Invocation": (
        dict(request=123456, registration=9182736455),
        ("request", "registration", "args", "kwargs", "payload", "timeout", "receive_progress")
        + ("procedure", "transaction_hash", "forward_for", *CALLER, *ENC),
    ),
    "Yield": (
        dict(request=123456),
        ("request", "args", "kwargs", "payload", "progress", "forward_for", *CALLEE, *ENC),
    ),
}


def load(side):
    if side == "autobahn":
        import txaio

        txaio.use_asyncio()
        from autobahn.wamp import message, serializer
    else:
        from microwamp import message, serializer
    return message, serializer.create_transport_serializer


def write(serializer, message, _octets, _attributes, rounds):
    began = time.process_time_ns()
    for _ in range(rounds):
        message.uncache()
        serializer.serialize(message)
    return time.process_time_ns() - began


def read(serializer, _message, octets, attributes, rounds):
    began = time.process_time_ns()
    for _ in range(rounds):
        (found,) = serializer.unserialize(octets)
        for name in attributes:
            getattr(found, name)
    return time.process_time_ns() - began


def main():
    messages, create = load(sys.argv[1])
    serializers = {}
    for line in sys.stdin:
        name, kind, operation, rounds = line.split()
        serializer = serializers.setdefault(name, create(name))
        made_with, attributes = MESSAGES[kind]
        message = getattr(messages, kind)(args=ARGS, kwargs=KWARGS, **made_with)
        octets, _ = serializer.serialize(message)
        (found,) = serializer.unserialize(octets)
        assert found.args == ARGS and found.kwargs == KWARGS, found.marshal()
        took = (write if operation == "write" else read)(
            serializer, message, octets, attributes, int(rounds)
        )
        print(took / int(rounds), len(octets), flush=True)


if __name__ == "__main__":
    main()
