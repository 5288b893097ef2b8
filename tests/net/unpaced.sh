#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# unpaced.sh: TCP in a class that paces, where nothing can: no departure times below, and no socket
# that is paced (one of another host, or socket off). It is policed, and gets its class's rate.
#
#     producer (weir on eth, egress) ---- consumer (weir on eth, ingress)
. "$(dirname "$0")/lib.sh"

need ip jq
netns producer consumer
link "$producer" eth "$consumer" eth 1
check "attach, where it is sent" "$WEIR" -n "$producer" attach eth egress qdisc keep
check "attach, where it arrives" "$WEIR" -n "$consumer" attach eth ingress qdisc keep

# gets WHERE PORT: two flows of each kind share 10 mbit, and use it
gets()
{
	local cc

	for cc in reno cubic bbr; do
		if ! can_cc $cc; then
			skip "$1: $cc" "no such congestion control here"
			continue
		fi
		traffic "$tmp/out" tcp name tcp from "$producer" to "$consumer" addr 10.88.1.2 port "$2" \
			n 2 cc $cc stop 5s
		compare "$1: $cc" "v >= 0.65 * t && v <= 1.15 * t" "$(group "$tmp/out" tcp late_bps)" \
			10000000 "65 to 115 % of 10 mbit; stalled $(stalled_ms "$tmp/out") ms"
	done
}

check "class" "$WEIR" -n "$producer" class set sent rate 10mbit socket off
check "match" "$WEIR" -n "$producer" match add sent proto tcp dport 7000
check "class" "$WEIR" -n "$consumer" class set arrives rate 10mbit
check "match" "$WEIR" -n "$consumer" match add arrives proto tcp dport 7001
gets "sent" 7000
gets "arrives" 7001

# an agent moves the rate: what arrives is policed so, too, and keeps its consumer busy
check "class" "$WEIR" -n "$consumer" class set read control backlog target 10ms
check "match" "$WEIR" -n "$consumer" match add read proto tcp dport 7002
agent "$consumer"
# reads FILE PORT CC
reads()
{
	"$CONSUMER" from "$producer" to "$consumer" addr 10.88.1.2 port "$2" n 1 cc "$3" \
		at 0s speed 50mbit stop 5s > "$1"
}
for cc in reno cubic; do
	reads "$tmp/read" 7002 $cc
	least=25000000 goodput=$(phase "$tmp/read" 1 goodput_bps)
	# a machine that is busy has less for its consumers, in no class, too
	if [ "$goodput" -lt $least ]; then
		reads "$tmp/free" 7003 $cc
		least=$(phase "$tmp/free" 1 goodput_bps)
		note "in no class $least bit/s are read"
		[ $((least /= 2)) -lt 25000000 ] || least=25000000
	fi
	is_least "read at 50 mbit: $cc" "$goodput" $least
	is_most "read at 50 mbit: $cc: queue, ms" "$(phase "$tmp/read" 1 queue_ms)" 30
done
finish
