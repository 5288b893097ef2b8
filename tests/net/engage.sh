#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# engage.sh: a class without a rate, under control: the first message above its target takes over
# at what passes now, however little has passed before.
#
#     host (weir on eth, egress) ---- peer
. "$(dirname "$0")/lib.sh"

need ip jq
netns host peer
link "$host" eth "$peer" eth 1
weir=("$WEIR" -n "$host")
check "attach" "${weir[@]}" attach eth egress
check "class" "${weir[@]}" class set app control queue target 10ms
check "match" "${weir[@]}" match add app proto udp dport 7000
told "$host"
"$TRAFFIC" run udp from "$host" to "$peer" addr 10.88.1.2 port 7000 size 1000 rate 20mbit stop 4s \
	name load > "$tmp/out" &
pids+=($!)
passed() { [ "$(class "$host" app bytes)" -gt 4000000 ]; }
check "20 mbit pass for more than a second" wait_until 10 passed
engaged() { jq -se 'any(.event == "decision" and .rate_bps)' "$tmp/told.$host"; }
pushed() { "${weir[@]}" signal queue 12ms && engaged; }
check "a message above the target takes over" wait_until 5 pushed
is_within "at what passes" "$(jq -s 'map(select(.event == "decision" and .rate_bps))[0].rate_bps' \
	"$tmp/told.$host")" 20000000 40
finish
