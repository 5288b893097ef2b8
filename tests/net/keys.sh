#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# keys.sh: a class's key changed under traffic: flow, src/24, dst, dscp, class. Each key gives its
# own shares on the wire from the next packet on; packets that fit the rate are never lost by a
# change, and every counter goes on. IPv4 and IPv6. And packets of a flow that are of two classes.
#
#     producer (weir on eth, egress) ---- consumer
. "$(dirname "$0")/lib.sh"

need ip jq python3
netns producer consumer
link "$producer" eth "$consumer" eth 1
weir=("$WEIR" -n "$producer")
# two sources of a /24 and one of another (IPv6: of a /64), two destinations
for i in 11 12; do
	ip -n "$producer" addr add 10.88.1.$i/24 dev eth
	ip -n "$producer" addr add fd88:1::$i/64 dev eth nodad
done
ip -n "$producer" addr add 10.88.77.1/24 dev eth
ip -n "$producer" addr add fd88:77::1/64 dev eth nodad
ip -n "$consumer" -batch - <<-END
	addr add 10.88.1.3/24 dev eth
	addr add fd88:1::3/64 dev eth nodad
	route add 10.88.77.0/24 dev eth
	route add fd88:77::/64 dev eth
END
ip -n "$producer" neigh replace 10.88.1.3 lladdr 02:00:00:00:01:02 dev eth nud permanent
ip -n "$producer" neigh replace fd88:1::3 lladdr 02:00:00:00:01:02 dev eth nud permanent

check "attach" "${weir[@]}" attach eth egress qdisc keep
check "class" "${weir[@]}" class set k flow-rate 4mbit burst 20ms action police
check "match" "${weir[@]}" match add k proto udp dport 7000

# Four flows: two sources of one net to one destination with one codepoint, one of another net to
# that one, and one of the first net to another destination with another codepoint. Each offers
# 6 mbit to a bucket of 4: so the number of buckets is what the total shows.
flows()
{
	local net=$1 other=$2

	echo "udp src ${net}11 addr ${net}2 tos 0 name a
		udp src ${net}12 addr ${net}2 tos 0 name b
		udp src ${other}1 addr ${net}2 tos 0 name c
		udp src ${net}11 addr ${net}3 tos 184 name d" |
		while read -r kind words; do
			echo "$kind from $producer to $consumer port 7000 size 1000 $words"
		done
}

declare -A buckets=([flow]=4 [src/24]=2 [dst]=2 [dscp]=2 [class]=1)
for net in "10.88.1. 10.88.77. 4" "fd88:1:: fd88:77:: 6"; do
	read -r near far family <<< "$net"
	mapfile -t lines < <(flows "$near" "$far")
	words=()
	for line in "${lines[@]}"; do
		# shellcheck disable=SC2206 # words
		words+=($line rate 6mbit stop 17s)
	done
	at=() t=1
	for per in src/24 dst dscp class flow; do
		at+=(at ${t}s exec "${weir[*]} class set k per $per")
		t=$((t + 3))
	done
	before=$(class "$producer" k packets) dropped=$(class "$producer" k dropped)
	traffic "$tmp/out" series on step 100ms "${at[@]}" "${words[@]}"

	# total FROM_NS TO_NS: of all flows, bit/s
	total()
	{
		jq -rs --argjson a "$1" --argjson b "$2" '[.[] | select(.type == "series")
			| .step_ns as $s | .wire_bytes[($a / $s | ceil):($b / $s | floor)]
			| add * 8e9 / $s / length] | add | round' "$tmp/out"
	}

	mapfile -t ends <<< "$(jq -r 'select(.type == "event") | .end_ns' "$tmp/out")"
	mapfile -t statuses <<< "$(jq -r 'select(.type == "event") | .status' "$tmp/out")"
	is_equal "IPv$family: every change was made" "${statuses[*]}" "0 0 0 0 0"
	t=0
	for per in src/24 dst dscp class flow; do
		# the burst that a new bucket starts with is gone within the first second
		is_rate "IPv$family: per $per" \
			"$(total $((ends[t] + 1000000000)) $((ends[t] + 1900000000)))" \
			$((buckets[$per] * 4000000)) 4 "$tmp/out" 17
		t=$((t + 1))
	done
	sent=$(jq -s '[.[] | select(.type == "flow") | .sent + .enobufs] | add' "$tmp/out")
	received=$(jq -s '[.[] | select(.type == "flow") | .received] | add' "$tmp/out")
	now=$(class "$producer" k packets)
	is_equal "IPv$family: every packet is counted" $((now - before)) "$sent"
	is_equal "IPv$family: passed and dropped are all" \
		$((received + $(class "$producer" k dropped) - dropped)) "$sent"
	is_equal "IPv$family: each flow's counter went on" "$("${weir[@]}" -j show flows |
		jq "[.[] | select(.family == $family and .class == \"k\") | .packets] | add")" \
		$((sent - 4))	# a flow's first packet makes no entry
done

# --- within the rate nothing is lost, however often the key changes
at=() t=100
for ((i = 0; i < 3; i++)); do
	for per in src/24 dst dscp class flow; do
		at+=(at ${t}ms exec "${weir[*]} class set k per $per")
		t=$((t + 200))
	done
done
check "a higher rate" "${weir[@]}" class set k flow-rate 100mbit
dropped=$(class "$producer" k dropped)
words=()
for line in "${lines[@]}"; do
	# shellcheck disable=SC2206 # words
	words+=($line rate 4mbit stop 4s)
done
traffic "$tmp/out" "${at[@]}" "${words[@]}"
is_equal "fifteen changes: made" \
	"$(jq -s '[.[] | select(.type == "event" and .status == 0)] | length' "$tmp/out")" 15
is_equal "fifteen changes: dropped" $(($(class "$producer" k dropped) - dropped)) 0
is_equal "fifteen changes: lost" \
	"$(jq -s '[.[] | select(.type == "flow") | .sent - .received] | add' "$tmp/out")" 0

# --- what a match asks of a packet may change within its flow: each packet is of its own class
check "a class of a codepoint" "${weir[@]}" class set voice
check "which is looked for first" "${weir[@]}" match add voice dscp ef pref 1
before=$(class "$producer" k packets)
check "60 packets of a flow, 20 of them with it" ip netns exec "$producer" python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n, tos in (10, 0), (20, 46 << 2), (30, 0):
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    for i in range(n): s.sendto(bytes(100), ('10.88.1.2', 7000))"
is_equal "are of its class" "$(class "$producer" voice packets)" 20
is_equal "the others are not" $(($(class "$producer" k packets) - before)) 40
check "detach" "${weir[@]}" detach all
finish
