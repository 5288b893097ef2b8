# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# lib.sh: what the network tests and the demo share: TAP, namespaces and links of their own (the
# process id is in every name), waiting on state, reading JSON, cleaning up. Everything runs from
# outside the namespaces (`weir -n`, `ip -n`): `ip netns exec` would hide the machine's bpffs.
#
# A test sources this file, draws its topology, and ends with `finish`. With WEIR_TEST_SHELL=1 a
# failed test opens a shell before it cleans up.
set -u
shopt -s inherit_errexit
export LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WEIR=${WEIR:-$top/build/weir}
TRAFFIC=${TRAFFIC:-$top/build/tests/traffic}
CONSUMER=${CONSUMER:-$top/build/tests/consumer}
# shorter runs while working on a test; the project's numbers are for 10 s
SECONDS_RUN=${WEIR_TEST_SECONDS:-10}

count=0 failures=0
netns_made=() pids=()
tmp=$(mktemp -d)
mkfifo "$tmp/never"	# nothing is ever written here: reading it with a time-out is a pause
exec {never}<> "$tmp/never"

# --- TAP

ok()
{
	count=$((count + 1))
	echo "ok $count - $1"
}

not_ok()
{
	count=$((count + 1)) failures=$((failures + 1))
	echo "not ok $count - $1"
	[ $# -lt 2 ] || printf '%s\n' "$2" | head -n 20 | sed 's/^/# /'
}

skip()
{
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

skip_all()
{
	echo "1..0 # SKIP $1"
	exit 0
}

note()
{
	echo "# $*"
}

finish()
{
	echo "1..$count"
	if [ $failures != 0 ] && [ -n "${WEIR_TEST_SHELL:-}" ] && [ -t 0 ]; then
		bash -i
	fi
	[ $failures = 0 ]
	exit
}

# check WHAT COMMAND...: the command succeeds
check()
{
	local what=$1 out
	shift

	if out=$("$@" 2>&1); then ok "$what"; else not_ok "$what" "$*: $out"; fi
}

is_equal()
{
	if [ "$2" = "$3" ]; then ok "$1: $2"; else not_ok "$1" "got '$2', want '$3'"; fi
}

# compare WHAT "AWK EXPRESSION OF v AND t" VALUE TARGET "WANTED, IN WORDS"
compare()
{
	if awk -v v="$3" -v t="$4" "BEGIN { exit !(v != \"\" && v + 0 == v && ($2)) }"; then
		ok "$1: $3 ($5)"
	else
		not_ok "$1: '$3'" "want $5"
	fi
}

# is_within WHAT VALUE TARGET PERCENT
is_within()
{
	local off

	off=$(awk -v v="$2" -v t="$3" 'BEGIN { printf "%+.2f", (v / t - 1) * 100 }')
	compare "$1" "v >= t * (1 - $4 / 100) && v <= t * (1 + $4 / 100)" "$2" "$3" \
		"$off % of $3, within $4 %"
}

is_most()
{
	compare "$1" "v <= t" "$2" "$3" "at most $3"
}

is_least()
{
	compare "$1" "v >= t" "$2" "$3" "at least $3"
}

# stalled_ms FILE: how long the machine did not run the traffic, summed over its CPUs
stalled_ms()
{
	jq -s '[.[] | select(.type == "stall") | .ms] | add // 0 | round' "$1"
}

# is_rate WHAT VALUE TARGET PERCENT FILE SECONDS: as is_within; what a stalled machine could not
# send is not held against the shaper, and a machine that stood still too long cannot tell
is_rate()
{
	local ms slack off

	ms=$(stalled_ms "$5")
	slack=$(awk -v ms="$ms" -v s="$6" 'BEGIN { print ms / s / 10 }')
	off=$(awk -v v="$2" -v t="$3" 'BEGIN { printf "%+.2f", (v / t - 1) * 100 }')
	if [ $((ms / 50)) -ge "$6" ] &&
		awk -v v="$2" -v t="$3" "BEGIN { exit !(v > 0 && v < t * (1 - $4 / 100)) }"; then
		skip "$1: $2, $off %" "the machine stalled for $ms ms of $6 s"
		return
	fi
	compare "$1" "v >= t * (1 - ($4 + $slack) / 100) && v <= t * (1 + $4 / 100)" "$2" "$3" \
		"$off % of $3, within $4 %; stalled $ms ms"
}

# is_lossless WHAT FILE NAME: no retransmission that was needed. A stalled receiver makes the
# sender repeat what has arrived; the receiver then says so (DSACK).
is_lossless()
{
	local retrans spurious

	retrans=$(flow "$2" "$3" retrans) spurious=$(flow "$2" "$3" spurious)
	if [ -n "$retrans" ] && [ "$retrans" -le "$spurious" ]; then
		ok "$1: no loss ($retrans spurious retransmissions)"
	else
		not_ok "$1: no loss" "$retrans retransmissions, $spurious of them spurious"
	fi
}

# --- waiting

# wait_until SECONDS COMMAND...: polls until the command succeeds. So long is enough where nothing
# else runs; whoever has a part of a CPU has four times as long. No bound on a time: who wants one
# measures it.
wait_until()
{
	local end=$((SECONDS + 4 * $1 + 1))
	shift

	until "$@" > /dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		read -rt 0.02 -u "$never" || true
	done
}

# stops PID: kill -STOP, and it has: a call that it was in is done
stops()
{
	kill -STOP "$1"
	wait_until 5 grep -q '^State:.T' "/proc/$1/status"
}

# without_bpffs COMMAND...: none is mounted, nor one below that, as far as the command sees
without_bpffs()
{
	unshare -m sh -c 'while mountpoint -q /sys/fs/bpf; do umount /sys/fs/bpf || exit; done
		exec "$@"' - "$@"
}

# last_ends: what was started last is not needed any more
last_ends()
{
	kill "${pids[-1]}" 2> /dev/null
	wait "${pids[-1]}" 2> /dev/null
	unset "pids[-1]"
}

# --- cleaning up, by name and by process id

# is_child PID: or is that number another's by now? They come round within minutes
is_child()
{
	grep -qs "^PPid:.$$\$" "/proc/$1/status"
}

cleanup()
{
	local ns pid socket

	trap '' INT TERM HUP
	for socket in "$tmp"/tmux*; do
		[ ! -S "$socket" ] || tmux -S "$socket" kill-server 2> /dev/null
	done
	for pid in "${pids[@]}"; do
		# one that was stopped has to go on to end
		is_child "$pid" && kill "$pid" && kill -CONT "$pid" && wait "$pid"
	done 2> /dev/null
	for ns in "${netns_made[@]}"; do
		[ ! -d "/sys/fs/bpf/weir/v1/$ns" ] || "$WEIR" -n "$ns" detach all > /dev/null 2>&1
		rm -rf "/sys/fs/bpf/weir"/v*/"$ns"
		ip netns del "$ns" 2> /dev/null
	done
	rm -rf "$tmp"
}

# once: a second signal, as Control-C pressed twice or timeout's, which signals a test by itself and
# in its group, must not end the cleaning
leave()
{
	trap '' INT TERM HUP
	exit "$1"
}

trap cleanup EXIT
trap 'leave 130' INT
trap 'leave 143' TERM HUP

# --- what must be there

need()
{
	local tool

	[ "$(id -u)" = 0 ] || skip_all "needs root"
	for tool; do
		command -v "$tool" > /dev/null || skip_all "no $tool here (tools/deps --install all)"
	done
	for tool in "$WEIR" "$TRAFFIC"; do
		[ -x "$tool" ] || { echo "Bail out! $tool is not built"; exit 1; }
	done
	if [ "$(stat -fc %T /sys/fs/bpf)" != bpf_fs ]; then
		# the lock of `weir attach`: of several that begin at once one mounts
		flock /sys/fs/bpf sh -c 'mountpoint -q "$1" || mount -t bpf bpf "$1"' - /sys/fs/bpf ||
			skip_all "no bpffs"
	fi
}

# --- topology

# netns ROLE...: namespaces weir-PID-ROLE; the name goes to variable ROLE
netns()
{
	local role ns

	for role; do
		ns=w$$-$role
		ip netns add "$ns" || exit 1
		netns_made+=("$ns")
		ip -n "$ns" link set lo up
		declare -g "$role=$ns"
	done
}

# link NS_A DEV_A NS_B DEV_B K: a veth pair, 10.88.K.1 and .2, fd88:K::1 and ::2. Neighbours are
# permanent, so that no packet waits for ARP and none is sent that a test did not ask for.
link()
{
	local mac=02:00:00:00:$(printf %02x "$5")

	ip link add "$2" netns "$1" address "$mac:01" type veth peer name "$4" netns "$3" \
		address "$mac:02" || exit 1
	link_end "$1" "$2" "10.88.$5" "fd88:$5" 1 2 "$mac:02"
	link_end "$3" "$4" "10.88.$5" "fd88:$5" 2 1 "$mac:01"
	wait_until 5 carrier "$1" "$2" || { echo "Bail out! $2 in $1 has no carrier"; exit 1; }
}

# link_end NS DEV NET4 NET6 SELF OTHER MAC
link_end()
{
	ip -n "$1" -batch - <<-END || exit 1
		addr add $3.$5/24 dev $2
		addr add $4::$5/64 dev $2 nodad
		link set $2 up
		neigh replace $3.$6 lladdr $7 dev $2 nud permanent
		neigh replace $4::$6 lladdr $7 dev $2 nud permanent
	END
}

carrier()
{
	ip -n "$1" -o link show dev "$2" | grep -q LOWER_UP
}

# forward NS: a router
forward()
{
	ip netns exec "$1" sh -c 'for f in ipv4/ip_forward ipv6/conf/all/forwarding; do
		echo 1 > /proc/sys/net/$f; done'
}

# --- traffic and JSON

# traffic FILE WORD...: runs to the end, JSON lines into FILE
traffic()
{
	local file=$1
	shift

	"$TRAFFIC" run "$@" > "$file" || not_ok "traffic $*" "$(cat "$file")"
}

# flow FILE NAME FIELD, group FILE NAME FIELD
flow()
{
	jq -r --arg n "$2" "select(.type == \"flow\" and .name == \$n) | .$3" "$1"
}

group()
{
	jq -r --arg n "$2" "select(.type == \"group\" and .name == \$n) | .$3" "$1"
}

# class NETNS CLASS FIELD
class()
{
	"$WEIR" -n "$1" -j show classes | jq -r --arg n "$2" ".[] | select(.class == \$n) | .$3"
}

# carried NETNS DEV BYTES: waits until so much more has arrived; at what rate, in bit/s, at $least
# and at $most: a look takes its time where much else runs
carried()
{
	local first second start from to bytes end=$((SECONDS + 30))

	while [ $SECONDS -lt $end ]; do
		from=${EPOCHREALTIME/./}
		bytes=$(ip -n "$1" -s -j link show dev "$2" | jq '.[0].stats64.rx.bytes')
		to=${EPOCHREALTIME/./}
		: "${first:=$from}" "${second:=$to}" "${start:=$bytes}"
		[ "$bytes" -lt $((start + $3)) ] || break
		read -rt 0.02 -u "$never" || true
	done
	least=$(((bytes - start) * 8000000 / (to - first)))
	most=$(((bytes - start) * 8000000 / (from - second + 1)))
}

# is_carried WHAT NETNS DEV BYTES LEAST MOST: as carried, within these bounds. Who has no CPU for
# two seconds sends nothing, and an agent loses its lease: one of three times will do
is_carried()
{
	local i

	for i in 1 2 3; do
		carried "$2" "$3" "$4"
		[ "$least" -gt "$6" ] || [ "$most" -lt "$5" ] || break
	done
	is_most "$1, bit/s" "$least" "$6"
	is_least "$1, nor less, bit/s" "$most" "$5"
}

# can_cc NAME: a socket can have this congestion control
can_cc()
{
	[ -n "$("$TRAFFIC" cc "$1")" ]
}

# --- the agent, and a slow consumer (consumer.h) from $producers to $consumer

# agent NETNS WORD...: started, and ready
agent()
{
	local ns=$1 log=$tmp/agent.$1
	shift

	: > "$log"		# now: what is started in the background may come later than the look
	"$WEIR" -n "$ns" run "$@" 2> "$log" &
	pids+=($!)
	wait_until 10 grep -q 'the agent runs' "$log" || not_ok "weir run $*" "$(cat "$log")"
}

# told NETNS: likewise; what it decides is kept as JSON
told()
{
	: > "$tmp/told.$1" > "$tmp/agent.$1"
	"$WEIR" -n "$1" -j run > "$tmp/told.$1" 2> "$tmp/agent.$1" &
	pids+=($!)
	wait_until 10 grep -q 'the agent runs' "$tmp/agent.$1" || not_ok "weir run" "$(cat "$tmp/agent.$1")"
}

# pushes SECONDS "NAME..." WORDS NETNS...: to each agent, each signal, so often: 7 to 15 ms; never ends
pushes()
{
	exec python3 - "$@" 2> /dev/null <<- 'END'
		import itertools, socket, sys, time
		period, names, words = float(sys.argv[1]), sys.argv[2].split(), sys.argv[3]
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		at = time.monotonic()
		for i in itertools.count():
		    for ns in sys.argv[4:]:
		        for name in names:
		            text = "%s %dms %s" % (name, 7 + i * 5 % 9, words)
		            try: s.sendto(text.encode(), "/run/weir/%s.sock" % ns)
		            except OSError: time.sleep(0.1)	# no agent yet
		    now = time.monotonic()
		    at = max(at + period, now)	# what was missed is not made up for
		    time.sleep(at - now)
	END
}

# lines NETNS FILTER: of its decisions so far, but those that begin or end at the configured rate
lines()
{
	jq -sc "map(select(.event == \"decision\" and .old_bps and .rate_bps)) | $2" "$tmp/told.$1"
}

# load FILE WORD...
load()
{
	local file=$1 cc have=()
	shift

	for cc in reno cubic bbr; do
		! can_cc $cc || have+=($cc)
	done
	"$CONSUMER" from "$producers" to "$consumer" addr 10.88.1.2 port 7000 settled 50 \
		cc "$(IFS=,; echo "${have[*]}")" "$@" > "$file" || not_ok "consumer $*" "$(cat "$file")"
}

# phase FILE N FIELD
phase()
{
	jq -r --argjson n "$2" "select(.type == \"phase\" and .n == \$n) | .$3" "$1"
}
