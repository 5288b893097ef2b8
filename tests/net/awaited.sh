#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# awaited.sh: a device that is gone while an agent runs is waited for by its name: by the next
# agent, too, however the first one ended; and not any more once somebody has detached it meanwhile.
. "$(dirname "$0")/life.sh"

# by what attach has put on and, with another hook, by what nobody waits for
states() { "${weir[@]}" -j show devices | jq -c 'map([.dev, .hook, .state])'; }
has() { [ "$(states)" = "$1" ]; }
on_lo='["lo","ingress","attached"]'
on_eth='["eth","egress","attached"]'
both="[$on_lo,$on_eth,"'["eth","ingress","attached"]]'
n=0
is_gone() { [ "$(grep -c '^weir: eth: ingress: the device is gone' "$tmp/log")" = $n ]; }
goes()
{
	n=$(($(grep -c '^weir: eth: ingress: the device is gone' "$tmp/log") + 1))
	ip -n "$host" link del eth
	until_ok "the device goes" is_gone
}
comes() { link "$host" eth "$peer" eth 1; }
# in two passes over the devices the agent has seen whatever there was
passes()
{
	local name now=$1
	shift

	for name; do
		ip -n "$host" link set "$now" name "$name"
		until_ok "a pass" said "$now: egress: the device is called $name now"
		now=$name
	done
}

check "attach" "${weir[@]}" attach lo ingress qdisc keep
check "attach" "${weir[@]}" attach eth qdisc keep
start
for signal in TERM KILL; do
	goes
	ends $signal
	is_equal "nobody is shown what is waited for" "$(states)" "[$on_lo]"
	start
	comes
	until_ok "after SIG$signal the next agent puts it on" has "$both"
done
goes
check "detached while it is gone, on one hook" "${weir[@]}" detach eth ingress
comes
until_ok "the other is put on" has "[$on_lo,$on_eth]"

ip -n "$host" link add spare type veth peer name eraps
check "attach another" "${weir[@]}" attach spare egress qdisc keep
check "and the hook that was taken off" "${weir[@]}" attach eth ingress qdisc keep
goes
check "detached while it is gone" "${weir[@]}" detach eth
is_equal "once" "$("${weir[@]}" detach eth 2>&1)" "weir: eth: not attached"
comes
passes spare one two
is_equal "it is not put on again" "$(states)" "[$on_lo,"'["two","egress","attached"]]'

check "attach" "${weir[@]}" attach eth qdisc keep
goes
ends TERM
comes
check "attached where no agent runs" "${weir[@]}" attach eth egress qdisc keep
ip -n "$host" link del eth
check "and detached" "${weir[@]}" detach eth
start
comes
passes two three four
is_equal "what was put on by hand is not waited for" "$(states)" "[$on_lo,"'["four","egress","attached"]]'

# its number may be another's by then
check "attach" "${weir[@]}" attach eth qdisc keep
index=$(ip -n "$host" -j link show eth | jq '.[0].ifindex')
goes
ip -n "$host" link add same index "$index" type veth peer name emas
check "attach another of its number" "${weir[@]}" attach same qdisc keep
comes
all="[$on_lo,"'["four","egress","attached"],["same","egress","attached"],["same","ingress","attached"]'
until_ok "it is put on, too" has "$all,${both#*],}"
check "detach all" "${weir[@]}" detach all
finish
