#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# monitor.sh: `weir monitor` says what changes: a class held back and free again, leases, the
# policy, devices, the controller's steps, the flow table, an instance that goes and comes; as lines
# and as JSON, to two readers at once, each of whom hears everything; and how much was left out.
. "$(dirname "$0")/bed.sh"

need ip jq curl bpftool
bed
bed_traffic=${pids[-1]}

# follow FILE WORD...: a monitor, told where by these words, into FILE
follow()
{
	local file=$tmp/$1
	shift

	"$WEIR" "$@" monitor > "$file" 2>&1 &
	pids+=($!)
}

follow lines -n "$producer"
follow json -j -n "$producer"
monitor_pid=$!

# says WHAT PATTERN: within ten seconds there is a line like it
says()
{
	if wait_until 10 grep -qE -- "$2" "$tmp/lines"; then ok "$1"; else
		not_ok "$1" "no '$2' in: $(tail -n 15 "$tmp/lines")"; fi
}

# the first look is what later ones are compared with: a change that cannot be missed
started() { "$WEIR" -n "$producer" class set probe rate 1mbit; grep -q policy "$tmp/lines" && grep -q policy "$tmp/json"; }
check "the policy changes" wait_until 10 started
"$WEIR" -n "$producer" class set media rate 400mbit
says "a class is free" "free +media: nothing holds it back any more: 400 Mbit/s"
"$WEIR" -n "$producer" class set media rate 10mbit
says "and held back" "class-rate +media: its buckets share the class's rate: 10 Mbit/s"
"$WEIR" -n "$producer" class set rpc flow-rate 100kbit
says "one whose flows are capped" "flow-rate +rpc: some of its buckets run at their own cap .*: 100 kbit/s"
# each is repeated, and dropped again, until it is given up
"$WEIR" -n "$producer" class set few conn-rate 1/s
"$WEIR" -n "$producer" match add few pref 1 proto tcp dport 7007
connect() { timeout 0.5 ip netns exec "$producer" bash -c 'for i in {1..9}; do exec 9<> /dev/tcp/10.88.1.2/7007 & done; wait' 2> "$tmp/refused"; }
refused() { connect; grep -qE ' conn-rate +few: packets that open a TCP connection beyond 1/s were dropped: [1-9]' "$tmp/lines"; }
check "connections beyond conn-rate" wait_until 10 refused
counted() { [ "$(jq -s 'map(select(.event == "conn-rate") | .count) | add' "$tmp/json")" = "$(class "$producer" few 'reasons."drop-conn".packets')" ]; }
check "each of them once" wait_until 10 counted
"$WEIR" -n "$producer" attach eth ingress
says "a hook more" "attached +eth ingress: the program is on its hook"
# its record, as it is before there is a program (prog_id, at 28, is 0)
devices=/sys/fs/bpf/weir/v1/$producer/devices
announced=$(bpftool -j map dump pinned "$devices" | jq -r '.[] | select(.formatted.key.hook == 1) |
	.value[28:32] = ["0", "0", "0", "0"] | "key \(.key | join(" ")) value \(.value | join(" "))"')
"$WEIR" -n "$producer" detach eth ingress
says "and less" "detached +eth ingress: taken off its hook"
# shellcheck disable=SC2086 # one word each
check "an attach begins" bpftool map update pinned "$devices" $announced
# a look tells of the policy before it looks at the devices
for rate in 2mbit 3mbit; do
	before=$(grep -c ' policy ' "$tmp/lines")
	"$WEIR" -n "$producer" class set probe rate $rate
	more() { [ "$(grep -c ' policy ' "$tmp/lines")" -gt "$before" ]; }
	check "a look at it" wait_until 10 more
done
is_equal "what is announced alone is not told" "$(grep -cE '(attached|hook-lost) +eth ingress' "$tmp/lines")" 1
# shellcheck disable=SC2086
bpftool map delete pinned "$devices" ${announced%% value*}
"$WEIR" -n "$producer" attach eth ingress via clsact
ip netns exec "$producer" tc qdisc del dev eth clsact
says "a hook that is taken away" "hook-lost +eth ingress: the program is not on its hook"
ip -n "$producer" link add spare type veth peer name spare-peer
"$WEIR" -n "$producer" attach spare egress
says "a second device" "attached +spare egress"
ip -n "$producer" link del spare
says "and without it" "gone +spare egress: the device is gone"
"$WEIR" -n "$producer" class set bulk control queue target 5ms min 10mbit max 100mbit
agent listen $LISTEN
echo "${pids[-1]}" > "$tmp/agent.pid"
behind() { "$WEIR" -n "$producer" signal queue 50ms ttl 5s; grep -q 'control .*bulk: .* behind: ' "$tmp/lines"; }
check "the controller's step and why" wait_until 10 behind
says "the lease" "lease-begin +bulk: the agent has set its rate"
kill "$(cat "$tmp/agent.pid")"
says "and its end" "lease-(end|expired) +bulk: .*the configured one holds: 100 Mbit/s"
same() { [ "$(kernel_lines)" = "$(kernel_json)" ]; }
# what the kernel told, by both readers, from the first change on
kernel_lines() { sed -n '/ policy /,$p' "$tmp/lines" | awk '$2 ~ /^(free|class-rate|flow-rate|lease.*)$/ { print $2, $3 }' | tr -d :; }
kernel_json() { sed -n '/"policy"/,$p' "$tmp/json" | jq -r 'select(.event | test("^(free|class-rate|flow-rate|lease.*)$")) | .event + " " + .class'; }
check "two readers hear the same" wait_until 5 same
is_least "events of classes" "$(kernel_json | wc -l)" 5
"$WEIR" -n "$producer" detach all
says "nothing is attached" "lost +nothing is attached"
"$WEIR" -n "$producer" attach eth egress
says "and attached again" "found +attached again"
"$WEIR" -n "$producer" detach all
twice() { [ "$(grep -cE " $1 " "$tmp/lines")" = 2 ]; }
check "nothing is, once more" wait_until 10 twice lost
"$WEIR" -n "$producer" attach eth egress flows 1024
check "a small table" wait_until 10 twice found
# each port a flow, with a second packet, so that the doorkeeper lets it in
ip netns exec "$producer" bash -c 'for port in {10000..13000}; do exec 9>/dev/udp/10.88.1.2/$port || exit
	echo >&9; echo >&9; exec 9>&-; done' 2> /dev/null
says "fills" "table-(filling|full) +.*size 1024"
says "is full" "table-full +.*size 1024"
says "and turned over" "table-churn +new flows would replace"
kill -TERM $monitor_pid
wait $monitor_pid
is_equal "ends with" $? 0
is_equal "JSON, one object a line" "$(jq -c 'keys' "$tmp/json" | sort -u)" \
	\
	'["class","count","dev","event","hook","left_out","level_bps","old_bps","rate_bps","reason","size","text","time_ms"]'
# changes that nobody can read any more: not an end like any other
"$WEIR" -n "$producer" monitor > /dev/full 2> "$tmp/full" &
full=$!
pids+=($full)
ended() { "$WEIR" -n "$producer" class set probe rate 1mbit; ! kill -0 $full 2> /dev/null; }
check "ends where its output is full" wait_until 10 ended
wait $full
is_equal "and says so" "$? $(cat "$tmp/full")" "1 weir: cannot write the output: No space left on device"
is_equal "a word" "$("$WEIR" -n "$producer" monitor x 2>&1)" "weir: monitor: unknown word 'x': want none"

# --- what is left out, on packets: two hundred classes that are held back and free again faster
# than the kernel tells it. What was told, what was left out and what is still to be said are the
# changes that were made; a reader that was stopped while the ring went round counts what it missed.
CLASSES=200
ROUNDS=12			# each two changes of each class
RING=1024			# events
kill "$bed_traffic"
netns here there
link "$here" eth "$there" eth 1
"$WEIR" -n "$here" attach eth egress || { echo "Bail out! attach"; exit 1; }
for ((i = 0; i < CLASSES; i++)); do
	echo "class set c$i rate 64kbit action police"
	echo "match add c$i proto udp dport $((20000 + i))"
done > "$tmp/conf"
"$WEIR" -n "$here" apply "$tmp/conf" || { echo "Bail out! apply"; exit 1; }

follow all -j -n "$here"
follow text -n "$here"
follow late -j -n "$here"
late=$!

# told: of each class that the test has: the state the kernel has seen last, the one it has told
# last, and how many changes since
told()
{
	bpftool -j map dump pinned "/sys/fs/bpf/weir/v1/$here/told" |
		jq -c --argjson n $CLASSES \
			'[.[].formatted | select(.key >= 1 and .key <= $n).value.held]'
}

# of the class that has its packets last: 0 is free
last_is()
{
	bpftool -j map lookup pinned "/sys/fs/bpf/weir/v1/$here/told" key $CLASSES 0 0 0 |
		jq -e ".formatted.value.held.last == $1"
}
all_told() { [ "$(told | jq '[.[] | select(.last != .told)] | length')" = 0 ]; }
state()
{
	bpftool -j map dump pinned "/sys/fs/bpf/weir/v1/$here/event_state" |
		jq ".[0].formatted.value.$1"
}

# of_classes FILE: the kernel's events in a reader's output
of_classes() { jq -c 'select(.event == "free" or .event == "class-rate")' "$1"; }
left_out() { of_classes "$1" | jq -s 'map(.left_out) | add'; }
seen() { of_classes "$1" | wc -l; }

# each reader has looked once, and tells what comes from here on
listens()
{
	"$WEIR" -n "$here" class set default ecn on
	grep -q policy "$tmp/all" && grep -q policy "$tmp/text" && grep -q policy "$tmp/late"
}
check "three readers" wait_until 10 listens
stops $late
bursts=()
for ((i = 0; i < ROUNDS; i++)); do
	bursts+=(udp from "$here" to "$there" addr 10.88.1.2 port 20000 rate 500mbit size 1000
		packets $((10 * CLASSES)) spray $CLASSES start $((i * 450))ms)
done
traffic "$tmp/traffic" "${bursts[@]}"
check "free again" wait_until 10 last_is 0
check "all is told that may be" wait_until 30 all_told
pending=$(told | jq 'map(.left_out) | add')
events=$(state seq)
changes=$((2 * CLASSES * ROUNDS))
heard()
{
	[ "$(seen "$tmp/all")" = "$events" ] &&
		[ "$(grep -cE " (free|class-rate) " "$tmp/text")" = "$events" ]
}
check "both readers have heard it" wait_until 10 heard
is_equal "events told" "$(seen "$tmp/all")" "$events"
is_least "of which are more than the ring holds" "$events" $((RING + CLASSES))
omitted=$(left_out "$tmp/all")
note "$changes changes: $events told, $omitted left out, $pending still to be said"
is_least "left out" "$omitted" $CLASSES
stalled=$(stalled_ms "$tmp/traffic")
if [ "$stalled" -lt 150 ]; then
	is_equal "told, left out and still to be said" $((events + omitted + pending)) $changes
else	# a burst in two halves is two more changes
	skip "told, left out and still to be said: $((events + omitted + pending))" "stalled $stalled ms"
fi
is_equal "of each class, its last is: free" \
	"$(of_classes "$tmp/all" | jq -sc 'group_by(.class) | map(last.event) | unique')" '["free"]'
is_equal "in text as many" "$(grep -oE '[0-9]+ changes left out' "$tmp/text" |
	awk '{ sum += $1 } END { print sum }')" "$omitted"

# the one that was stopped: the last of the ring, and how many there were before them
kill -CONT $late
caught_up() { [ "$(of_classes "$tmp/late" | wc -l)" -ge $RING ]; }
check "a late reader catches up" wait_until 10 caught_up
seen=$(seen "$tmp/late")
is_equal "it sees what the ring holds" "$seen" $RING
own=$(of_classes "$tmp/all" | tail -n "$seen" | jq -s 'map(.left_out) | add')
is_equal "seen, and counted as not seen" $((seen + $(left_out "$tmp/late") - own)) "$events"
is_equal "with the first that it sees" "$(of_classes "$tmp/late" | head -n 1 | jq .left_out)" \
	"$((events - RING + $(of_classes "$tmp/all" | tail -n "$seen" | head -n 1 | jq .left_out)))"
finish
