#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ingress.sh: of the timing lane (virtual time): what arrives is queued in the ifb: rates, gaps, no
# loss for TCP, by each way to attach; packets with a VLAN tag, and packets that are forwarded.
#
#     producer ---- router (weir on in, ingress) ---- consumer (weir on eth, ingress)
. "$(dirname "$0")/lab.sh"

SECONDS_RUN=${WEIR_TEST_SECONDS:-5}
modprobe -a sch_fq ifb act_mirred cls_bpf 8021q 2> /dev/null || true
lab far eth

vias=(clsact)
[ "$("$WEIR" -j check | jq '.[] | select(.check == "tcx") | .available')" != true ] || vias+=(tcx)
is_equal "what arrives can be delayed" \
	"$("$WEIR" -j check | jq '.[] | select(.check == "means-edt-in") | .available')" true

weir=("$WEIR" -n "$consumer")
for via in "${vias[@]}"; do
	check "$via: attach" "${weir[@]}" attach eth ingress via "$via"
	is_equal "$via: departure times are kept" \
		"$("${weir[@]}" -j show devices | jq '.[0].edt')" true
	# at 10 mbit a window makes a queue of more than drop-at; early drops tell those without ECN
	for mbit in 10 100; do
		class=$via$mbit port=$((7000 + mbit))
		check "$class: class" "${weir[@]}" class set "$class" flow-rate "${mbit}mbit"
		check "$class: match" "${weir[@]}" match add "$class" hook ingress dport $port
		for cc in reno cubic bbr; do
			can_cc $cc || continue
			addr=10.88.3.2
			[ $cc != cubic ] || addr=fd88:3::2
			# one of some 50 of BBR ends its start with a time-out in the second
			# second: 98.0 % of 10 mbit, all others 99.7 and more, as Cubic and Reno
			for try in 1 2; do
				traffic "$tmp/tcp" arrivals on after 1s tcp from "$producer" \
					to "$consumer" addr $addr port $port cc $cc name $cc \
					stop "$((mbit == 10 ? 20 : 5))s"
				bps=$(flow "$tmp/tcp" $cc late_bps)
				[ $cc$try = bbr1 ] && [ "$bps" -lt $((mbit * 995000)) ] || break
				note "$class: $cc: once more, it had $bps"
			done
			is_within "$class: $cc" "$bps" "${mbit}000000" 0.5
			[ $mbit = 10 ] || is_equal "$class: $cc: retransmissions" \
				"$(flow "$tmp/tcp" $cc retrans)" 0
			note "$class: $cc: first second $(flow "$tmp/tcp" $cc first_second_bps)," \
				"again $(flow "$tmp/tcp" $cc retrans)," \
				"rtt $(flow "$tmp/tcp" $cc rtt_us) us"
		done
		[ $mbit = 10 ] || is_equal "$class: dropped of TCP" \
			"$(class "$consumer" "$class" dropped)" 0
		# half as much again as the rate: the horizon drops what stands longer than 200 ms
		traffic "$tmp/udp" after 1s udp from "$producer" to "$consumer" addr 10.88.3.2 \
			port $port size 1000 rate $((mbit * 3 / 2))mbit gaps on \
			stop "$((mbit == 10 ? SECONDS_RUN : 3))s" name udp
		is_within "$class: udp" "$(flow "$tmp/udp" udp late_bps)" "${mbit}000000" 0.5
		# beside fq's timer the ifb hands on what is due in one go
		for p in 5 50 95; do
			is_within "$class: udp: gap p$p" "$(flow "$tmp/udp" udp gap_p${p}_us)" \
				"$(awk -v r=$mbit 'BEGIN { printf "%.1f", 1042 * 8 / r }')" \
				$((p == 50 ? 2 : 40))
		done
	done
	before=$(class "$consumer" ${via}10 dropped)
	traffic "$tmp/tcp" after 1s tcp from "$producer" to "$consumer" addr 10.88.3.2 port 7010 \
		cc cubic ecn on stop 20s name ecn
	is_within "$via: cubic with ECN at 10 mbit" "$(flow "$tmp/tcp" ecn late_bps)" 10000000 1
	is_equal "$via: cubic with ECN: retransmissions" "$(flow "$tmp/tcp" ecn retrans)" 0
	is_equal "$via: cubic with ECN: dropped" "$(class "$consumer" ${via}10 dropped)" "$before"
	is_least "$via: cubic with ECN: marked" "$(class "$consumer" ${via}10 marked)" 1
	check "$via: detach" "${weir[@]}" detach all
	is_equal "$via: no ifb is left" "$(ip -n "$consumer" -o link show type ifb)" ""
done

# --- forwarded: the departure that was kept at ingress does not hold up fq at egress
weir=("$WEIR" -n "$router")
check "router: attach" "${weir[@]}" attach in ingress
tc -n "$router" qdisc replace dev out root fq
check "router: class" "${weir[@]}" class set default flow-rate 100mbit drop-at 5s
for proto in "tcp cc cubic" "udp size 1000 rate 130mbit"; do
	read -r name rest <<< "$proto"
	# shellcheck disable=SC2086 # words
	traffic "$tmp/out" after 1s $name $rest from "$producer" to "$consumer" addr 10.88.2.2 \
		port 7001 stop 3s name "$name"
	is_within "forwarded $name" "$(flow "$tmp/out" "$name" late_bps)" 100000000 1
done

# --- VLAN tags: one, which travels in the metadata, and a second one in the frame, with which the
# kernel takes no departure time: policed
for end in "$producer eth 1" "$router in 2"; do
	read -r ns dev n <<< "$end"
	ip -n "$ns" -batch - <<-END
		link add tag1 link $dev type vlan id 5
		link add tag2 link tag1 type vlan id 6
		addr add 10.88.8.$n/24 dev tag1
		addr add 10.88.9.$n/24 dev tag2
		link set tag1 up
		link set tag2 up
	END
done
# a class of its own: neighbour messages have one tag, and two at once wait, too
check "tags: class" "${weir[@]}" class set tagged flow-rate 100mbit drop-at 5s
check "tags: match" "${weir[@]}" match add tagged proto udp dport 7002
for tags in 1 2; do
	before=$(class "$router" tagged delayed)
	traffic "$tmp/tags" after 1s udp from "$producer" to "$router" addr 10.88.$((7 + tags)).2 \
		port 7002 size 1000 rate 130mbit stop 3s name udp
	# a tag is four bytes on the wire, which the receiver's count does not have
	is_within "tags: $tags" "$(flow "$tmp/tags" udp late_bps)" \
		$((100000000 * 1042 / (1042 + 4 * tags))) 1
	compare "tags: $tags: delayed" "t == 1 ? v > 10000 : v == 0" \
		"$(($(class "$router" tagged delayed) - before))" $tags "all with one, none with two"
done
check "router: detach" "${weir[@]}" detach all
finish
