# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# lab.sh: what the tests in virtual time share: three namespaces and two ways, and a machine that
# has read its files. Owns nothing beyond what tests/net/lib.sh cleans up.
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

# the guest's clock leaps while a file is read for the first time
warm_up()
{
	"$WEIR" version && "$TRAFFIC" cc cubic && jq -n 1 && awk 'BEGIN {}'
	"$TRAFFIC" run udp from "$producer" to "$consumer" addr 10.88.3.2 port 1 rate 1mbit \
		packets 1 stop 1s
} > /dev/null
