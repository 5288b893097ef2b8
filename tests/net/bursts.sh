#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# bursts.sh: eight local sockets, mixed congestion controls, above a slow link without a round trip,
# where TCP sends up to 64 KiB at once: the level of their class stands still all the same, nothing
# is dropped, and the link's queue stays short. What a stalled machine does is not held against it.
#
#     producer (weir on eth, egress) ---- router (tbf on out, 50 mbit) ---- consumer
. "$(dirname "$0")/lib.sh"

kbit=47500 seconds=8
need ip jq tc
netns producer router consumer
link "$producer" eth "$router" in 1
link "$router" out "$consumer" eth 2
forward "$router"
ip -n "$producer" route add default via 10.88.1.2
ip -n "$consumer" route add default via 10.88.2.1
tc -n "$router" qdisc add dev out root tbf rate 50mbit burst 128kb limit 1000000 2> /dev/null ||
	skip_all "this kernel has no tbf"
check "attach" "$WEIR" -n "$producer" attach eth egress
check "class" "$WEIR" -n "$producer" class set default rate ${kbit}kbit

flows=() kinds=(reno cubic bbr)
for i in 0 1 2 3 4 5 6 7; do
	cc=${kinds[i % 3]}
	can_cc $cc || cc=reno
	flows+=(tcp from "$producer" to "$consumer" addr 10.88.2.2 port $((5001 + i)) cc $cc ecn on
		stop ${seconds}s name "bulk$i" group all)
done
traffic "$tmp/out" after 1s "${flows[@]}" &
load=$!
for _ in $(seq 60); do
	[ -d /proc/$load ] || break
	"$WEIR" -n "$producer" -j show classes | jq '.[0].level_bps' >> "$tmp/levels"
	tc -n "$router" -j -s qdisc show dev out | jq '.[0].backlog' >> "$tmp/backlog"
	read -rt 0.1 -u "$never" || true
done
wait $load

# from the second second on
share=$((kbit * 1000 / 8)) ms=$(stalled_ms "$tmp/out")
level=$(tail -n +15 "$tmp/levels" | sort -n | tail -n 1)
backlog=$(tail -n +15 "$tmp/backlog" | sort -n | tail -n 1)
is_rate "total after the first second" "$(group "$tmp/out" all late_bps)" $((kbit * 1000)) 4 \
	"$tmp/out" $seconds
is_least "Jain's index" "$(group "$tmp/out" all jain)" 0.99
if [ "$ms" -gt 400 ]; then
	skip "the highest level: $level, the longest queue: $backlog" "the machine stalled for $ms ms"
else
	is_most "the highest level" "$level" $((share * 3 / 2))
	is_most "the longest queue, bytes" "$backlog" 250000
fi
is_equal "dropped by the class" "$(class "$producer" default dropped)" 0
is_equal "dropped by the link" "$(tc -n "$router" -j -s qdisc show dev out | jq '.[0].drops')" 0
finish
