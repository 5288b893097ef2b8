#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# install.sh: `make install DESTDIR= PREFIX=` puts everything in its place, what is there works
# without the build folder, and `make uninstall` takes it all away again. Folders have a blank in
# their names.
set -u
dest="$PWD/build/tests/install here"
tmp=$(mktemp -d)
tree="$tmp/tree there"		# where others may look, too
n=0

ok()
{
	local what=$1
	shift

	n=$((n + 1))
	if "$@" > "$dest.log" 2>&1; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		sed 's/^/# /' "$dest.log"
	fi
}

stage() { make -s "$1" DESTDIR="$dest" PREFIX=/usr; }
version_is_json() { (cd / && "$dest/usr/sbin/weir" version -j) | jq -e '.. | .version? // empty'; }
page_is_there() { [ -s "$dest/usr/share/man/man${1##*.}/$1" ]; }
schema_is_json() { jq -e '."$defs" | length > 10' "$dest/usr/share/weir/weir.schema.json"; }
unit_is_whole()
{
	local units=$dest/usr/lib/systemd/system

	grep -qx 'ExecStart="/usr/sbin/weir" run $WEIR_RUN' "$units/weir.service" &&
		grep -qx 'ExecStart="/usr/sbin/weir" attach %I $WEIR_ATTACH' "$units/weir@.service" &&
		! grep -r @SBINDIR "$units"
}
# started when its device comes, however late; what is started at boot does not wait for it
comes_with_its_device()
{
	local wants=$dest/etc/systemd/system/sys-subsystem-net-devices-br\\x2dlan.device.wants

	command -v systemctl || return 0
	systemctl --root="$dest" enable 'weir@br\x2dlan' && [ -L "$wants/weir@br\x2dlan.service" ] &&
		systemctl --root="$dest" disable 'weir@br\x2dlan' &&
		! find "$dest/etc" ! -type d | grep .
}
# as systemd reads it, where there is one
blank_in_the_prefix()
{
	local prefix="$dest/opt/a b" unit

	make -s install PREFIX="$prefix" || return
	for unit in weir.service weir@eth0.service; do
		unit=$prefix/lib/systemd/system/$unit
		[ -e "$unit" ] || cp "${unit/@*/@.service}" "$unit"
		grep -F "ExecStart=\"$prefix/sbin/weir\" " "$unit" || return
		! command -v systemd-analyze || ! systemd-analyze verify "$unit" 2>&1 |
			grep -E "executable|Unknown|nvalid" || return
	done
	rm "$unit"
	make -s uninstall PREFIX="$prefix"
}
# stopping the machine's agent takes no other's socket away
keeps_the_others() { grep '^RuntimeDirectoryPreserve=yes$' "$dest/usr/lib/systemd/system/weir.service"; }
completion_loads() { bash -n "$dest/usr/share/bash-completion/completions/weir"; }
builds_there()
{
	rm -rf "$tree" && mkdir -p "$tree" &&
		tar -c Makefile bpf include tools user | tar -x -C "$tree" &&
		make -s -C "$tree" build/weir.bpf.o build/user/main.o
}
# a packager's, or a later compiler's
warnings_end_nothing()
{
	make -C "$tree" CFLAGS='-Os -Wunused-parameter' build/user/cmd_attach.o 2>&1 | grep warning: &&
		[ -e "$tree/build/user/cmd_attach.o" ]
}
no_warnings() { make -s -C "$tree" CFLAGS="$1" WERROR=-Werror build/user/{pin,top_draw}.o; }
# a compiler that is given many sources leaves the headers of the last one alone behind
fuzz_knows_headers()
{
	make -n V=1 -W user/quantity.h build/tests/fuzz/conf | grep -e '-o build/tests/fuzz/conf '
}
# no advice to run what is not there
names_no_apt()
{
	mkdir -p "$tmp/few" && ln -s "$(command -v tr)" "$tmp/few/" &&
		! PATH=$tmp/few "$(command -v sh)" tools/deps --check build > "$tmp/said" 2>&1 &&
		grep "no apt-get here.*: .*gcc" "$tmp/said" && ! grep "apt-get install" "$tmp/said"
}
# what was left out is built when its library is there, as after `make demo` for `make check`
has_top() { "$tree/build/weir" version -j | jq -e .features.top; }
top_comes_later()
{
	mkdir -p "$tmp/bin"
	printf '#!/bin/sh\ncase "$*" in *--exists*ncursesw*) exit 1; esac\nexec %s "$@"\n' \
		"$(command -v pkg-config)" > "$tmp/bin/pkg-config"
	chmod 755 "$tmp/bin/pkg-config"
	cp -a build/user build/*.[hod] "$tree/build/"
	(PATH=$tmp/bin:$PATH && make -s -C "$tree" build/weir) && ! has_top &&
		make -s -C "$tree" build/weir && has_top
}
# what sudo has built is no riddle to who builds without it, be it all of it or some
tells_of_the_owner()
{
	chmod 755 "$tmp"
	[ "$(id -u)" = 0 ] || return 0
	told_of build/ && chown -R 65534 "$tree/build" && mkdir -p "$tree/build/tests" &&
		chown 0 "$tree/build/tests" && told_of build/tests/ &&
		chown 65534 "$tree/build/tests" && chown 0 "$tree/build/user/main.d" &&
		told_of build/user/main.d && chown 65534 "$tree/build/user/main.d" &&
		setpriv --reuid 65534 --clear-groups make -s -C "$tree" build/user/main.o
}
# what is built is installed from where nobody may write
from_read_only()
{
	[ "$(id -u)" = 0 ] || return 0
	unshare -m sh -c 'mount --bind . . && mount -o remount,ro,bind . && cd "$PWD" &&
		make -s install DESTDIR="$1" PREFIX=/usr' sh "$tmp/from" && [ -x "$tmp/from/usr/sbin/weir" ]
}
told_of()
{
	! setpriv --reuid 65534 --clear-groups make -s -C "$tree" build/user/main.o > "$tmp/said" 2>&1 &&
		grep "$1 belongs to root.*chown" "$tmp/said"
}
# tests/run without root, after it has run as root, tells no result of before
run_in_the_tree() { setpriv --reuid 65534 --clear-groups "$tree/tests/run" unit > "$tmp/said" 2>&1; }
tells_no_old_results()
{
	local log=$tree/build/tests/log test=$tree/build/tests/unit_it

	[ "$(id -u)" = 0 ] || return 0
	mkdir -p "$tree/tests/unit" "$log" && cp tests/run "$tree/tests/" &&
		touch "$tree/tests/unit/test_it.c" &&
		printf '#!/bin/sh\necho ok 1 - it; echo 1..1\n' > "$test" && chmod 755 "$test" &&
		"$tree/tests/run" unit && printf '#!/bin/sh\necho not ok 1 - it; echo 1..1\n' > "$test" &&
		! run_in_the_tree && grep 'cannot write to build/tests/log: sudo chown' "$tmp/said" &&
		chown 65534 "$log" && ! run_in_the_tree && grep '^0 passed, 1 failed' "$tmp/said"
}
# tests/run that is interrupted ends the test that runs, which cleans up
ends_its_test()
{
	local test=$tree/build/tests/unit_it run

	mkdir -p "$tree/tests/unit" "$tree/build/tests" && cp tests/run "$tree/tests/" &&
		touch "$tree/tests/unit/test_it.c" && mkfifo "$tmp/began" "$tmp/never" || return
	cat > "$test" <<- END
		#!/bin/bash
		trap 'echo > $tmp/cleaned' EXIT
		trap 'trap "" TERM; exit 143' TERM	# timeout sends two
		# timeout forwards none before it is back from fork
		until grep -q '^State:.S' /proc/\$PPID/status; do
			read -r -t 0.01 <> $tmp/never
		done
		echo > $tmp/began
		read -r -t 20 <> $tmp/never
	END
	chmod 755 "$test"
	"$tree/tests/run" unit &
	run=$!
	read -r < "$tmp/began"
	kill "$run"
	wait "$run"
	[ $? = 143 ] && [ -e "$tmp/cleaned" ]
}
# nor is what root has installed from here in the way of another, who has built it
leaves_the_build() { ! find build -maxdepth 1 -name '*.service' | grep .; }
nothing_left() { ! find "$dest" ! -type d | grep .; }

rm -rf "$dest" build/weir.service
ok "make install" stage install
ok "leaves the build folder alone" leaves_the_build
ok "weir version -j runs outside the tree" version_is_json
ok "weir(8) is there" page_is_there weir.8
ok "weir.conf(5) is there" page_is_there weir.conf.5
ok "the schema of the JSON is there" schema_is_json
ok "the service keeps /run/weir" keeps_the_others
ok "the units are there" unit_is_whole
ok "a device's comes with it" comes_with_its_device
ok "they find the command below a blank, too" blank_in_the_prefix
ok "the completion is a bash script" completion_loads
ok "a tree below a blank builds" builds_there
ok "a warning ends no build" warnings_end_nothing
ok "nor are there any with -O3" no_warnings -O3
rm -f "$tree"/build/user/{pin,top_draw}.o
ok "nor with -Os" no_warnings -Os
ok "a header of the command's makes its fuzz target anew" fuzz_knows_headers
ok "what is missing, where there is no apt-get" names_no_apt
ok "what was left out comes with its library" top_comes_later
ok "another's build folder is named" tells_of_the_owner
ok "another's results are not told as new" tells_no_old_results
ok "installs what is built from a read-only tree" from_read_only
ok "a run that is interrupted ends its test" ends_its_test
ok "make uninstall" stage uninstall
ok "nothing is left" nothing_left
rm -rf "$tmp"
echo "1..$n"
