#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# smaller.sh: where a network loop and a consumer loop both run, the smaller rate wins.
#
# TCP's own congestion control is the network's loop: behind a tbf of 10 mbit a consumer of 5 mbit
# is what counts, one of 100 mbit is not, and meanwhile the agent does not raise its rate on and on.
# And two loops of weir, on two devices that the same packets pass.
#
#     producers (weir: eth, bridge and port, egress) ---- router (tbf) ---- consumer (weir: serves)
. "$(dirname "$0")/lib.sh"

need ip jq tc python3
netns producers router consumer
link "$producers" eth "$router" west 1
link "$router" east "$consumer" eth 2
# the signal's own way: what is unlimited fills the tbf, and nobody would hear of it
link "$producers" ctl "$consumer" ctl 3
forward "$router"
ip -n "$producers" route add 10.88.2.0/24 via 10.88.1.2
ip -n "$consumer" route add 10.88.1.0/24 via 10.88.2.1
tc -n "$router" qdisc replace dev east root tbf rate 10mbit burst 15k limit 60k || skip_all "no tbf"

check "consumer: attach" "$WEIR" -n "$consumer" attach eth ingress
check "consumer: class" "$WEIR" -n "$consumer" class set sink
check "consumer: match" "$WEIR" -n "$consumer" match add sink proto tcp dport 7000
agent "$consumer" listen 0.0.0.0:9090
check "attach" "$WEIR" -n "$producers" attach eth egress qdisc keep
check "class" "$WEIR" -n "$producers" class set sink max 2gbit \
	control http://10.88.3.2:9090/sink target 20ms
check "match" "$WEIR" -n "$producers" match add sink proto tcp dport 7000
told "$producers"

# is_signal CLASS FILTER
is_signal()
{
	"$WEIR" -n "$producers" -j show signals | jq -e --arg n "$1" ".[] | select(.class == \$n) | $2"
}

until_ok()
{
	local what=$1
	shift

	if wait_until 15 "$@"; then ok "$what"; else
		not_ok "$what" "$("$WEIR" -n "$producers" show signals; tail -n 4 "$tmp/told.$producers")"
	fi
}

# --- TCP and the agent
load "$tmp/load" addr 10.88.2.2 after 1500ms \
	at 0s speed 5mbit at 4s speed 100mbit at 9s speed 5mbit stop 13s
start=$(jq 'select(.type == "total") | .t0_ns' "$tmp/load")

# between FROM_S TO_S FILTER: of what was decided then
between() { lines "$producers" "map(select(.at_ns > $start + $1e9 and .at_ns < $start + $2e9)) | $3"; }
note "phases: $(jq -c 'select(.type == "phase") | [.queue_ms, .goodput_bps]' "$tmp/load" | tr '\n' ' ')"
is_most "a slow consumer: goodput" "$(phase "$tmp/load" 1 goodput_bps)" 5300000
is_most "the agent's least rate, below the network's" "$(between 0 4 'map(.rate_bps) | min')" 9000000
is_most "a fast one: goodput" "$(phase "$tmp/load" 2 goodput_bps)" 12000000
silent=$(between 0 13 'map(select(.reason == "stale" or .reason == "expired")) | length')
if [ "$silent" != 0 ]; then
	skip "a fast one" "the machine is too busy: the consumer's signal fell silent"
else
	# 9.6 mbit is what TCP makes of the tbf; a rate of which less than 60 % is used is not
	# raised, so that how far beyond 16 mbit it comes is a matter of the last steps
	is_least "as the network has it" "$(phase "$tmp/load" 2 goodput_bps)" 6500000
	is_least "the agent's rate, above it" "$(between 4 9 'map(.rate_bps) | max')" 12000000
	is_most "a slow one again: goodput" "$(phase "$tmp/load" 3 goodput_bps)" 5300000
	is_most "and the agent's least rate" "$(between 9 13 'map(.rate_bps) | min')" 9000000
fi
# How often the agent says that nobody uses its rate differs, how far it goes does not then: by a
# quarter beyond what the consumer takes, and as much where its drain rate is read too small. One
# that had no CPU for a while reads faster then, to make up for it.
most=$(lines "$producers" 'map(.drain_bps // 0) | max * 13 / 10 | floor')
[ "$most" -gt 160000000 ] || most=160000000
is_most "the agent never asked for more than" "$(lines "$producers" 'map(.rate_bps) | max')" "$most"

# --- two classes of one packet: one where it enters the bridge, one where it leaves it
ip -n "$producers" link add bridge type bridge && link "$producers" port "$router" west5 5 || {
	skip "two devices" "no bridge here"
	finish
}
ip -n "$producers" -batch - <<- END
	addr flush dev port
	link set port master bridge
	addr add 10.88.5.1/24 dev bridge
	link set bridge address 02:00:00:00:05:01 up
	neigh replace 10.88.5.2 lladdr 02:00:00:00:05:02 dev bridge nud permanent
END
check "attach bridge" "$WEIR" -n "$producers" attach bridge egress qdisc keep
check "attach port" "$WEIR" -n "$producers" attach port egress qdisc keep
for name in near far; do
	min=8mbit dev=port
	[ $name = near ] || min=4mbit dev=bridge
	check "class $name" "$WEIR" -n "$producers" class set $name rate 40mbit min $min max 40mbit \
		control $name target 10ms law aimd
	check "match $name" "$WEIR" -n "$producers" match add $name dev $dev proto tcp dport 7001
done
cc=cubic
can_cc $cc || cc=reno
"$TRAFFIC" run tcp from "$producers" to "$router" addr 10.88.5.2 port 7001 cc $cc n 2 stop 390s \
	> "$tmp/out" &
pids+=($!)

# are_at NEAR FAR NEAR_MBIT FAR_MBIT: both signals are told again and again
are_at()
{
	"$WEIR" -n "$producers" signal near "$1ms" ttl 10s
	"$WEIR" -n "$producers" signal far "$2ms" ttl 10s
	is_signal near ".rate_bps == ${3}000000" && is_signal far ".rate_bps == ${4}000000"
}

# wins WHAT MBIT: on the wire
wins() { is_carried "$1" "$router" west5 500000 $(($2 * 750000)) $(($2 * 1150000)); }
until_ok "the network is behind" are_at 40 0 8 40
wins "the network's rate is the smaller one" 8
until_ok "the consumer, too" are_at 40 40 8 4
wins "the consumer's rate is the smaller one" 4
is_equal "dropped" "$(class "$producers" near dropped) $(class "$producers" far dropped)" "0 0"
finish
