"""What the board's firmware holds beside its port: the device library, and asyncio below it."""

include("$(MPY_DIR)/extmod/asyncio")
package("wamp", base_path="../../firmware/lib")
