#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# way.sh: of the shares lane (virtual time): the bottleneck is a queue elsewhere, of 20, 5 and 20
# mbit again, and the producers' class follows what their own sockets hear of it: round trips,
# losses, marks. Eight producers (Reno, Cubic, BBR); a round trip of 10 ms.
#
#     producers (weir, eth egress) ---- router (tbf) ---- consumer (netem, for the answers)
. "$(dirname "$0")/lab.sh"

modprobe -a sch_fq sch_netem sch_tbf sch_fq_codel 2> /dev/null || true
need ip tc jq
netns producers router consumer
link "$producers" eth "$router" in 1
link "$router" out "$consumer" eth 2
forward "$router"
ip -n "$producers" route add 10.88.2.0/24 via 10.88.1.2
ip -n "$consumer" route add 10.88.1.0/24 via 10.88.2.1
for ns in $producers $consumer; do
	ip netns exec "$ns" sysctl -qw net.ipv4.tcp_ecn=1
done
check "netem" tc -n "$consumer" qdisc add dev eth root netem delay 10ms limit 20000
check "attach" "$WEIR" -n "$producers" attach eth egress qdisc keep
out="dev out handle 1: root tbf burst 6kb"
codel=(tc -n "$router" qdisc replace dev out parent 1:1 fq_codel flows 1 ecn target 2ms
	interval 20ms)

# follows LIMIT AGE_5 AGE_20 SIGNAL...: what is read, and how old half of it is at most, 2.2 s and
# more after each change
follows()
{
	local limit=$1 age=$2 name=$4 n mbit file=$tmp/$4 change="tc -n $router qdisc change $out"

	check "$name: the way" tc -n "$router" qdisc replace $out limit "$limit" rate 20mbit
	[ "$name" != ce ] || check "$name: marks" "${codel[@]}"
	check "$name: class" "$WEIR" -n "$producers" class set sink rate 40mbit control "${@:4}"
	check "$name: match" "$WEIR" -n "$producers" match add sink proto tcp dport 7000 pref 1
	agent "$producers"
	# the consumer itself is fast; its speeds begin phases
	load "$file" addr 10.88.2.2 after 2200ms at 0s speed 1000mbit \
		at 1s exec "$change limit $limit rate 5mbit" at 1s speed 1001mbit \
		at 3400ms exec "$change limit $limit rate 20mbit" at 3400ms speed 1000mbit \
		stop 6600ms
	last_ends
	for n in 2 3; do
		mbit=5
		[ $n = 2 ] || mbit=20 age=$3
		is_least "$name: $mbit mbit: goodput" "$(phase "$file" $n goodput_bps)" \
			$((mbit == 5 ? 3700000 : 16000000))
		is_most "$name: $mbit mbit: age p50, ms" "$(phase "$file" $n age_p50_ms)" "$age"
	done
}

# Seen: 4.2 to 4.8 and 17.7 to 19.1 mbit, payload; 42 to 66, 11 to 32 ms. Once, behind a loss
# that was made good late, 5.3 mbit and 97 ms
follows 2mb 100 50 rtt target 30ms
follows 30kb 200 50 loss target 1%
follows 2mb 100 50 ce target 5%
finish
