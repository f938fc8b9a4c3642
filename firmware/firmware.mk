# Firmware and the interpreters built from the same sources; included by the Makefile.

BOARD ?= RPI_PICO
FIRMWARE_BUILD = $(PYTHON) firmware/build/build.py
FIRMWARE_FROM = $(if $(MPY_DIR),--mpy-dir '$(MPY_DIR)')

.PHONY: firmware firmware-stock firmware-sources unix32

firmware:  ## build/BOARD/firmware.uf2 with the library frozen in (BOARD=RPI_PICO, MPY_DIR=checkout for others)
	$(FIRMWARE_BUILD) firmware --board '$(BOARD)' $(FIRMWARE_FROM)

firmware-stock:  ## build/BOARD-stock/firmware.uf2: MicroPython with nothing of ours, what `microwamp deploy` meets
	$(FIRMWARE_BUILD) firmware --stock --board '$(BOARD)' $(FIRMWARE_FROM)

unix32:  ## build/unix32/micropython: MicroPython's unix port with 32-bit words, as on the boards
	$(FIRMWARE_BUILD) unix32 $(FIRMWARE_FROM)

firmware-sources:  ## fetches and unpacks the pinned sources, for later builds without a network
	$(FIRMWARE_BUILD) sources
