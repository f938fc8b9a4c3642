"""What is frozen into the firmware of RPI_PICO2: the port, asyncio, the library, the application.

Upstream's own list has drivers from micropython-lib, which Debian does not package.
"""

freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
include("../../firmware/manifest.py")
package("wamp", base_path="../../firmware/accel/thumb")
