"""RAM after each import: heap in use, garbage collected, beyond what the program itself takes."""

import gc
import sys

import measure


def main(label, stages):
    """label: first part of the figures' names. stages: (name, modules in the order of import)."""
    gc.collect()
    start = last = gc.mem_alloc()
    for stage, modules in stages:
        for module in modules:
            __import__(module)
            if module == "asyncio":
                # Its parts are loaded when they are first asked for.
                asyncio = sys.modules[module]
                _ = asyncio.Event, asyncio.wait_for, asyncio.create_task
            gc.collect()
            now = gc.mem_alloc()
            measure.figure(f"memory.{label}.module.{module}", now - last)
            last = now
        measure.figure(f"memory.{label}.{stage}", last - start)
