"""Children of the rig end with it, however it ends; ports that it picks are free."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from microwamp_rig import process
from microwamp_rig.process import gone

CHILD = [sys.executable, "-c", "import time; time.sleep(60)"]

# Prints the process ids of a tied child and of a board, then waits to be killed.
PARENT = """
import asyncio, sys, time
from microwamp_rig import process
from microwamp_rig.process import gone
from microwamp_rig.boards import UnixBoard
async def main():
    child = process.start([sys.executable, "-c", "import time; time.sleep(60)"])
    board = UnixBoard("import time; print('up'); time.sleep(60)")
    await board.start()
    await board.expect("up")
    print(child.pid, board.pid, board.root.parent, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_children_end_with_a_parent_that_is_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child, board, folder = parent.stdout.readline().split()
        assert not gone(int(child)) and not gone(int(board))
        parent.kill()
    deadline = time.monotonic() + 60
    while not (gone(int(child)) and gone(int(board))):
        assert time.monotonic() < deadline, "a child outlived its parent by 5 s"
        time.sleep(0.01)
    subprocess.run(["rm", "-r", folder], check=True)


def test_stop_ends_a_deaf_process_and_what_it_started():
    deaf = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "grandchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(grandchild.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    child = process.start([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        assert process.stop(child, timeout_s=0.2) == -signal.SIGKILL
    deadline = time.monotonic() + 60
    while not gone(grandchild):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_stop_returns_the_status_of_who_listens():
    child = process.start(CHILD)
    assert process.stop(child) == -signal.SIGTERM
    assert process.stop(child) == -signal.SIGTERM  # again is no error


def test_started_processes_lead_a_group_of_their_own():
    child = process.start(CHILD)
    try:
        assert os.getpgid(child.pid) == child.pid
    finally:
        process.stop(child)


def test_free_ports_are_free_and_not_the_kernels_to_give_away():
    ports = process.free_ports(5)
    assert len(set(ports)) == 5
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in ports:
        assert port < low
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            listener.listen()
