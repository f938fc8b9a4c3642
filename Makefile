# Everything a developer or CI runs. `make` alone lists the targets.

PYTHON ?= python3
ROUTER ?= microwamp
SECONDS ?= 60
TESTS ?= tests
SEED ?= 1
CROSSBAR_VERSION := 26.10.1
XCONN_VERSION := 0.5.1
STUBS_VERSION := 1.29.0.post1

VENV := .venv
XVENV := .venv-crossbar
XCONN_VENV := .venv-xconn
# Wall time of one test: 20 joins of an emulated board take three minutes on a quiet machine.
HIL_LIMIT_S := 1200
# Test functions need no signature; what they call is checked all the same.
UNTYPED_TESTS := --allow-untyped-defs --allow-incomplete-defs --allow-untyped-calls
PIP_FLAGS := --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup setup-crossbar setup-xconn stubs test lint demo five-minutes hil fuzz stress \
	bench-device bench-messages bench-session bench-bridge clean
.DELETE_ON_ERROR:

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  PYTHON=python3.12 make setup        another interpreter (3.11 or newer)"
	@echo "  make demo ROUTER=crossbar           the demo against crossbar.io"

setup: $(VENV)/.ready  ## .venv with the three packages, the rig and the tools (once; 0.1 s after that)

setup-crossbar: $(XVENV)/.ready  ## crossbar.io in a venv of its own (once, a minute or two)

setup-xconn: $(XCONN_VENV)/.ready  ## the router of xconn in a venv of its own (once, 15 s)

test: setup setup-crossbar setup-xconn stubs firmware unix32 lint  ## everything CI does: lint, then all tests
	$(VENV)/bin/python -m pytest

lint: setup  ## ruff, mypy, stubs against the library, the packages as a stranger's type checker sees them
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy $(UNTYPED_TESTS) tests
	$(VENV)/bin/stubtest wamp --allowlist tests/arch/stubtest-allow.txt --ignore-unused-allowlist
	cd tests/arch/consumer && ../../../$(VENV)/bin/mypy --strict --config-file= \
		--cache-dir=../../../.mypy_cache/consumer consumer.py
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(VENV)/bin/pyright --warnings

stubs: build/stubs/rp2/.ready build/stubs/esp32/.ready  ## what the ports rp2 and esp32 of MicroPython offer, as types (once)

demo: setup $(if $(filter crossbar,$(ROUTER)),setup-crossbar)  ## a board on a serial line joins, is called, loses its line and its bridge
	$(VENV)/bin/python -m microwamp_rig.demo --router $(ROUTER)

five-minutes: setup firmware-stock  ## the README's first page on an emulated Pico; writes docs/five-minutes.md
	$(VENV)/bin/python -m microwamp_rig.fiveminutes --firmware build/RPI_PICO-stock/firmware.uf2 \
		> build/five-minutes.md
	mv build/five-minutes.md docs/five-minutes.md

hil: setup setup-crossbar firmware firmware-stock unix32  ## the hardware-in-the-loop matrix on an emulated Pico; CONSOLE=/dev/ttyACM0 [UART=/dev/ttyUSB0]: on yours
	$(VENV)/bin/python -m pytest tests/hil -m "hil or hil_smoke" \
		-o faulthandler_timeout=$(HIL_LIMIT_S) \
		$(if $(CONSOLE),--console '$(CONSOLE)') $(if $(UART),--uart '$(UART)')

fuzz: setup  ## looks for octets that break what reads the wire: SECONDS=60 for each target, and keeps what reached new code
	for target in cbor rawsocket message sessions link serializers; do \
		$(VENV)/bin/python tests/fuzz/run.py $$target --seconds $(SECONDS) --keep || exit 1; done

stress: setup setup-crossbar setup-xconn firmware unix32  ## the tests on a machine that stands still at random (TESTS=tests/deploy SEED=1 STALLS=--all)
	$(VENV)/bin/python -m microwamp_rig.stalls --seed $(SEED) $(STALLS) \
		$(VENV)/bin/python -m pytest -q $(TESTS)

bench-device: setup firmware firmware-stock  ## figures of the library on the emulated RP2040, against bench/device/baseline.json
	nice -n 5 $(VENV)/bin/python bench/device/run.py $(BENCH)
	nice -n 5 $(VENV)/bin/python bench/device/bridge.py

bench-messages: setup setup-crossbar  ## messages through the serializers, side by side with autobahn
	nice -n 5 $(VENV)/bin/python bench/messages/run.py

bench-session: setup setup-crossbar  ## a session through crossbar, side by side with autobahn and bare asyncio
	nice -n 5 $(VENV)/bin/python bench/session/run.py

bench-bridge: setup firmware  ## the bridge: goodput, what it adds to a message, racks of devices, ten thousand faults
	@command -v socat >/dev/null || ( $(call debian,socat) ) || echo "without socat, then"
	nice -n 5 $(VENV)/bin/python bench/bridge/run.py $(BENCH)

include firmware/firmware.mk

clean:  ## removes environments, caches and build products
	rm -rf $(VENV) $(XVENV) $(XCONN_VENV) build dist .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A venv, or the sentence that says what is missing. Debian splits venv and the C headers from
# python3; as root they are installed, otherwise the user is told how.
define new_venv
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "microwamp needs Python 3.11 or newer: set PYTHON (now: $(PYTHON))" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(call debian,python3-venv)
@test -x $(1)/bin/pip && $(1)/bin/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(1)
endef

define debian
{ if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
	then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(1) >/dev/null; \
	else echo "$(1) is missing: sudo apt-get install $(1)" >&2; exit 1; fi; }
endef

$(VENV)/.ready: pyproject.toml requirements/constraints.txt
	$(call new_venv,$(VENV))
	@echo "setting up $(VENV) ..."
	@PIP_CONSTRAINT=requirements/constraints.txt \
		$(VENV)/bin/pip install $(PIP_FLAGS) -e '.[rig,dev]'
	@touch $@

# Two ports have modules of the same names, so each gets a folder of its own, outside the venv.
build/stubs/%/.ready: requirements/stubs.txt | $(VENV)/.ready
	@rm -rf $(@D)
	@$(VENV)/bin/pip install $(PIP_FLAGS) --no-deps --target $(@D) \
		-r requirements/stubs.txt micropython-$*-stubs==$(STUBS_VERSION)
	@touch $@

$(XVENV)/.ready: requirements/crossbar.txt
	$(call new_venv,$(XVENV))
	@$(XVENV)/bin/python -c 'import os, sysconfig; \
		os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null \
		|| $(call debian,python3-dev)
	@echo "setting up $(XVENV): crossbar $(CROSSBAR_VERSION), this takes a minute or two ..."
	@PIP_CONSTRAINT=requirements/crossbar.txt \
		$(XVENV)/bin/pip install $(PIP_FLAGS) --use-pep517 crossbar==$(CROSSBAR_VERSION)
	@touch $@

$(XCONN_VENV)/.ready: requirements/xconn.txt
	$(call new_venv,$(XCONN_VENV))
	@echo "setting up $(XCONN_VENV): xconn $(XCONN_VERSION) ..."
	@PIP_CONSTRAINT=requirements/xconn.txt \
		$(XCONN_VENV)/bin/pip install $(PIP_FLAGS) --only-binary :all: xconn==$(XCONN_VERSION)
	@touch $@
