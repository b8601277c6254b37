# SPDX-License-Identifier: Apache-2.0
# The thin door to Meson: everything is built into build/.
BUILD := build
DEMO  := $(BUILD)/demo

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { echo "Meson is missing: 'make install-needed' installs what the build needs."; exit 1; }
	@CC=gcc meson setup $(BUILD)

# Installs the Debian packages of tools/packages that this machine lacks.
install-needed:
	@tools/install

# A demo organisation on loopback, with real mail in it, kept in build/demo.  Other ports: make run ARGS="--https ADDR:PORT".
run: install-needed
	@$(MAKE) --no-print-directory all
	@$(BUILD)/oxcartd --data $(DEMO) --demo $(ARGS)

# Every test, in a plain gcc build and in a clang build with sanitizers; ends with 'N passed, N failed'.
test: install-needed
	@tools/test

# Includes point down the list of rooms in docs/architecture.md.
arrows:
	@tools/arrows

bench: all
	@bench/run $(BUILD)

# A bounded run: FUZZ_SECONDS for each target.
fuzz: install-needed
	@tools/fuzz

# Only lines that are not committed yet: tables that a hand has laid out stay as they are.
format:
	@git clang-format --quiet --extensions c,h HEAD

clean:
	@rm -rf build build-asan build-fuzz

.PHONY: all install-needed run test arrows bench fuzz format clean
