#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# inner.sh: flows inside tunnels. A class with `inner on` caps each flow inside, one without it the
# tunnel as a whole; bytes are those of the wire, segment by segment; fragments belong to the flow
# of their first. Tunnels that this kernel does not have are skipped.
#
#     producer (weir on eth, egress) ---- consumer      tunnel k: 10.99.k.0/24, fd99:k::/64
. "$(dirname "$0")/lib.sh"

need ip jq
netns producer consumer
link "$producer" eth "$consumer" eth 1
kinds=()
declare -A address

# tunnel K NAME DEV TYPE: the same words at both ends; L and R stand for their addresses
tunnel()
{
	local k=$1 name=$2 self=1 other=2 ns words

	for ns in "$producer" "$consumer"; do
		words=${4//L/10.88.1.$self} words=${words//R/10.88.1.$other}
		words=${words//M/fd88:1::$self} words=${words//S/fd88:1::$other}
		# shellcheck disable=SC2086 # words
		ip -n "$ns" link add "$3" type $words 2> "$tmp/why" || {
			skip "$name" "no such device in this kernel: $(head -n 1 "$tmp/why")"
			return 1
		}
		ip -n "$ns" link set "$3" addrgenmode none	# asks for no router
		ip -n "$ns" addr add 10.99.$k.$self/24 dev "$3"
		ip -n "$ns" addr add fd99:$k::$self/64 dev "$3" nodad
		ip -n "$ns" link set "$3" up
		self=2 other=1
	done
	known "$producer" "$3" "$consumer" "$k" 2
	known "$consumer" "$3" "$producer" "$k" 1
	kinds+=("$name")
}

# known NS DEV OTHER-NS K HOST: no ARP inside of a tunnel that carries Ethernet
known()
{
	local mac

	mac=$(ip -n "$3" -j link show "$2" | jq -r '.[0] | select(.link_type == "ether") | .address')
	[ -z "$mac" ] || ip -n "$1" -batch - <<-END
		neigh replace 10.99.$4.$5 lladdr $mac dev $2 nud permanent
		neigh replace fd99:$4::$5 lladdr $mac dev $2 nud permanent
	END
}

# two flows of a tunnel: flows K NAME [ADDR]
add_flows()
{
	address[$2]=${3:-10.99.$1.2}
	flows+=(tcp from "$producer" to "$consumer" addr "${address[$2]}" port 500$1 n 2
		stop "${SECONDS_RUN}s" name "$2" group "$2")
}

# bytes that eth has sent and weir has not seen, once two looks agree, into `unseen`
uncounted()
{
	local last=${unseen-}

	unseen=$(($(ip -n "$producer" -s -j link show eth | jq '.[0].stats64.tx.bytes') -
		$("$WEIR" -n "$producer" -j show classes | jq '[.[].bytes] | add')))
	[ "$last" = $unseen ]
}

inner_flows()
{
	"$WEIR" -n "$producer" -j show flows | jq -c --arg c "$1" '[.[] | select(.class == $c)]'
}

flows=()
# one source port, so that the tunnel is one flow outside
vxlan="vxlan udpcsum dstport 4789 srcport 40000 40001"
tunnel 1 vxlan ov1 "$vxlan id 42 local L remote R" && add_flows 1 vxlan
tunnel 2 vxlan6 ov2 "$vxlan id 43 local M remote S" && add_flows 2 vxlan6 fd99:2::2
tunnel 3 geneve ov3 "geneve id 44 remote R" && add_flows 3 geneve
tunnel 4 gre ov4 "gre local L remote R key 45 csum" && add_flows 4 gre
tunnel 5 ipip ov5 "ipip local L remote R" && add_flows 5 ipip
tunnel 6 sit ov6 "sit local L remote R" && add_flows 6 sit fd99:6::2
tunnel 7 ip6tnl ov7 "ip6tnl mode any local M remote S" && add_flows 7 ip6tnl

check "attach" "$WEIR" -n "$producer" attach eth egress
wait_until 20 uncounted || not_ok "a quiet moment before the traffic"
before=$unseen
declare -A match=([vxlan]="proto udp dport 4789 dst 10.88.1.2" [ipip]="proto 4 dst 10.88.1.2"
	[vxlan6]="proto udp dport 4789 dst fd88:1::2" [geneve]="proto udp dport 6081"
	[gre]="proto gre" [sit]="proto 41 dst 10.88.1.2" [ip6tnl]="proto 4,41 dst fd88:1::2")
for kind in "${kinds[@]}"; do
	check "class $kind" "$WEIR" -n "$producer" class set "$kind" flow-rate 10mbit inner on
	# shellcheck disable=SC2086 # words
	check "match $kind" "$WEIR" -n "$producer" match add "$kind" ${match[$kind]}
done
# a datagram of three fragments, outside and inside of a tunnel
check "class big" "$WEIR" -n "$producer" class set big flow-rate 10mbit
check "match big" "$WEIR" -n "$producer" match add big proto udp dport 7000
udp=(udp from "$producer" to "$consumer" rate 2mbit size 4000 stop 2s)
flows+=("${udp[@]}" addr 10.88.1.2 port 7000 name big4
	"${udp[@]}" addr fd88:1::2 port 7000 name big6
	"${udp[@]}" addr 10.99.1.2 port 7001 name inside)
# every packet of many segments is cut at eth, after weir and before it is counted there
ip -n "$producer" link set eth gso_max_segs 1
traffic "$tmp/out" after 1s "${flows[@]}"

wait_until 20 uncounted || not_ok "a quiet moment after the traffic"
is_equal "bytes on the wire that weir did not count" "$((unseen - before))" 0
declare -A overhead=([vxlan]=50 [vxlan6]=70 [geneve]=50 [gre]=32 [ipip]=20 [sit]=20 [ip6tnl]=40)
declare -A id=([vxlan]=42 [vxlan6]=43 [geneve]=44 [gre]=45)
for kind in "${kinds[@]}"; do
	# what the receiver can see of the wire: all but the tunnel's own headers
	want=$((10000000 * (1514 - overhead[$kind]) / 1514))
	for n in 0 1; do
		rate=$(flow "$tmp/out" "$kind/$n" late_bps)
		is_rate "$kind: flow $n has a rate of its own" "$rate" "$want" 3 "$tmp/out" \
			"$SECONDS_RUN"
	done
	inner_flows "$kind" > "$tmp/flows"
	is_equal "$kind: TCP flows inside" \
		"$(jq '[.[] | select(.inner and .proto == "tcp")] | length' "$tmp/flows")" 2
	is_equal "$kind: the tunnel's number" "$(jq '.[0].tunnel' "$tmp/flows")" "${id[$kind]:-0}"
	# but for what was sent before the class was there
	is_most "$kind: packets of the tunnel's own flow" \
		"$(jq '[.[] | select(.inner | not) | .packets] | add // 0' "$tmp/flows")" 9
	is_equal "$kind: dropped" "$(class "$producer" "$kind" dropped)" 0
done

is_equal "big: one flow of each family" \
	"$(inner_flows big | jq -c '[length, ([.[] | select(.dport == 7000)] | length)]')" "[2,2]"
is_equal "big: three packets for each datagram" "$(class "$producer" big packets)" \
	$((3 * ($(flow "$tmp/out" big4 sent) + $(flow "$tmp/out" big6 sent))))
is_equal "inside: one flow" "$(inner_flows vxlan |
	jq -c '[.[] | select(.inner and .proto == "udp") | [.dport, .fragment]]')" "[[7001,false]]"
text=$("$WEIR" -n "$producer" show flows class vxlan proto tcp)
is_equal "for people: the tunnel behind the protocol" "$(grep -c ' tcp/42 ' <<< "$text")" 2

# RFC 6040: a mark on the outer header is one on the packet that comes out, and none is lost to a
# wrong checksum; GRE and the UDP of both VXLANs have one. ECT(0) is marked once for each rise of
# the phantom queue, whoever answers; ECT(1) by its depth
flows=()
declare -A marked code=([ect0]=2 [ect1]=1)
for kind in "${kinds[@]}"; do
	check "class $kind polices" "$WEIR" -n "$producer" class set "$kind" action police \
		flow-rate 5mbit mark-at 1ms
	marked[$kind]=$(class "$producer" "$kind" marked)
	for ect in ect0 ect1; do
		flows+=(udp from "$producer" to "$consumer" addr "${address[$kind]}" size 1000
			port 700${code[$ect]} tos ${code[$ect]} rate 8mbit stop 3s
			name "$kind-$ect")
	done
done
traffic "$tmp/out" "${flows[@]}"
for kind in "${kinds[@]}"; do
	marked[$kind]=$(($(class "$producer" "$kind" marked) - marked[$kind]))
	is_least "$kind: marked" "${marked[$kind]}" 50
	ect0=$(flow "$tmp/out" "$kind-ect0" received_ce)
	is_least "$kind: ECT(0), packets that came out with CE" "$ect0" 10
	is_equal "$kind: packets that came out with CE" \
		$((ect0 + $(flow "$tmp/out" "$kind-ect1" received_ce))) "${marked[$kind]}"
	sent=0 received=0
	for ect in ect0 ect1; do
		sent=$((sent + $(flow "$tmp/out" "$kind-$ect" sent)))
		received=$((received + $(flow "$tmp/out" "$kind-$ect" received)))
	done
	is_equal "$kind: received + dropped = sent" \
		$((received + $(class "$producer" "$kind" dropped))) "$sent"
done

# the same tunnel as one flow
check "class vxlan inner off" "$WEIR" -n "$producer" class set vxlan inner off \
	flow-rate 10mbit
flows=()
add_flows 1 vxlan
traffic "$tmp/out" after 1s "${flows[@]}"
is_most "inner off: both flows share one rate" "$(group "$tmp/out" vxlan late_bps)" 10300000

finish
