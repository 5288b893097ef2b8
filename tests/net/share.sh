#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# share.sh: eight flows, mixed congestion controls, under a class of 100 mbit with a cap of 20
# each: the class gets its rate, no flow exceeds its cap, and the shares are even. The same for a
# class that an agent may steer and none does.
#
#     producer (weir on eth, egress) ---- consumer
. "$(dirname "$0")/lib.sh"

need ip jq
netns producer consumer
link "$producer" eth "$consumer" eth 1
check "attach" "$WEIR" -n "$producer" attach eth egress
check "class" "$WEIR" -n "$producer" class set bulk rate 100mbit flow-rate 20mbit
check "match" "$WEIR" -n "$producer" match add bulk proto tcp dport 5001-5003

flows=() port=5001
for spec in "reno 3" "cubic 3" "bbr 2"; do
	read -r cc n <<< "$spec"
	can_cc "$cc" || cc=reno
	flows+=(tcp from "$producer" to "$consumer" addr 10.88.1.2 port $port cc "$cc" n "$n"
		stop "${SECONDS_RUN}s" name "p$port" group all)
	port=$((port + 1))
done
traffic "$tmp/out" after 1s "${flows[@]}"
whole=$(jq -rs '[.[] | select(.type == "flow") | .wire_bps] | add' "$tmp/out")
largest=$(jq -rs '[.[] | select(.type == "flow") | .late_bps] | max' "$tmp/out")
first=$(jq -rs '[.[] | select(.type == "flow") | .first_second_bps] | add' "$tmp/out")

is_rate "total over $SECONDS_RUN s" "$whole" 100000000 1 "$tmp/out" "$SECONDS_RUN"
is_rate "total after the first second" "$(group "$tmp/out" all late_bps)" 100000000 1 "$tmp/out" \
	"$SECONDS_RUN"
is_most "first second" "$first" 110000000
is_most "the largest flow is below its cap" "$largest" 20200000
is_least "Jain's index after the first second" "$(group "$tmp/out" all jain)" 0.95
for name in $(jq -r 'select(.type == "flow") | .name' "$tmp/out"); do
	is_lossless "$name" "$tmp/out" "$name"
done
is_equal "dropped" "$(class "$producer" bulk dropped)" 0
note "Jain's index of windows of 1 s: mean $(group "$tmp/out" all jain_window_mean), least" \
	"$(group "$tmp/out" all jain_window_min)"

check "control, and no agent" "$WEIR" -n "$producer" class set bulk flow-rate none \
	control queue target 10ms min 20mbit max 100mbit
traffic "$tmp/out" after 1s "${flows[@]}"
is_rate "no agent: total after the first second" "$(group "$tmp/out" all late_bps)" 100000000 2 \
	"$tmp/out" "$SECONDS_RUN"
is_least "no agent: Jain's index" "$(group "$tmp/out" all jain)" 0.95
is_equal "no agent: dropped" "$(class "$producer" bulk dropped)" 0
finish
