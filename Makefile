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
PKGS := libbpf libmnl jansson libpcap

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n' $(1) '$(2)'
endif

USER := main clock help complete log util reasons out screen table quantity opts conf conf_class conf_match dscp conf_file policy maps maps_each view change pin dp dp_shape hook hook_await hook_chain hook_name hook_state hook_swap ifb rtnl qdisc filter link probe \
	device cmd_attach cmd_detach cmd_apply cmd_class cmd_match cmd_show cmd_show_classes cmd_show_signals cmd_show_flows \
	cmd_check cmd_version \
	replay_read replay_parse replay_stats replay_link replay_run replay_show dp_replay cmd_replay
USER += conf_control signals sample backlog passed
# the agent
USER += cmd_run loop lock steer sense psi tell repair watch push remote resolve http http_peers serve notify caps cmd_signal
PKGS += libevent_core libevent_extra
USER += snapshot snapshot_rates flow_filter flow_rows address text metrics cmd_top cmd_monitor monitor control control_names control_past maps_agent live seer http_seen
# a part that needs a library that nothing else needs is left out where that is not there
HAVE_TOP := $(shell pkg-config --exists ncursesw 2>/dev/null && echo top_keys top_draw top_detail top_table)
USER += $(HAVE_TOP)
PKGS += $(if $(HAVE_TOP),ncursesw)
CPPFLAGS += $(if $(HAVE_TOP),-DHAVE_TOP)
# what the unit tests link: pure modules only
PURE := util reasons screen table address flow_rows quantity opts conf conf_class conf_control conf_match dscp signals control control_names control_past sample policy snapshot_rates text metrics
UNIT := $(patsubst tests/unit/test_%.c,%,$(wildcard tests/unit/test_*.c))
PROG := $(patsubst tests/prog/test_%.c,%,$(wildcard tests/prog/test_*.c))
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

CFLAGS ?= -O2 -g
# `make check` bears no warning; those of another compiler, of other CFLAGS or of -flto end no build
WERROR ?=
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter $(WERROR)
CPPFLAGS += -D_GNU_SOURCE -DWEIR_VERSION='"$(VERSION)"' -Iinclude -iquote user -I$(B)
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS) $(CPPFLAGS) $(PKG_CFLAGS) '-ffile-prefix-map=$(CURDIR)=.' -MMD -MP
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null)

# clang's target bpf knows no multiarch folder: ask the host's compiler for its own
BPF_INCLUDE = $(shell $(CLANG) -print-multiarch 2>/dev/null | sed 's,^,-idirafter /usr/include/,') \
	$(if $(wildcard /usr/include/$(shell $(CC) -print-multiarch)),-idirafter /usr/include/$(shell $(CC) -print-multiarch))
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Wno-unused-parameter $(WERROR) -fno-stack-protector \
	-Iinclude '-ffile-prefix-map=$(CURDIR)=.'

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all clean check demo bench install uninstall lint unit prog fuzz deps need

all: need $(B)/weir

# folders that are written to, as are the lists of headers in there
BUILT := $(B) $(B)/user $(B)/web $(B)/tests $(B)/tests/fuzz

