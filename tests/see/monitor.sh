#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# monitor.sh: `weir monitor` says what changes: a class held back and free again, the policy,
# devices, the controller's steps, an instance that goes and comes; once each, as lines and as JSON.
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
says "a class is free" "free +media: below its rates"
"$WEIR" -n "$producer" class set media rate 10mbit
says "and held back" "class-rate media: its buckets share"
"$WEIR" -n "$producer" attach eth ingress
says "a hook more" "attached +eth ingress"
"$WEIR" -n "$producer" detach eth ingress
says "and less" "detached +eth ingress"
"$WEIR" -n "$producer" class set bulk control queue target 5ms min 10mbit max 100mbit
agent listen $LISTEN
behind() { "$WEIR" -n "$producer" signal queue 50ms ttl 5s; grep -q 'control .*bulk: .* behind: ' "$tmp/lines"; }
check "the controller's step and why" wait_until 10 behind
"$WEIR" -n "$producer" detach all
says "nothing is attached" "lost +nothing is attached"
"$WEIR" -n "$producer" attach eth egress
says "and attached again" "found +attached again"
kill -TERM $monitor_pid
wait $monitor_pid
is_equal "ends with" $? 0
is_equal "JSON, one object a line" "$(jq -c 'keys' "$tmp/json" | sort -u)" \
	'["class","event","left_out","text","time_ms"]'
is_equal "a word" "$("$WEIR" -n "$producer" monitor x 2>&1)" "weir: monitor: unknown word 'x': want none"
finish
