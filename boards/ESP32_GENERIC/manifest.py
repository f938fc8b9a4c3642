"""What is frozen into the firmware of ESP32_GENERIC."""

include("$(PORT_DIR)/boards/manifest.py")
include("../../firmware/manifest.py")
