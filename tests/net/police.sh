#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# police.sh: UDP offered at five times its rate, `action police`: the wire rate is held for every
# packet size, and every packet that was sent is accounted for, exactly. The burst bridges the
# pauses that a busy machine makes; the rate is measured once it has been used up.
#
#     producer (weir on eth, egress) ---- consumer
. "$(dirname "$0")/lib.sh"

need ip jq
netns producer consumer
link "$producer" eth "$consumer" eth 1
check "attach" "$WEIR" -n "$producer" attach eth egress

# family, payload bytes, rate in mbit: below 30,000 packets offered a second each
cases=("4 64 4" "4 512 20" "4 1400 50" "6 64 4" "6 512 20" "6 1400 50")
flows=() port=6000
for case in "${cases[@]}"; do
	read -r family size mbit <<< "$case"
	port=$((port + 1)) addr=10.88.1.2
	[ "$family" = 4 ] || addr=fd88:1::2
	check "class p$port" "$WEIR" -n "$producer" class set p$port flow-rate "${mbit}mbit" \
		burst 100ms action police
	check "match p$port" "$WEIR" -n "$producer" match add p$port proto udp dport $port
	flows+=(udp from "$producer" to "$consumer" addr $addr port $port size "$size"
		rate "$((5 * mbit))mbit" stop "${SECONDS_RUN}s" name "v$family-$size")
done
traffic "$tmp/out" after 1s "${flows[@]}"

port=6000
for case in "${cases[@]}"; do
	read -r family size mbit <<< "$case"
	port=$((port + 1)) name=v$family-$size
	sent=$(flow "$tmp/out" "$name" sent) received=$(flow "$tmp/out" "$name" received)
	seen=$(class "$producer" p$port packets) dropped=$(class "$producer" p$port dropped)

	is_least "$name: offered" "$sent" $((mbit * 1000000 * 4 * SECONDS_RUN / 8 / (size + 62)))
	is_rate "$name: wire rate" "$(flow "$tmp/out" "$name" late_bps)" $((mbit * 1000000)) 1 \
		"$tmp/out" "$SECONDS_RUN"
	is_equal "$name: weir saw every packet sent" "$seen" "$sent"
	is_equal "$name: received + dropped = sent" "$((received + dropped))" "$sent"
done
finish
