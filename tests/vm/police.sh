#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# police.sh: of the timing lane (virtual time): fair shares of a class that polices: three flows and
# 64, Reno, Cubic and BBR without ECN, forwarded, and local ones, whose sockets are paced; a
# request/response flow beside them.
#
#     producer (weir on near, egress) ---- router (weir on out, egress) ---- consumer
. "$(dirname "$0")/../net/lib.sh"

need ip tc jq
modprobe -a sch_netem 2> /dev/null || true
netns producer router consumer
link "$producer" near "$router" in 1
link "$router" out "$consumer" eth 2
forward "$router"
ip -n "$producer" route add 10.88.2.0/24 via 10.88.1.2
ip -n "$consumer" route add 10.88.1.0/24 via 10.88.2.1

# the guest's clock leaps while a file is read for the first time
warm_up()
{
	"$WEIR" version && "$TRAFFIC" cc cubic && jq -n 1 && awk 'BEGIN {}'
	"$TRAFFIC" run udp from "$producer" to "$consumer" addr 10.88.2.2 port 1 rate 1mbit \
		packets 1 stop 1s
} > /dev/null

to=(from "$producer" to "$consumer" addr 10.88.2.2)

# shares NETNS DEV N: N flows and a request/response flow for 5 s, of 100 mbit, into $tmp/out
shares()
{
	local weir=("$WEIR" -n "$1") flows=() port=5000 cc left=$3

	for cc in reno cubic bbr; do
		port=$((port + 1))
		can_cc $cc || cc=reno
		flows+=(tcp "${to[@]}" port $port cc $cc n $((left / (5004 - port))) stop 5s
			name "p$port" group all)
		left=$((left - left / (5004 - port)))
	done
	check "$2, $3 flows: attach" "${weir[@]}" attach "$2" egress qdisc keep
	check "$2, $3 flows: class" "${weir[@]}" class set fair rate 100mbit action police
	check "$2, $3 flows: match" "${weir[@]}" match add fair
	traffic "$tmp/out" window 250ms after 2s "${flows[@]}" \
		rr "${to[@]}" port 7 size 100 reply 100 interval 5ms start 1s stop 5s name rr
	note "$2, $3 flows: $(class "$1" fair dropped) dropped, Jain's index of windows of 250 ms:" \
		"least $(group "$tmp/out" all jain_window_min); request/response p50" \
		"$(flow "$tmp/out" rr p50_us) us"
	check "$2, $3 flows: detach" "${weir[@]}" detach all
}

warm_up
# measured on 6.12: 1 0.996; 0.995 0.981; 0.979 0.969; 1 1. At 2 ms RTT a share of 33
# mbit is six packets in flight, and BBR, which looks for more all the time, takes time-outs.
while read -r rtt ns dev n jain windows; do
	what="$dev, $n flows, $rtt ms"
	check "$what: netem" tc -n "$consumer" qdisc replace dev eth root netem delay "${rtt}ms" \
		limit 10000
	shares "${!ns}" "$dev" "$n"
	is_within "$what: total" "$(group "$tmp/out" all late_bps)" 100000000 4
	is_least "$what: Jain's index of 3 s" "$(group "$tmp/out" all jain)" "$jain"
	is_least "$what: Jain's index of windows of 250 ms, mean" \
		"$(group "$tmp/out" all jain_window_mean)" "$windows"
	is_most "$what: request/response, p50" "$(flow "$tmp/out" rr p50_us)" $((rtt * 1000 + 500))
	is_most "$what: request/response, p99" "$(flow "$tmp/out" rr p99_us)" $((rtt * 1000 + 4000))
done <<- END
	20 router out 3 0.99 0.975
	20 router out 64 0.99 0.96
	2 router out 3 0.91 0.89
	2 producer near 3 0.999 0.99
END
finish
