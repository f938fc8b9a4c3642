"""What is frozen into the firmware of ESP32_GENERIC_C3."""

include("$(PORT_DIR)/boards/manifest.py")
include("../../firmware/manifest.py")
