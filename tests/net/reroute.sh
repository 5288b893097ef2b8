#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# reroute.sh: a connection whose route moves to another device is not paced any more by the class of
# the device that it left: neither where its new class has no rate, nor where there is no hook.
#
#     producer (weir on eth and spare, egress; not on plain) ==== consumer
. "$(dirname "$0")/lib.sh"

need ip jq
netns producer consumer
link "$producer" eth "$consumer" eth 1
link "$producer" spare "$consumer" spare 2
link "$producer" plain "$consumer" plain 3
for dev in all eth spare plain; do
	ip netns exec "$consumer" sh -c "echo 0 > /proc/sys/net/ipv4/conf/$dev/rp_filter"
done
weir=("$WEIR" -n "$producer")
check "attach" "${weir[@]}" attach eth egress qdisc keep
check "attach" "${weir[@]}" attach spare egress qdisc keep
check "class" "${weir[@]}" class set slow rate 2mbit
check "match" "${weir[@]}" match add slow dev eth
"$TRAFFIC" run tcp from "$producer" to "$consumer" addr 10.88.1.2 port 7000 cc reno stop 390s \
	> "$tmp/out" &
pids+=($!)

# by DEV NET: the connection's packets leave there
by() { ip -n "$producer" route replace 10.88.1.2/32 via "10.88.$2.2" dev "$1"; }
arrived() { ip -n "$consumer" -s -j link show dev "$1" | jq '.[0].stats64.rx.bytes'; }
# a second of the old rate is 250 kB
is_free() { [ $(($(arrived "$1") - before)) -gt 8000000 ]; }
# ... until it is known that nobody asks for it any more
for way in "spare 2" "plain 3"; do
	read -r dev net <<< "$way"
	is_carried "eth: paced" "$consumer" eth 500000 1500000 2600000
	before=$(arrived "$dev") since=$SECONDS
	check "to $dev" by "$dev" "$net"
	check "$dev: not paced by the class of eth" wait_until 5 is_free "$dev"
	note "$((SECONDS - since)) s"
	check "back to eth" ip -n "$producer" route del 10.88.1.2/32 dev "$dev"
	slowed() { carried "$consumer" eth 500000 && [ "$most" -lt 2600000 ]; }
	wait_until 5 slowed
done
finish
