# TurboHTTP for C. `make help` lists what there is.
CC       ?= gcc
CFLAGS   ?= -O2 -g
WARNINGS  = -Wall -Wextra -Wpedantic -Wshadow -Wconversion
BUILD     = build
EXAMPLES  = $(patsubst examples/%.c,$(BUILD)/%,$(wildcard examples/*.c))
RUN_PACKAGES   = gcc libc6-dev python3 nginx-light libnginx-mod-http-echo libbearssl-dev openssl
TEST_PACKAGES  = $(RUN_PACKAGES) g++ clang libclang-rt-14-dev valgrind strace apache2 dnsmasq-base curl zlib1g-dev \
                 nghttp2-server \
                 clang-format python3-hpack python3-h2
BENCH_PACKAGES = $(RUN_PACKAGES) valgrind strace libcurl4-openssl-dev libhttp-parser-dev zlib1g-dev libdeflate-dev \
                 libnghttp2-dev nghttp2-client nghttp2-server \
                 gcc-arm-none-eabi libnewlib-arm-none-eabi
URL ?=

help:
	@echo "make run             a tour: real exchanges with a server on loopback"
	@echo "make run URL=http://… fetch that URL with build/turboget"
	@echo "make test            everything that .ci/run asks for; installs what it needs"
	@echo "make test ONLY=name  the steps whose name contains it"
	@echo "make bench           the figures of the README, as ratios to peers"
	@echo "make header          compose turbohttp.h from src/"
	@echo "make check           check src/, the manifest, the docs and the header"
	@echo "make tools           build/turboget, build/inflate_batch, build/resolve and the examples"
	@echo "make fuzz SECONDS=n  run every fuzz driver for n seconds"
	@echo "make format          apply .clang-format to src/"
	@echo "make clean           remove build/"

header:
	./amalgamate.py

check:
	./amalgamate.py --check

$(BUILD):
	@mkdir -p $(BUILD)

# Only programs that include the second header need BearSSL.
LIBS = -pthread $(if $(shell grep -l turbohttp_tls_bearssl.h $<),-lbearssl)

$(BUILD)/%: examples/%.c turbohttp.h turbohttp_tls_bearssl.h | $(BUILD)
	$(CC) -std=c99 $(CFLAGS) $(WARNINGS) -I. $< -o $@ $(LIBS)

$(BUILD)/%: tests/tools/%.c turbohttp.h | $(BUILD)
	$(CC) -std=c99 $(CFLAGS) $(WARNINGS) -I. $< -o $@ -pthread

tools: $(EXAMPLES) $(BUILD)/inflate_batch $(BUILD)/url_batch $(BUILD)/resolve $(BUILD)/many_requests $(BUILD)/hpack_decode \
       $(BUILD)/hpack_encode

run:
	@tests/support/install.sh $(RUN_PACKAGES)
	@if [ -n "$(URL)" ]; then $(MAKE) -s $(BUILD)/turboget && $(BUILD)/turboget -i -S "$(URL)"; \
	 else $(MAKE) -s $(BUILD)/06_tour && python3 tests/e2e/tour.py $(BUILD)/06_tour; fi

test:
	@tests/support/install.sh $(TEST_PACKAGES)
	python3 tests/run.py $(ONLY)

bench:
	@tests/support/install.sh $(BENCH_PACKAGES)
	python3 bench/run.py

fuzz:
	@tests/support/install.sh clang libclang-rt-14-dev zlib1g-dev
	python3 tests/run.py fuzz --fuzz-seconds $(or $(SECONDS),60)

format:
	clang-format -i src/*/*.c src/*/*.h

clean:
	rm -rf $(BUILD)

.PHONY: help header check tools run test bench fuzz format clean