# says plainly what is missing, or whose it is, before a compiler does so obscurely; what nobody may
# write to, as on a file system that is read-only, may be built already
need:
	@sh tools/deps --check build
	@for each in $(wildcard $(BUILT:%=%/) $(BUILT:%=%/*.[dh]) $(B)/top); do \
		[ -w $$each ] || [ -O $$each ] || [ $$(id -u) = 0 ] || { echo "weir: $$each belongs to $$(stat -c %U $$each), who has built" \
		"here: sudo chown -R $$(id -un) $(B), or sudo make clean" >&2; exit 1; }; done

$(B) $(B)/user $(B)/tests $(B)/tests/fuzz:
	@mkdir -p $@

# --- the datapath, and what drives it through a capture
.SECONDARY: $(B)/weir.bpf.o $(B)/replay.bpf.o $(B)/backlog.bpf.o $(B)/passed.bpf.o
$(B)/%.bpf.o: bpf/%.bpf.c | $(B) need
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) $(BPF_INCLUDE) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@.tmp
	$(Q)$(LLVM_STRIP) -g $@.tmp
	$(Q)mv $@.tmp $@

$(B)/%.skel.h: $(B)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

# --- the command
$(B)/weir: $(USER:%=$(B)/user/%.o)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(B)/user/%.o: user/%.c | $(B)/user need
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/user/dp.o $(B)/user/probe.o: $(B)/weir.skel.h
$(B)/user/dp_replay.o: $(B)/weir.skel.h $(B)/replay.skel.h
$(B)/user/backlog.o: $(B)/backlog.skel.h
$(B)/user/passed.o: $(B)/passed.skel.h

# the part that may be left out: compiled anew where that changes
$(B)/user/cmd_top.o $(B)/user/cmd_version.o: $(B)/top
$(B)/top: $(shell [ "$$(cat $(B)/top 2> /dev/null)" = "$(strip $(HAVE_TOP))" ] || echo again) | $(B)
	@echo '$(strip $(HAVE_TOP))' > $@

# the page: built anew where it could not be before
$(B)/web.h: user/web/index.html user/web/package.json user/web/package-lock.json user/web/build \
		$(shell grep -qs 'WEB_PAGE 0' $(B)/web.h && command -v npm > /dev/null && echo again) | $(B)
	$(call say,PAGE,$@)
	$(Q)user/web/build $(B)

.PHONY: again
again:

$(B)/user/http_seen.o $(B)/user/cmd_version.o: $(B)/web.h

# --- tests
$(B)/tests/unit_%: tests/unit/test_%.c $(PURE:%=$(B)/user/%.o) | $(B)/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -o $@ $(filter %.c %.o,$^) -lcmocka -lm

HARNESS := $(B)/tests/harness.o $(B)/tests/frame.o

$(HARNESS): $(B)/tests/%.o: tests/prog/%.c $(B)/weir.skel.h | $(B)/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/tests/prog_%: tests/prog/test_%.c $(HARNESS) | $(B)/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.c %.o,$^) $(PKG_LIBS) -lcmocka -lpthread -lm

$(B)/tests/prog_passed: $(B)/passed.skel.h

$(B)/tests/bench: $(wildcard tools/bench/*.c) tools/bench/bench.h $(HARNESS) | $(B)/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/prog -o $@ $(filter %.c %.o,$^) $(PKG_LIBS) -lpthread

$(B)/tests/traffic: $(wildcard tests/net/traffic*.c) tests/net/traffic.h | $(B)/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.c,$^) -lpthread

$(B)/tests/consumer: $(wildcard tests/net/consumer*.c) tests/net/consumer.h | $(B)/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.c,$^) -lpthread

$(B)/tests/other: tests/net/other.c | $(B)/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.c,$^) $(PKG_LIBS)

$(B)/tests/%.so: tests/net/%.c | $(B)/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-missing-prototypes -shared -fPIC -o $@ $<

$(B)/tests/pace: tests/see/pace.c | $(B)/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $<

$(B)/tests/fill: tests/see/fill.c | $(B)/tests
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $< $(PKG_LIBS)

$(B)/tests/fuzz/%: tests/fuzz/fuzz_%.c $(PURE:%=user/%.c) $(wildcard bpf/*.h include/weir/*.h user/*.h) | $(B)/tests/fuzz
	$(call say,FUZZ,$@)
	$(Q)$(CLANG) -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined $(CPPFLAGS) -MMD -MP -o $@ $(filter %.c,$^)

unit: $(UNIT:%=$(B)/tests/unit_%)
prog: $(PROG:%=$(B)/tests/prog_%)
fuzz: $(FUZZ:%=$(B)/tests/fuzz/%)

deps:
	@sh tools/deps --install all

check:
	@sh tools/deps --install all
	@$(MAKE) --no-print-directory -j$$(nproc) WERROR=-Werror all unit prog fuzz $(B)/tests/traffic $(B)/tests/consumer $(B)/tests/other $(B)/tests/fill $(B)/tests/pace \
		$(B)/tests/die.so $(B)/tests/refuse.so
	@tests/run

demo:
	@sh tools/deps --install demo
	@$(MAKE) --no-print-directory -j$$(nproc) all $(B)/tests/traffic $(B)/tests/consumer
	@tools/demo/demo && tools/demo/agent

bench:
	@sh tools/deps --install all
	@$(MAKE) --no-print-directory -j$$(nproc) all $(B)/tests/bench $(B)/tests/traffic $(B)/tests/consumer \
		$(B)/tests/other $(B)/tests/fill $(B)/tests/pace
	@tools/bench/bench

lint:
	@tools/lint

UNITS := weir.service weir@.service

# names are quoted: a folder may have blanks in its name
install: all
	install -D -m 755 $(B)/weir '$(DESTDIR)$(SBINDIR)/weir'
	install -D -m 644 user/man/weir.8 '$(DESTDIR)$(MANDIR)/man8/weir.8'
	install -D -m 644 user/man/weir.conf.5 '$(DESTDIR)$(MANDIR)/man5/weir.conf.5'
	install -D -m 644 user/weir.schema.json '$(DESTDIR)$(PREFIX)/share/weir/weir.schema.json'
	install -D -m 644 user/completion/weir.bash '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/weir'
	for unit in $(UNITS); do \
		install -D -m 644 user/systemd/$$unit '$(DESTDIR)$(PREFIX)/lib/systemd/system/'$$unit && \
		sed -i 's,@SBINDIR@,$(SBINDIR),' '$(DESTDIR)$(PREFIX)/lib/systemd/system/'$$unit || exit; \
	done

uninstall:
	rm -f '$(DESTDIR)$(SBINDIR)/weir' '$(DESTDIR)$(MANDIR)/man8/weir.8' \
		'$(DESTDIR)$(MANDIR)/man5/weir.conf.5' '$(DESTDIR)$(PREFIX)/share/weir/weir.schema.json' \
		'$(DESTDIR)$(PREFIX)/share/bash-completion/completions/weir'
	for unit in $(UNITS); do rm -f '$(DESTDIR)$(PREFIX)/lib/systemd/system/'$$unit || exit; done

clean:
	rm -rf $(B)

-include $(wildcard $(B)/*.d $(B)/user/*.d $(B)/tests/*.d $(B)/tests/fuzz/*.d)
