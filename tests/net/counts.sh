#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# counts.sh: packets and bytes of a class that has both hooks are those of the device itself, of
# what is sent to one, to all and to a group, of both families, whole and in fragments.
#
#     here (weir on eth, both hooks) ---- there
. "$(dirname "$0")/lib.sh"

need ip jq python3
netns here there
for ns in "$here" "$there"; do
	# nobody else says anything
	ip netns exec "$ns" sh -c 'echo 0 > /proc/sys/net/ipv6/conf/default/router_solicitations'
done
link "$here" eth "$there" eth 1
ip -n "$here" addr change 10.88.1.1/24 brd + dev eth
check "attach" "$WEIR" -n "$here" attach eth qdisc keep

# both FIELD: what the device has counted, and what the class has
both()
{
	echo "$(ip -n "$here" -s -j link show dev eth | jq ".[0].stats64 | .tx.$1 + .rx.$1")" \
		"$(class "$here" default "$1")"
}

# apart: by how much packets and bytes of device and class differ
apart()
{
	echo "$(both packets) $(both bytes)" | awk '{ print $1 - $2, $3 - $4 }'
}

# a packet may come between the looks: they are of one moment when they agree
is_apart() { [ "$(apart)" = "$1" ]; }
is_steady() { before=$(apart) && is_apart "$before"; }

quiet()
{
	local before

	before=$(both packets)
	read -rt 0.2 -u "$never" || true
	[ "$before" = "$(both packets)" ]
}

# sends WHAT NETNS ADDRESS COUNT BYTES: so many datagrams
sends()
{
	local from before

	wait_until 10 quiet
	wait_until 10 is_steady
	from=$(class "$here" default packets)
	ip netns exec "$2" python3 - "$3" "$4" "$5" <<- 'END' || not_ok "$1: sent"
		import socket, sys
		address, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
		s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
		to = socket.getaddrinfo(address, 9, type=socket.SOCK_DGRAM)[0][4]
		for i in range(count):
		    s.sendto(bytes(size), to)
	END
	wait_until 10 quiet
	is_least "$1: packets" "$(($(class "$here" default packets) - from))" "$4"
	if wait_until 10 is_apart "$before"; then
		ok "$1: device and class differ by no more than before"
	else
		not_ok "$1: device and class differ" "by $(apart), where it was by $before"
	fi
}

for each in "out $here 2" "in $there 1"; do
	read -r way ns peer <<< "$each"
	sends "$way, to one" "$ns" 10.88.1.$peer 20 100
	sends "$way, in fragments" "$ns" 10.88.1.$peer 20 5000
	sends "$way, IPv6" "$ns" fd88:1::$peer 20 100
	sends "$way, IPv6 in fragments" "$ns" fd88:1::$peer 20 5000
	sends "$way, to all" "$ns" 10.88.1.255 20 100
	sends "$way, to a group" "$ns" ff02::1%eth 20 100
done
is_equal "what was read as no IP" \
	"$("$WEIR" -n "$here" -j show reasons | jq '.[] | select(.reason == "not-ip").packets')" 0
finish
