#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# monitor.sh: `weir monitor` says what changes: a class held back and free again, leases, the
# policy, devices, the controller's steps, the flow table, an instance that goes and comes; as lines
# and as JSON, to two readers at once, each of whom hears everything.
. "$(dirname "$0")/bed.sh"

need ip jq curl
bed
"$WEIR" -n "$producer" monitor > "$tmp/lines" 2>&1 &
pids+=($!)
"$WEIR" -j -n "$producer" monitor > "$tmp/json" 2>&1 &
pids+=($!)
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
"$WEIR" -n "$producer" attach eth ingress
says "a hook more" "attached +eth ingress"
"$WEIR" -n "$producer" detach eth ingress
says "and less" "detached +eth ingress"
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
"$WEIR" -n "$producer" attach eth egress flows 1024
says "a small table" "found +attached again"
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
is_equal "a word" "$("$WEIR" -n "$producer" monitor x 2>&1)" "weir: monitor: unknown word 'x': want none"
finish
