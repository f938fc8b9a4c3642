"""What is frozen into the firmware of RPI_PICO2."""

include("$(PORT_DIR)/boards/manifest.py")
include("../../firmware/manifest.py")
package("wamp", base_path="../../firmware/accel/thumb")
