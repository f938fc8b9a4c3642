"""What is frozen into the Raspberry Pi Pico's firmware: the port's modules, asyncio, and wamp with
its accelerator."""

freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
package("wamp", base_path="../../firmware/lib")
package("wamp", base_path="../../firmware/accel/thumb")
