#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# police.sh: the police lane (virtual time): a class that polices, which has no queue to wait in:
# shares of Reno, Cubic, BBR and a UDP flood, that stay and that come and go; one flow alone; a
# request/response flow beside 120; local senders, whose sockets are paced.
#
#     producer (weir on near, egress) ---- router (weir on out, egress) ---- consumer
. "$(dirname "$0")/lab.sh"

modprobe -a sch_netem 2> /dev/null || true
lab eth near

# on NETNS DEV ADDR RATE: weir and a class that polices
on()
{
	weir=("$WEIR" -n "$1") ns=$1 addr=$3
	check "$2: attach" "${weir[@]}" attach "$2" egress qdisc keep
	check "$2: class" "${weir[@]}" class set shared rate "$4" action police
	check "$2: match" "${weir[@]}" match add shared
}

# rtt MS: of both ways
rtt()
{
	for dev in eth near; do
		check "netem, $1 ms" tc -n "$consumer" qdisc replace dev $dev root netem \
			delay "$1ms" limit 10000
	done
}

# share WHAT N RATE JAIN WINDOWS COME: N flows for 6 s, and as many from 2 s to 4 s where COME is 1
share()
{
	local ecn=off after=$((2 - $6))s

	words=()
	mix "$2" 0s 6s 7000 "$3"
	[ "$6" = 0 ] || mix "$2" 2s 4s 7100 "$3"
	traffic "$tmp/out" arrivals on after "$after" window 250ms "${words[@]}"
	is_least "$1: Jain's index" "$(group "$tmp/out" all jain)" "$4"
	is_least "$1: of windows of 250 ms" "$(group "$tmp/out" all jain_window_mean)" "$5"
	if [ "$6" = 0 ]; then
		is_least "$1: total" "$(group "$tmp/out" all late_bps)" 97000000
		is_most "$1: total" "$(group "$tmp/out" all late_bps)" 103000000
	fi
	note "$(group "$tmp/out" all late_bps), least $(group "$tmp/out" all jain_window_min)," \
		"dropped $(class "$ns" shared dropped)"
}


# --- 120 bulk flows beside a request each 5 ms, without a round trip: three times a delayed class's
on "$router" out 10.88.2.2 100mbit
for ecn in off on; do
	# NEEDSWORK: three times 4 ms are wanted; seen: 2.3 to 8.3, with ECN 2.7 to 14.7, 18.7 once
	for try in 1 2; do
		traffic "$tmp/out" arrivals on after 2s window 250ms \
			tcp from "$producer" to "$consumer" addr $addr port 7000 cc cubic n 120 \
			ecn $ecn stop 6s name bulk group all \
			rr from "$producer" to "$consumer" addr $addr port 7001 interval 5ms \
			start 2s stop 6s name rr
		p99=$(flow "$tmp/out" rr p99_us)
		[ $ecn$try = on1 ] && [ "$p99" -gt 15000 ] || break
		note "120 flows, ecn on: once more, a request had $p99 us"
	done
	is_most "120 flows, ecn $ecn: request p50, us" "$(flow "$tmp/out" rr p50_us)" 1500
	is_most "120 flows, ecn $ecn: request p99, us" "$p99" 15000
	is_least "120 flows, ecn $ecn: total" "$(group "$tmp/out" all late_bps)" 93000000
	is_most "120 flows, ecn $ecn: total" "$(group "$tmp/out" all late_bps)" 100500000
	is_least "120 flows, ecn $ecn: Jain's index" "$(group "$tmp/out" all jain)" 0.99
done

# --- one flow at 50 mbit, 20 ms: 83 packets in flight
rtt 20
check "50 mbit" "${weir[@]}" class set shared rate 50mbit
# its level is that of 120 flows until it is idle
is_idle() { [ "$(class "$router" shared active)" = 0 ]; }
for cc in cubic reno; do
	check "the class is idle" wait_until 5 is_idle
	before=$(class "$router" shared dropped)
	traffic "$tmp/out" arrivals on after 2s tcp from "$producer" to "$consumer" addr $addr \
		port 7000 cc $cc ecn on stop 12s name one group all
	is_least "one ECN-capable $cc flow" "$(flow "$tmp/out" one late_bps)" 47000000
	is_most "one ECN-capable $cc flow" "$(flow "$tmp/out" one late_bps)" 50250000
	is_equal "one ECN-capable $cc flow: dropped" "$(class "$router" shared dropped)" "$before"
done
check "100 mbit" "${weir[@]}" class set shared rate 100mbit

# --- shares: N, UDP's rate, Jain's index, of windows; seen, builds differing by BBR's luck:
# 1 .979, 1 .992, .999 .981-.990; 2 ms .953-.986 .938-.960, .991 .94, .984-.999 .89-.93
# come and go .999 .98, .995 .974, .991 .93-.95; 2 ms .87-.99 .93-.96, .986 .96, .993 .92-.94
# NEEDSWORK: at 2 ms two packets in flight are more than a share of 1.6 mbit, and BBR takes
# time-outs whatever its share; what comes anew starts with more than its share
while read -r ms n udp jain windows come; do
	rtt "$ms"
	share "out, $n flows, $ms ms, come and go $come" "$n" "$udp" "$jain" "$windows" "$come"
done <<- END
	20 3 0mbit 0.99 0.98 0
	20 12 25mbit 0.99 0.98 0
	20 64 6mbit 0.99 0.965 0
	2 3 0mbit 0.9 0.88 0
	2 12 25mbit 0.98 0.94 0
	2 64 6mbit 0.96 0.85 0
	20 3 0mbit 0.96 0.94 1
	20 12 25mbit 0.98 0.95 1
	20 64 6mbit 0.97 0.9 1
	2 3 0mbit 0.85 0.85 1
	2 12 25mbit 0.96 0.93 1
	2 64 6mbit 0.97 0.88 1
END
check "out: detach" "${weir[@]}" detach all

on "$producer" near 10.88.3.2 100mbit
for ms in 20 2; do
	rtt $ms
	share "near, 3 flows, $ms ms" 3 0mbit 0.999 0.99 0
	is_most "near, 3 flows, $ms ms: dropped" "$(class "$producer" shared dropped)" 50
done
check "near: detach" "${weir[@]}" detach all
finish
