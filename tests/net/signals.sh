#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# signals.sh: what the kernel tells of a class's senders moves its rate: CE that a device behind
# sets, loss and round trips behind a tbf (pressure.sh has the stalls). Above its target each lowers
# its class's rate, with its reason; gone, the rate comes back; silent, it is held and then the
# configured one. Nothing is asserted of how long that takes, but that it happens.
#
#     producer (weir, eth egress) ---- router (each way out has its limit) ==== consumer
. "$(dirname "$0")/lib.sh"

need ip jq tc
netns producer router consumer
link "$producer" eth "$router" west 1
forward "$router"
names=(ce loss rtt)
for k in 2 3 4; do
	link "$router" "east$k" "$consumer" "eth$k" $k
	ip -n "$producer" route add "10.88.$k.0/24" via 10.88.1.2
	ip -n "$consumer" route add 10.88.1.0/24 via "10.88.$k.1" metric $k
done
# an answer may come by another way than the question
ip netns exec "$consumer" sh -c 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done'
ip netns exec "$router" sh -c 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done'
cc=cubic
can_cc $cc || cc=reno

. "$(dirname "$0")/moved.sh"

# --- limits behind weir: one marks, one loses, one queues, one is none
check "router: attach" "$WEIR" -n "$router" attach east2 egress
check "router: class" "$WEIR" -n "$router" class set narrow rate 10mbit action police
check "router: match" "$WEIR" -n "$router" match add narrow proto tcp dport 7002
tbf=(tc -n "$router" qdisc replace dev)
"${tbf[@]}" east3 root tbf rate 10mbit burst 15k limit 15k || skip_all "no tbf here"
"${tbf[@]}" east4 root tbf rate 10mbit burst 15k limit 1mb

declare -A targets=([ce]=1000000 [loss]=1000000 [rtt]=30000000)
check "attach" "$WEIR" -n "$producer" attach eth egress qdisc keep
flows=()
for k in 2 3 4; do
	name=${names[$((k - 2))]}
	words=($name)
	[ $name != rtt ] || words+=(target 30ms)
	check "class $name" "$WEIR" -n "$producer" class set "$name" rate 40mbit min 4mbit max 60mbit \
		control "${words[@]}"
	check "match $name" "$WEIR" -n "$producer" match add "$name" proto tcp dport 700$k
	flows+=(tcp from "$producer" to "$consumer" addr "10.88.$k.2" port 700$k cc $cc n 4 stop 390s
		ecn on)
done
agent "$producer"
for name in "${names[@]}"; do
	until_ok "nothing is heard yet" "$name" said "class $name .* reason (waiting|idle): "
done
"$TRAFFIC" run "${flows[@]}" > "$tmp/out" &
load=$!
pids+=($load)

# --- above its target: slower
for name in "${names[@]}"; do
	until_ok "above its target, at less than half of the configured rate" "$name" is_lowered "$name"
	until_ok "says why" "$name" said \
		"class $name rate .* signal \"$name[^\"]*\" value [0-9].* reason behind: the signal is above"
	is_equal "$name: state" "$(class "$producer" "$name" state)" agent
done

# --- gone: back, up to the maximum
"$WEIR" -n "$router" class set narrow rate 1gbit
"${tbf[@]}" east3 root tbf rate 1gbit burst 100k limit 1mb
"${tbf[@]}" east4 root tbf rate 1gbit burst 100k limit 1mb
for name in "${names[@]}"; do
	until_ok "gone: the rate comes back" "$name" is_back "$name"
	until_ok "and says so" "$name" said "class $name rate .* reason probe.*: the signal is clear"
	until_ok "and is at its maximum" "$name" is_reason "$name" maximum
done

# --- silent: held, then the configured rate
kill "$load"
wait "$load" 2> /dev/null
for name in "${names[@]}"; do
	until_ok "silent: held first" "$name" said "class $name rate ([0-9a-z.]+) -> \\1 .* reason stale"
	until_ok "then the configured rate" "$name" is_reason "$name" expired
	is_equal "$name: state" "$(class "$producer" "$name" state)" configured
done
finish
