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
             -DTRENDLINE_VERSION='"$(VERSION)"' -Isrc -MMD -MP $(CFLAGS)
LDFLAGS  ?=
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
LDLIBS   := -lfcgi -lcjson -llmdb -lxxhash -lz -lmpfr -lgmp -lm

LIB_SRC  := $(filter-out src/main.c,$(wildcard src/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
LIB      := $(BUILD)/libtrendline.a
CGI      := $(patsubst cgi-bin/%.c,$(BUILD)/cgi-bin/%,$(wildcard cgi-bin/*.c))
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))

.DELETE_ON_ERROR:
.PHONY: all binaries help

all: packages-build binaries ## build everything into build/

binaries: $(BUILD)/trendline $(CGI)

$(BUILD)/trendline: $(BUILD)/obj/src/main.o $(LIB)
$(BUILD)/cgi-bin/%: $(BUILD)/obj/cgi-bin/%.o $(LIB)
$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(LIB)
$(BUILD)/trendline $(CGI) $(UNIT):
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

.PHONY: packages-build
packages-build:
	@tools/install-packages build

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
