#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# timing.sh: the timing lane, in a guest with a stock kernel, in virtual time (tests/vm/vm -V):
# departure times under fq to half a percent, gaps between packets, local sockets, CE on a phantom
# queue at 20 ms. A miss here is weir's, not the machine's.
#
#     producer ---- router (weir on out, egress) ---- consumer
#        \-- (weir on near, egress) -----------------/
. "$(dirname "$0")/lab.sh"

SECONDS_RUN=${WEIR_TEST_SECONDS:-5}
modprobe -a sch_fq sch_netem 2> /dev/null || true
lab eth near

rates=("3.7mbit 3700000" "10mbit 10000000" "100mbit 100000000")

# --- EDT for packets that nobody's socket here sends: UDP of a neighbour's, forwarded TCP
weir=("$WEIR" -n "$router")
check "router: attach" "${weir[@]}" attach out egress
check "router: class" "${weir[@]}" class set slow flow-rate 100mbit drop-at 100ms
check "router: match" "${weir[@]}" match add slow
note "router: $(tc -n "$router" qdisc show dev out root)"
is_equal "router: departure times are kept" \
	"$("${weir[@]}" -j check | jq '.[] | select(.check == "means-edt") | .available')" true
for rate in "${rates[@]}"; do
	read -r word bps <<< "$rate"
	long=$((bps < 50000000 ? SECONDS_RUN : 3))	# as many packets
	check "$word: set" "${weir[@]}" class set slow flow-rate "$word"
	# 20 ms beyond the rate are a queue that stands; the horizon drops the rest
	traffic "$tmp/udp" after 1s udp from "$producer" to "$consumer" addr 10.88.2.2 port 7000 \
		size 1000 rate $((bps * 13 / 10 / 1000000 + 1))mbit gaps on stop "${long}s" name udp
	is_within "udp at $word" "$(flow "$tmp/udp" udp late_bps)" "$bps" 0.5
	ideal=$(awk -v r="$bps" 'BEGIN { printf "%.1f", 1042 * 8e6 / r }')
	for p in 5 50 95; do
		is_within "udp at $word: gap p$p" "$(flow "$tmp/udp" udp gap_p${p}_us)" "$ideal" 15
	done
	# without offloads: 45 segments are 150 ms of 3.7 mbit, leave as one, and BBR takes that for
	# speed; what arrives, repeated segments too
	ip -n "$producer" link set eth gso_max_segs 1
	for cc in cubic reno bbr; do
		can_cc $cc || continue
		traffic "$tmp/tcp" arrivals on after 1s tcp from "$producer" to "$consumer" \
			addr 10.88.2.2 port 7001 cc $cc ecn off name tcp \
			stop $((bps < 50000000 ? 20 : 4))s
		is_within "forwarded $cc at $word" "$(flow "$tmp/tcp" tcp late_bps)" "$bps" 0.5
		note "read: $(flow "$tmp/tcp" tcp goodput_bps), again: $(flow "$tmp/tcp" tcp retrans)"
	done
	ip -n "$producer" link set eth gso_max_segs 65535
done
check "router: detach" "${weir[@]}" detach all

# --- local sockets, each congestion control and family
weir=("$WEIR" -n "$producer")
check "producer: attach" "${weir[@]}" attach near egress
for rate in 1 10 100 1000; do
	check "class r$rate" "${weir[@]}" class set "r$rate" flow-rate "${rate}mbit"
	check "match r$rate" "${weir[@]}" match add "r$rate" proto tcp dport $((5000 + rate))
	for cc in reno cubic bbr; do
		can_cc $cc || continue
		addr=10.88.3.2
		[ $cc != cubic ] || addr=fd88:3::2
		traffic "$tmp/out" tcp from "$producer" to "$consumer" addr $addr port $((5000 + rate)) \
			cc $cc stop "$((rate == 1000 ? 2 : 2 * SECONDS_RUN))s" name $cc
		is_within "$cc at $rate mbit" "$(flow "$tmp/out" $cc wire_bps)" "${rate}000000" 1
		is_most "$cc at $rate mbit: first second" "$(flow "$tmp/out" $cc first_second_bps)" \
			$((rate * 1100000))
		is_equal "$cc at $rate mbit: retransmissions" "$(flow "$tmp/out" $cc retrans)" 0
	done
	is_most "r$rate: dropped" "$(class "$producer" "r$rate" dropped)" 0
done
check "producer: detach" "${weir[@]}" detach all

# --- a packet of two classes, at two devices: both ask its socket, and the smaller rate holds
for ns in $producer $consumer; do
	ip -n "$ns" -batch - <<- END
		link add link near name over type vlan id 5
		addr add 10.88.9.$([ "$ns" = "$producer" ] && echo 1 || echo 2)/24 dev over
		link set over up
	END
done
for dev in over near; do
	check "two devices: attach $dev" "${weir[@]}" attach $dev egress qdisc keep
	check "two devices: class $dev" "${weir[@]}" class set $dev rate 8mbit
	check "two devices: match $dev" "${weir[@]}" match add $dev dev $dev proto tcp dport 7001
done
for slow in over near; do
	check "$slow: 4 of 8 mbit" "${weir[@]}" class set $slow rate 4mbit
	traffic "$tmp/out" arrivals on after 1s tcp from "$producer" to "$consumer" addr 10.88.9.2 \
		port 7001 cc cubic n 2 stop 6s name two group all
	# a tag of four bytes is not counted there
	is_within "$slow: 4 of 8 mbit" "$(group "$tmp/out" all late_bps)" 4000000 4
	is_equal "$slow: 4 of 8 mbit: dropped" "$(class "$producer" over dropped)$(
		class "$producer" near dropped)" 00
	check "$slow: 8 mbit" "${weir[@]}" class set $slow rate 8mbit
done
check "producer: detach" "${weir[@]}" detach all

# --- CE on a phantom queue: 50 mbit, 20 ms, one Cubic flow that knows ECN
weir=("$WEIR" -n "$router")
check "netem, 20 ms" tc -n "$consumer" qdisc add dev eth root netem delay 20ms limit 10000
check "router: attach" "${weir[@]}" attach out egress qdisc keep
check "router: police" "${weir[@]}" class set ecn flow-rate 50mbit action police
check "router: match" "${weir[@]}" match add ecn proto tcp dport 7002
traffic "$tmp/ecn" after 2s tcp from "$producer" to "$consumer" addr 10.88.2.2 port 7002 cc cubic \
	ecn on stop 15s name ecn
is_least "policed with CE: of 50 mbit" "$(flow "$tmp/ecn" ecn late_bps)" 45000000
is_most "policed with CE: of 50 mbit" "$(flow "$tmp/ecn" ecn late_bps)" 50250000
is_equal "policed with CE: dropped" "$(class "$router" ecn dropped)" 0
is_least "policed with CE: marked" "$(class "$router" ecn marked)" 1
is_equal "policed with CE: retransmissions" "$(flow "$tmp/ecn" ecn retrans)" 0
finish
