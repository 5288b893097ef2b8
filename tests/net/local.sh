#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# local.sh: local TCP senders are paced at their sockets. Each flow has its own cap, so flows of
# all rates and both families run side by side; one round per congestion control.
#
#     producer (weir on eth, egress) ---- consumer
. "$(dirname "$0")/lib.sh"

rates=(1 10 100 1000)	# mbit
need ip jq
netns producer consumer
link "$producer" eth "$consumer" eth 1

check "attach" "$WEIR" -n "$producer" attach eth egress
for rate in "${rates[@]}"; do
	check "class r$rate" "$WEIR" -n "$producer" class set "r$rate" flow-rate "${rate}mbit"
	check "match r$rate" "$WEIR" -n "$producer" match add "r$rate" proto tcp dport $((5000 + rate))
done

# judge NAME RATE
judge()
{
	local out=$tmp/out set_bps=$(($2 * 1000000))

	is_rate "$1: wire rate over $SECONDS_RUN s" "$(flow "$out" "$1" wire_bps)" $set_bps 1 \
		"$out" "$SECONDS_RUN"
	is_most "$1: first second" "$(flow "$out" "$1" first_second_bps)" $((set_bps * 11 / 10))
	is_lossless "$1" "$out" "$1"
}

for cc in reno cubic bbr; do
	if ! can_cc $cc; then
		skip "$cc" "this kernel has no $cc"
		continue
	fi
	flows=()
	for rate in "${rates[@]}"; do
		for addr in 10.88.1.2 fd88:1::2; do
			family=v4
			[ "$addr" = 10.88.1.2 ] || family=v6
			flows+=(tcp from "$producer" to "$consumer" addr "$addr" port $((5000 + rate))
				cc "$cc" stop "${SECONDS_RUN}s" name "$cc-$family-$rate")
		done
	done
	traffic "$tmp/out" "${flows[@]}"
	for rate in "${rates[@]}"; do
		judge "$cc-v4-$rate" "$rate"
		judge "$cc-v6-$rate" "$rate"
	done
done
for rate in "${rates[@]}"; do
	is_equal "class r$rate: dropped" "$(class "$producer" "r$rate" dropped)" 0
done
finish
