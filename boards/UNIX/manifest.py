"""What is frozen into the unix port: asyncio, the library, the application."""

include("$(MPY_DIR)/extmod/asyncio")
include("../../firmware/manifest.py")
