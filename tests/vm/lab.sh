# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# lab.sh: what the tests in virtual time share: three namespaces and two ways, and mixed traffic.
# Owns nothing beyond what tests/net/lib.sh cleans up.
#
#     producer ---- router ---- consumer
#        \-----------------------/
. "$(dirname "${BASH_SOURCE[0]}")/../net/lib.sh"

# lab FAR NEAR: producer's eth to the router's in, its out to the consumer's FAR; near to NEAR
lab()
{
	need ip tc jq
	netns producer router consumer
	link "$producer" eth "$router" in 1
	link "$router" out "$consumer" "$1" 2
	link "$producer" near "$consumer" "$2" 3
	forward "$router"
	ip -n "$producer" route add 10.88.2.0/24 via 10.88.1.2
	ip -n "$consumer" route add 10.88.1.0/24 via 10.88.2.1
}

# mix N START STOP PORT RATE: Reno, Cubic and BBR, and from 4 on a UDP flood, into words
mix()
{
	local n=$(($1 / 4)) port=$4 cc kind

	[ $n != 0 ] || n=1
	for cc in reno cubic bbr udp; do
		kind="tcp cc $cc"
		if [ $cc = udp ]; then
			[ "$1" != 3 ] || continue
			kind="udp size 1000 rate $5"
		fi
		# shellcheck disable=SC2206 # words
		words+=($kind from "$producer" to "$consumer" addr $addr port $port n $n ecn $ecn
			start "$2" stop "$3" name "$cc$4" group all)
		port=$((port + 1))
	done
}
