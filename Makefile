# SPDX-License-Identifier: GPL-2.0-only
# Everything is built below build/. `make` needs no root; `make demo` and `make check` do, and
# install what is missing through tools/deps.

VERSION := 0.1.0
PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
B := build

CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
LLVM_STRIP ?= llvm-strip
PKGS := libbpf libmnl jansson

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n' $(1) '$(2)'
endif

USER := main log util out quantity opts conf policy maps pin dp hook qdisc probe \
	cmd_attach cmd_detach cmd_apply cmd_class cmd_match cmd_show cmd_check cmd_version
# what the unit tests link: pure modules only
PURE := util quantity opts conf policy
UNIT := bucket aqm quantity policy conf
PROG := $(patsubst tests/prog/test_%.c,%,$(wildcard tests/prog/test_*.c))
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter -Werror
CPPFLAGS += -D_GNU_SOURCE -DWEIR_VERSION='"$(VERSION)"' -Iinclude -Iuser -I$(B)
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS) $(CPPFLAGS) $(PKG_CFLAGS) -ffile-prefix-map=$(CURDIR)=. -MMD -MP
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null)

# clang's target bpf knows no multiarch folder: ask the host's compiler for its own
BPF_INCLUDE = $(shell $(CLANG) -print-multiarch 2>/dev/null | sed 's,^,-idirafter /usr/include/,') \
	$(if $(wildcard /usr/include/$(shell $(CC) -print-multiarch)),-idirafter /usr/include/$(shell $(CC) -print-multiarch))
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Werror -fno-stack-protector \
	-Iinclude -ffile-prefix-map=$(CURDIR)=.

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all clean check demo bench install uninstall lint unit prog net vm fuzz deps need

all: need $(B)/weir

# says plainly what is missing, before a compiler does so obscurely
need:
	@sh tools/deps --check build

$(B) $(B)/user $(B)/tests $(B)/tests/fuzz:
	@mkdir -p $@

# --- the datapath
$(B)/weir.bpf.o: bpf/weir.bpf.c | $(B) need
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) $(BPF_INCLUDE) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@.tmp
	$(Q)$(LLVM_STRIP) -g $@.tmp
	$(Q)mv $@.tmp $@

$(B)/weir.skel.h: $(B)/weir.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name weir_bpf > $@

# --- the command
$(B)/weir: $(USER:%=$(B)/user/%.o)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(B)/user/%.o: user/%.c | $(B)/user need
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/user/dp.o $(B)/user/probe.o: $(B)/weir.skel.h

# --- tests
$(B)/tests/unit_%: tests/unit/test_%.c $(PURE:%=$(B)/user/%.o) | $(B)/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -o $@ $(filter %.c %.o,$^) -lcmocka -lm

$(B)/tests/prog_%: tests/prog/test_%.c tests/prog/harness.c $(B)/weir.skel.h $(PURE:%=$(B)/user/%.o) | $(B)/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -Itests/prog -o $@ $(filter %.c %.o,$^) $(PKG_LIBS) -lcmocka -lm

$(B)/tests/traffic: tests/net/traffic.c | $(B)/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $< -lm -lpthread

$(B)/tests/fuzz/%: tests/fuzz/fuzz_%.c $(PURE:%=user/%.c) | $(B)/tests/fuzz
	$(call say,FUZZ,$@)
	$(Q)$(CLANG) -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined $(CPPFLAGS) -MMD -MP -o $@ $(filter %.c,$^)

unit: $(UNIT:%=$(B)/tests/unit_%)
prog: $(PROG:%=$(B)/tests/prog_%)
fuzz: $(FUZZ:%=$(B)/tests/fuzz/%)

deps:
	@sh tools/deps --install all

check:
	@sh tools/deps --install all
	@$(MAKE) --no-print-directory all unit prog fuzz $(B)/tests/traffic
	@tests/run

demo:
	@sh tools/deps --install demo
	@$(MAKE) --no-print-directory all $(B)/tests/traffic
	@tools/demo/demo

bench:
	@sh tools/deps --install all
	@$(MAKE) --no-print-directory all prog $(B)/tests/traffic
	@tools/bench/bench

lint:
	@tools/lint

install: all
	install -D -m 755 $(B)/weir $(DESTDIR)$(SBINDIR)/weir
	install -D -m 644 user/man/weir.8 $(DESTDIR)$(MANDIR)/man8/weir.8
	install -D -m 644 user/completion/weir.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/weir

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/weir $(DESTDIR)$(MANDIR)/man8/weir.8 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/weir

clean:
	rm -rf $(B)

-include $(wildcard $(B)/*.d $(B)/user/*.d $(B)/tests/*.d $(B)/tests/fuzz/*.d)
