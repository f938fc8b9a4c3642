"""What is frozen into the firmware of RPI_PICO2_W."""

include("$(PORT_DIR)/boards/RPI_PICO2_W/manifest.py")
include("../../firmware/manifest.py")
package("wamp", base_path="../../firmware/accel/thumb")
