#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# conn.sh: conn-rate with real connections: a second's worth at once, the others when their SYN is
# repeated a second later; nobody is refused for good, and connections that stand go on.
#
#     producer ---- consumer (weir on eth, ingress)
. "$(dirname "$0")/lib.sh"

need ip jq
netns producer consumer
link "$producer" eth "$consumer" eth 1
weir=("$WEIR" -n "$consumer")

# passes and drops of SYNs so far
dropped()
{
	class "$consumer" conn '["reasons"]["drop-conn"].packets'
}

# at_once STOP: ten connections; where the machine did not run them at once, ten others
at_once()
{
	local i

	for i in 1 2 3 4 5; do
		was=$(dropped)
		traffic "$tmp/out" tcp name many n 10 from "$producer" to "$consumer" addr 10.88.1.2 \
			port 7100 rate 1mbit stop "$1"
		[ "$(stalled_ms "$tmp/out")" -gt 150 ] || break
	done
}

check "attach" "${weir[@]}" attach eth ingress
check "class" "${weir[@]}" class set conn conn-rate 4/s
check "match" "${weir[@]}" match add conn proto tcp dport 7100
is_equal "show" "$("${weir[@]}" show config | grep -o 'conn-rate.*')" "conn-rate 4/s"
is_equal "by what means" "$(class "$consumer" conn means)" drop
at_once 6s
is_equal "connections" "$(jq -s '[.[] | select(.type == "flow" and .bytes > 0)] | length' \
	"$tmp/out")" 10
# at once 6 of 10; a second later 2 of 6, give or take one: by then it has earned 4, or 5
compare "SYNs dropped" "v >= t && v <= t + 2" "$(($(dropped) - was))" 7 "7 to 9"
is_equal "nothing else" "$(class "$consumer" conn dropped)" "$(dropped)"

check "observe" "${weir[@]}" class set conn action observe
at_once 900ms
is_equal "observe: connections" "$(jq -s '[.[] | select(.type == "flow" and .bytes > 0)] |
	length' "$tmp/out")" 10
is_least "observe: counted" "$(($(dropped) - was))" 6
check "none" "${weir[@]}" class set conn conn-rate none action default
at_once 300ms
is_equal "without: none is counted" "$(dropped)" "$was"
check "detach" "${weir[@]}" detach all
finish
