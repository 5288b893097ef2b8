#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# local.sh: local TCP senders are paced at their sockets. Each flow has its own cap, so flows of
# all rates and both families run side by side; one round per congestion control.
#
#     producer (weir on eth, egress) ---- consumer ---- smooth (the same at 1 mbit, and TCP there
#     sends no packet of 64 KiB for a short round trip's sake: net.ipv4.tcp_tso_rtt_log = 0)
. "$(dirname "$0")/lib.sh"

rates=(1 10 100 1000)	# mbit
need ip jq
netns producer consumer smooth
link "$producer" eth "$consumer" eth 1
link "$smooth" eth "$consumer" eth2 2
ip netns exec "$smooth" sysctl -qw net.ipv4.tcp_tso_rtt_log=0

check "attach" "$WEIR" -n "$producer" attach eth egress
for rate in "${rates[@]}"; do
	check "class r$rate" "$WEIR" -n "$producer" class set "r$rate" flow-rate "${rate}mbit"
	check "match r$rate" "$WEIR" -n "$producer" match add "r$rate" proto tcp dport $((5000 + rate))
done

check "smooth: attach" "$WEIR" -n "$smooth" attach eth egress
check "smooth: class" "$WEIR" -n "$smooth" class set default flow-rate 1mbit
smooth_on() { "$WEIR" -n "$1" -j check | jq -r '.[] | select(.check == "smooth") | .available'; }
is_equal "check tells of it" "$(smooth_on "$producer") $(smooth_on "$smooth")" "false true"

# judge NAME RATE [TOLERANCE FIRST]
judge()
{
	local out=$tmp/out set_bps=$(($2 * 1000000)) tolerance=${3-1} first=${4-11}

	is_rate "$1: wire rate over $SECONDS_RUN s" "$(flow "$out" "$1" wire_bps)" $set_bps $tolerance \
		"$out" "$SECONDS_RUN"
	is_most "$1: first second" "$(flow "$out" "$1" first_second_bps)" $((set_bps * first / 10))
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
	flows+=(tcp from "$smooth" to "$consumer" addr 10.88.2.2 port 5001 cc "$cc"
		stop "${SECONDS_RUN}s" name "$cc-smooth-1")
	traffic "$tmp/out" "${flows[@]}"
	judge "$cc-smooth-1" 1
	for rate in "${rates[@]}"; do
		# a packet of 29 to 44 segments at the end of 10 s is 3 to 4 % of 1 mbit
		[ "$rate" != 1 ] || set -- 4 15
		judge "$cc-v4-$rate" "$rate" "$@"
		judge "$cc-v6-$rate" "$rate" "$@"
		set --
	done
done
for rate in "${rates[@]}"; do
	is_equal "class r$rate: dropped" "$(class "$producer" "r$rate" dropped)" 0
done
finish
