"""One client of the bench: joins, is measured, prints one JSON line.

    worker.py CLIENT HOST PORT REALM [quick]

CLIENT: microwamp, autobahn (with the Python of crossbar's environment) or bare, which is asyncio
with cbor2 and nothing else. Figures are microseconds of CPU time of this process for each
operation, the least of the rounds; the procedure is another process's. quick: few operations.
"""

import asyncio
import json
import resource
import sys
import time

QUICK = sys.argv[5:] == ["quick"]
IN_FLIGHT = 100
SEQUENTIAL, PIPELINED, ROUNDS = (20, IN_FLIGHT, 1) if QUICK else (400, 2000, 5)
PROCEDURE, TOPIC, PAYLOAD = "com.example.bench.echo", "com.example.bench.topic", "x" * 32


async def sequential(operation):
    for _ in range(SEQUENTIAL):
        await operation()


async def pipelined(operation):
    """IN_FLIGHT at a time, each batch begun when the one before is answered."""
    for _ in range(PIPELINED // IN_FLIGHT):
        await asyncio.gather(*[operation() for _ in range(IN_FLIGHT)])


async def measure(call, publish):
    found = {}
    plan = (
        ("call sequential", sequential, call, SEQUENTIAL),
        ("call pipelined", pipelined, call, PIPELINED),
        ("publish sequential", sequential, publish, SEQUENTIAL),
        ("publish pipelined", pipelined, publish, PIPELINED),
    )
    for _, run, operation, _ in plan:
        await run(operation)
    for _ in range(ROUNDS):
        for name, run, operation, count in plan:
            begin = time.process_time()
            await run(operation)
            took = (time.process_time() - begin) / count * 1e6
            found[name] = min(found.get(name, took), took)
    return {name: round(took, 1) for name, took in found.items()}


def resident_mb():
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return round(int(line.split()[1]) / 1024, 1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def microwamp(host, port, realm, serve):
    import microwamp
    from microwamp.types import ComponentConfig, PublishOptions

    joined = asyncio.get_running_loop().create_future()
    session = microwamp.Session(ComponentConfig(realm=realm))
    session.on("join", lambda session, details: joined.set_result(None))
    await microwamp.connect(session, f"rs://{host}:{port}")
    await asyncio.wait_for(joined, 20)
    if serve:
        await session.register(lambda text: text, PROCEDURE)
        return None
    memory = resident_mb()
    options = PublishOptions(acknowledge=True)
    figures = await measure(
        lambda: session.call(PROCEDURE, PAYLOAD),
        lambda: session.publish(TOPIC, PAYLOAD, options=options),
    )
    await session.leave()
    return {**figures, "resident MB": memory}


async def autobahn(host, port, realm, serve):
    import txaio

    txaio.use_asyncio()
    from autobahn.asyncio.rawsocket import WampRawSocketClientFactory
    from autobahn.asyncio.wamp import ApplicationSession
    from autobahn.wamp.serializer import CBORSerializer
    from autobahn.wamp.types import ComponentConfig, PublishOptions

    joined = asyncio.get_running_loop().create_future()

    class Session(ApplicationSession):
        def onJoin(self, details):
            joined.set_result(None)

    session = Session(ComponentConfig(realm))
    factory = WampRawSocketClientFactory(lambda: session, serializer=CBORSerializer())
    await asyncio.get_running_loop().create_connection(factory, host, port)
    await asyncio.wait_for(joined, 20)
    memory = resident_mb()
    options = PublishOptions(acknowledge=True)
    figures = await measure(
        lambda: session.call(PROCEDURE, PAYLOAD),
        lambda: session.publish(TOPIC, PAYLOAD, options=options),
    )
    return {**figures, "resident MB": memory}


class Bare(asyncio.Protocol):
    """RawSocket, CBOR and a table of futures: the least that a client can do."""

    def __init__(self):
        self.waiting, self.last, self.rest, self.shaken = {}, 0, b"", False

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"\x7f\xb3\x00\x00")

    def data_received(self, data):
        data = self.rest + data
        at = 0
        if not self.shaken and len(data) >= 4:
            self.shaken, at = True, 4
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                break
            message = self.loads(data[at + 4 : end])
            at = end
            request = 0 if message[0] == 2 else message[1]
            self.waiting.pop(request).set_result(message)
        self.rest = data[at:]

    def ask(self, message):
        self.last += 1
        message[1] = self.last
        return self.send(self.last, message)

    def send(self, request, message):
        future = asyncio.get_running_loop().create_future()
        self.waiting[request] = future
        octets = self.dumps(message)
        self.transport.write(len(octets).to_bytes(4, "big") + octets)
        return future


async def bare(host, port, realm, serve):
    import cbor2

    Bare.dumps, Bare.loads = staticmethod(cbor2.dumps), staticmethod(cbor2.loads)
    _, client = await asyncio.get_running_loop().create_connection(Bare, host, port)
    roles = {"caller": {}, "publisher": {}}
    await asyncio.wait_for(client.send(0, [1, realm, {"roles": roles}]), 20)
    memory = resident_mb()
    figures = await measure(
        lambda: client.ask([48, 0, {}, PROCEDURE, [PAYLOAD]]),
        lambda: client.ask([16, 0, {"acknowledge": True}, TOPIC, [PAYLOAD]]),
    )
    return {**figures, "resident MB": memory}


async def main():
    client, host, port, realm = sys.argv[1:5]
    serve = client == "serve"
    run = {"microwamp": microwamp, "serve": microwamp, "autobahn": autobahn, "bare": bare}[client]
    found = await run(host, int(port), realm, serve)
    print(json.dumps(found), flush=True)
    if serve:
        await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
