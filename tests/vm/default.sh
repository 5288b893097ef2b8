#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# default.sh: of the timing lane (virtual time): fq is the kernel's default qdisc, or another's. It
# drops of a flow what waits beyond 100 packets, and weir cannot count that: it puts its own in the
# place of a default, and says what another's does.
#
#     producer ---- router (weir on top, egress, gretap) ==== consumer
. "$(dirname "$0")/lab.sh"

modprobe -a sch_fq ip_gre ifb 2> /dev/null || true
lab eth near
weir=("$WEIR" -n "$router")
was=$(< /proc/sys/net/core/default_qdisc)
echo fq > /proc/sys/net/core/default_qdisc
self=1 other=2
for ns in "$router" "$consumer"; do
	ip -n "$ns" -batch - <<-END || skip_all "no gretap here"
		link add top type gretap local 10.88.2.$self remote 10.88.2.$other
		addr add 10.99.1.$self/24 dev top
		link set top up
	END
	self=2 other=1
done
ip -n "$router" link add queues numtxqueues 4 up type ifb
ip -n "$producer" route add 10.99.1.0/24 via 10.88.1.2

qdiscs() { tc -n "$router" qdisc show dev "${1:-top}"; }
fqs() { qdiscs "$1" | grep -c "^qdisc fq .* flow_limit $2p "; }
is_fqs() { [ "$(fqs "$1" "$2")" = "$3" ]; }

# passes WHAT WANT: half as much again as the rate is sent; what is received
passes()
{
	traffic "$tmp/out" after 1s udp from "$producer" to "$consumer" addr 10.99.1.2 port 7000 \
		size 1000 rate 75mbit stop 2s name udp
	is_within "$1: rate" "$(flow "$tmp/out" udp late_bps)" 50000000 1
	is_equal "$1: received and dropped are what was sent" $(($(flow "$tmp/out" udp received) +
		$(class "$router" default dropped))) "$(flow "$tmp/out" udp sent)"
}

for dev in top queues; do
	[ $dev = top ] && n=1 || n=4
	before=$(qdiscs $dev)
	is_equal "$dev: the default" "$(fqs $dev 100)" $n
	check "$dev: attach" "${weir[@]}" attach $dev egress
	is_equal "$dev: weir's own" "$(fqs $dev 20000)" $n
	if [ $dev = top ]; then
		check "class" "${weir[@]}" class set default flow-rate 50mbit
		passes "a default"
		agent "$router"
		tc -n "$router" qdisc del dev top root
		check "run: the default is there again, and weir's is put back" \
			wait_until 10 is_fqs top 20000 1
		last_ends
	fi
	check "$dev: detach" "${weir[@]}" detach $dev
	is_equal "$dev: as before" "$(qdiscs $dev)" "$before"
done

tc -n "$router" qdisc replace dev top root fq
before=$(qdiscs)
is_equal "another's: attach, and what it drops is said" "$("${weir[@]}" attach top egress 2>&1)" \
	"weir: top: the fq there drops of each flow what waits beyond its flow_limit of 100, and is\
 left as it is: want 20000, and a limit of 100000"
is_equal "another's: left as it is" "$(qdiscs)" "$before"
tc -n "$router" qdisc replace dev top root fq limit 100000 flow_limit 20000
check "another's that is large: detach" "${weir[@]}" detach top
is_equal "another's that is large: nothing is said" "$("${weir[@]}" attach top egress 2>&1)" ""
check "detach" "${weir[@]}" detach all
echo "$was" > /proc/sys/net/core/default_qdisc
finish
