"""What is frozen into the firmware of ESP32_GENERIC_S3."""

include("$(PORT_DIR)/boards/manifest.py")
include("../../firmware/manifest.py")
