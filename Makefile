# Trendline. `make help` lists what can be made.

BUILD    ?= build
PREFIX   ?= /usr/local
VERSION  := 0.1.0

CC       ?= gcc
CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wwrite-strings -Wformat=2
HARDEN   := -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
# -ffp-contract=off: the same bits on every machine, whether or not it has fused multiply-add
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(HARDEN) -ffp-contract=off -fno-math-errno \
             -pthread -DTRENDLINE_VERSION='"$(VERSION)"' -Isrc -MMD -MP $(CFLAGS) $(EXTRA_WARNINGS)
LDFLAGS  ?=
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
LDLIBS   := -lfcgi -lcjson -llmdb -lxxhash -lz -lmpfr -lgmp -lseccomp -lpq -lm

LIB_SRC  := $(filter-out src/main.c,$(wildcard src/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/src/report_page.o
LIB      := $(BUILD)/libtrendline.a
CGI      := $(patsubst cgi-bin/%.c,$(BUILD)/cgi-bin/%,$(wildcard cgi-bin/*.c))
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
# each twice: over the inputs that are kept, and with libFuzzer
REPLAY   := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZERS  := $(REPLAY:$(BUILD)/tests/%=$(BUILD)/fuzz/%)
# the helpers of tests/faults: a shim that makes calls fail, and clients
FAULTS   := $(BUILD)/faults/fault.so $(patsubst %,$(BUILD)/faults/%,damage hold load)
BENCH    := $(patsubst bench/programs/%.c,$(BUILD)/bench/%,$(wildcard bench/programs/*.c))

# The page of `trendline batch --report`, of which the package libjs-chart.js has the charts.
CHARTS   := /usr/share/javascript/chart.js/chart.min.js
PAGE     := src/report.html src/report.css $(CHARTS) src/report.js

# What the launcher looks for beside the executable, in build/ and where it is installed alike.
PARTS    := $(BUILD)/nginx.conf $(patsubst %,$(BUILD)/%,$(wildcard services/*))

C_FILES  := $(wildcard src/*.[ch] cgi-bin/*.c tests/unit/*.[ch] tests/fuzz/*.[ch] tests/faults/*.c bench/*.c bench/programs/*.c)
SCRIPTS  := $(wildcard services/* tools/install-packages tools/check-* tools/inline-page .ci/run tests/run tests/*.sh \
              tests/*/*.sh tests/*/*.bash bench/run bench/*.sh bench/*.bash)
ENGINE    = $(shell docker info >/dev/null 2>&1 && echo docker || echo podman)

# `make V=1` shows the commands.
Q        := $(if $(V),,@)
SUBMAKE   = $(MAKE) --no-print-directory -j$(shell nproc)

SANITIZE := -fsanitize=address,undefined
LIBDIR   := $(DESTDIR)$(PREFIX)/lib/trendline

.DELETE_ON_ERROR:
.PHONY: all binaries tests faults fuzzers run test test-faults test-postgres test-model bench bench-accuracy check-asan fuzz lint image test-image install clean help

all: ## build everything into build/
	@tools/install-packages build
	@$(SUBMAKE) binaries

run: ## serve http://127.0.0.1:8080 on ./hostfiles (PORT=, DATA_DIR=); Ctrl-C stops it
	@tools/install-packages build run
	@$(SUBMAKE) binaries
	@PORT=$${PORT:-8080} DATA_DIR=$${DATA_DIR:-./hostfiles} exec $(BUILD)/trendline serve

test: ## run all tests that need no container engine
	@tools/install-packages build run test
	@$(SUBMAKE) binaries tests
	@BUILD=$(BUILD) tests/run $(UNIT) $(REPLAY) tests/cli tests/http

test-faults: ## kill, damage, fill, starve and attack the service; FAULT_KILLS (200) is how often
	@tools/install-packages build run test faults
	@$(SUBMAKE) binaries faults
	@BUILD=$(BUILD) tests/run tests/faults

test-postgres: ## test events and models in PostgreSQL, one replica and several, on a server of its own
	@tools/install-packages build run test postgres
	@$(SUBMAKE) binaries
	@BUILD=$(BUILD) tests/run tests/postgres

test-model: ## check the argument of docs/replication.md: spin tries every order of a model's steps
	@tools/install-packages model
	@BUILD=$(BUILD) tests/run tests/model

bench: ## measure against the limits and peers, into bench/RESULTS.md; takes half an hour
	@tools/install-packages build run bench
	@$(SUBMAKE) binaries $(BENCH) $(BUILD)/bench/no_sync.so
	@BUILD=$(BUILD) bench/run

bench-accuracy: ## how well chosen models predict, beside least squares and published figures; ten seconds
	@tools/install-packages build
	@$(SUBMAKE) binaries $(BUILD)/bench/accuracy
	@BUILD=$(BUILD) bench/accuracy.sh

check-asan: ## the same tests under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory BUILD=build-asan LDFLAGS='$(SANITIZE)' test \
	    CFLAGS='-O1 -g $(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer -U_FORTIFY_SOURCE'

fuzz: ## feed made-up input to every parser, FUZZ_SECONDS (30) for each
	@tools/install-packages build fuzz
	@$(SUBMAKE) BUILD=build-fuzz CC=clang LDFLAGS=-fsanitize=fuzzer,address,undefined fuzzers \
	    CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	    -fno-omit-frame-pointer -U_FORTIFY_SOURCE'
	@tests/fuzz/run.sh $(FUZZERS:$(BUILD)/%=build-fuzz/%)

lint: ## static checks
	@tools/install-packages build run lint
	clang-format --dry-run -Werror $(C_FILES)
	@$(SUBMAKE) BUILD=build-lint EXTRA_WARNINGS=-Werror binaries tests faults
	cppcheck --quiet --std=c11 --enable=warning,performance --inline-suppr \
	    --error-exitcode=1 --suppress=missingIncludeSystem -Isrc src cgi-bin
	shellcheck -x -P SCRIPTDIR $(SCRIPTS)
	tools/check-borders
	tools/check-nginx

image: ## build the container image `trendline` with docker or podman
	BUILDAH_FORMAT=docker $(ENGINE) build -t trendline .

test-image: ## test the image
	@tools/install-packages test
	@ENGINE=$(ENGINE) tests/run tests/image

# Without DESTDIR this is a person installing, with it a packager, who has seen to what it needs.
install: ## install below PREFIX (/usr/local), as seen from DESTDIR
	$(if $(DESTDIR),,@tools/install-packages build run)
	@$(SUBMAKE) binaries
	install -d $(LIBDIR)/cgi-bin $(LIBDIR)/services $(DESTDIR)$(PREFIX)/bin
	install $(BUILD)/trendline $(LIBDIR)/
	install $(CGI) $(LIBDIR)/cgi-bin/
	install $(BUILD)/services/* $(LIBDIR)/services/
	install -m 644 $(BUILD)/nginx.conf $(LIBDIR)/
	ln -sfn ../lib/trendline/trendline $(DESTDIR)$(PREFIX)/bin/trendline

clean: ## remove what was built
	rm -rf build build-asan build-lint build-fuzz

binaries: $(BUILD)/trendline $(CGI) $(PARTS)
	@: # says nothing when there is nothing to do

tests: $(UNIT) $(REPLAY)
	@:

faults: $(FAULTS)
	@:

fuzzers: $(FUZZERS)
	@:

$(PARTS): $(BUILD)/%: %
	@mkdir -p $(@D)
	$(Q)cp -p $< $@

$(BUILD)/trendline: $(BUILD)/obj/src/main.o $(LIB)
$(BENCH): $(BUILD)/bench/%: $(BUILD)/obj/bench/programs/%.o $(LIB)
$(CGI): $(BUILD)/cgi-bin/%: $(BUILD)/obj/cgi-bin/%.o $(LIB)
$(UNIT): $(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(LIB)
$(REPLAY): $(BUILD)/tests/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/replay.o $(LIB)
$(FUZZERS): $(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(LIB)
$(filter-out %.so,$(FAULTS)): $(BUILD)/faults/%: $(BUILD)/obj/tests/faults/%.o $(LIB)
# What can be made to fail there, so that every way out is taken.
$(BUILD)/tests/test_sync: ALL_LDFLAGS += -Wl,--wrap=fdatasync,--wrap=ftruncate
$(BUILD)/tests/test_batch: ALL_LDFLAGS += -Wl,--wrap=pthread_create
$(BUILD)/tests/test_memory: ALL_LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup
$(BUILD)/trendline $(CGI) $(UNIT) $(BENCH) $(REPLAY) $(FUZZERS) $(filter-out %.so,$(FAULTS)):
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/faults/fault.so: tests/faults/fault.c Makefile
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(EXTRA_WARNINGS) -O2 -g -shared -fPIC -o $@ $<

$(BUILD)/bench/no_sync.so: bench/no_sync.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -shared -fPIC -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	@echo "  archive $@"
	$(Q)ar rcs $@ $^

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  compile $<"
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/report.page: tools/inline-page $(PAGE)
	@mkdir -p $(@D)
	$(Q)tools/inline-page $(PAGE) >$@

$(BUILD)/obj/src/report_page.o: src/report_page.S $(BUILD)/report.page
	@mkdir -p $(@D)
	@echo "  compile $<"
	$(Q)$(CC) -I$(BUILD) -c -o $@ $<

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
