#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# xfrm.sh: what IPsec packs and unpacks on a device of its own: each packet is charged inside of the
# tunnel, when it leaves and when it arrives, IPv4 and IPv6. Counts alone: no rate is measured.
#
#     producer (weir on x0, egress) ==== ESP ==== consumer (weir on x0, ingress)
. "$(dirname "$0")/../net/lib.sh"

need ip jq
modprobe -a xfrm_interface esp4 esp6 2> /dev/null || true
netns producer consumer
link "$producer" eth "$consumer" eth 1
ip -n "$producer" link add x0 type xfrm dev eth if_id 7 2> /dev/null || skip_all "no xfrm here"

key=0x$(printf '%02x' {1..32})
# sa NETNS FROM TO SPI; policy NETNS DIRECTION ANY FROM TO
sa()
{
	ip -n "$1" xfrm state add src "$2" dst "$3" proto esp spi "$4" reqid 7 mode tunnel if_id 7 \
		enc 'ecb(cipher_null)' '' auth 'hmac(sha256)' "$key"
}
policy()
{
	ip -n "$1" xfrm policy add dir "$2" src "$3" dst "$3" if_id 7 \
		tmpl src "$4" dst "$5" proto esp reqid 7 mode tunnel
}
n=1
for ns in "$producer" "$consumer"; do
	for net in 0.0.0.0/0@10.88.1. ::/0@fd88:1::; do
		any=${net%@*} net=${net#*@}
		{ sa "$ns" "${net}1" "${net}2" 1 && sa "$ns" "${net}2" "${net}1" 2; } || skip_all "no ESP here"
		policy "$ns" out "$any" "$net$n" "$net$((3 - n))"
		policy "$ns" in "$any" "$net$((3 - n))" "$net$n"
	done
	ip -n "$ns" link show x0 > /dev/null 2>&1 || ip -n "$ns" link add x0 type xfrm dev eth if_id 7
	ip -n "$ns" -batch - <<-END
		addr add 10.99.0.$n/24 dev x0
		addr add fd99::$n/64 dev x0 nodad
		link set x0 mtu 1400 up
	END
	n=2
done
check "attach: leaves" "$WEIR" -n "$producer" attach x0 egress qdisc keep
check "attach: arrives" "$WEIR" -n "$consumer" attach x0 ingress
for ns in "$producer" "$consumer"; do
	is_equal "packets begin with the IP header" \
		"$("$WEIR" -n "$ns" -j show devices | jq '.[0].l3')" true
	check "class" "$WEIR" -n "$ns" class set inside flow-rate 2mbit action police
	check "match" "$WEIR" -n "$ns" match add inside proto udp dport 7000
done
check "what leaves is counted alone" "$WEIR" -n "$producer" class set inside action observe
for addr in 10.99.0.2 fd99::2; do
	before=$(class "$producer" inside packets) arrived=$(class "$consumer" inside packets)
	dropped=$(class "$consumer" inside dropped)
	traffic "$tmp/out" udp from "$producer" to "$consumer" addr "$addr" port 7000 size 500 \
		rate 4mbit stop 2s name udp
	sent=$(flow "$tmp/out" udp sent)
	is_equal "$addr: all that leaves is of the class" \
		$(($(class "$producer" inside packets) - before)) "$sent"
	is_equal "$addr: all that arrives is" $(($(class "$consumer" inside packets) - arrived)) "$sent"
	dropped=$(($(class "$consumer" inside dropped) - dropped))
	# 4 mbit are 2,000 of them; a guest without a CPU sends fewer than the rate has room for
	if [ "$sent" -ge 1500 ]; then
		is_least "$addr: what is above its rate is dropped" "$dropped" 100
	else
		skip "$addr: what is above its rate is dropped" "only $sent were sent"
	fi
	is_equal "$addr: the rest is delivered" "$(flow "$tmp/out" udp received)" $((sent - dropped))
	is_equal "$addr: by its own addresses" "$("$WEIR" -n "$consumer" -j show flows dst "$addr" \
		proto udp dport 7000 | jq -r '.[0].class')" inside
done
check "detach" "$WEIR" -n "$producer" detach all
check "detach" "$WEIR" -n "$consumer" detach all
finish
