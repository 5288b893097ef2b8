#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# named.sh: a device that was renamed is taken off by the name that it was attached by, as the unit
# weir@NAME does, with an agent and without one; not where another device has that name by now.
#
#     host (weir on eth) ---- peer
. "$(dirname "$0")/life.sh"

link "$host" other "$peer" other 2
link "$host" third "$peer" third 3
# renamed FROM TO
renamed()
{
	ip -n "$host" link set "$1" down name "$2"
	ip -n "$host" link set "$2" up
}
devices() { "${weir[@]}" -j show devices | jq -r '.[] | .dev + " " + .hook' | paste -sd,; }
others() { is_equal "$1" "$("${weir[@]}" detach eth 2>&1)" "weir: eth: not attached"; }

check "attach" "${weir[@]}" attach eth qdisc keep
check "attach another" "${weir[@]}" attach other egress qdisc keep
for who in nobody "an agent"; do
	[ "$who" = nobody ] || start
	renamed eth lan
	[ "$who" = nobody ] || until_ok "$who sees it" said 'ingress: the device is called lan now'
	renamed lan wan
	[ "$who" = nobody ] || until_ok "$who sees it" said 'ingress: the device is called wan now'
	renamed third eth
	others "$who: another is called so"
	renamed eth third
	check "$who: one hook by the name of attach" "${weir[@]}" detach eth egress
	is_equal "$who: the other one is left" "$(devices)" "wan ingress,other egress"
	check "$who: and it" "${weir[@]}" detach eth
	is_equal "$who: it is off" "$(devices)" "other egress"
	others "$who: and not known any more"
	is_equal "$who: nothing is left of the name" \
		"$(find "/sys/fs/bpf/weir/v1/$host" -name 'named_*' | wc -l)" 0
	[ "$who" = nobody ] || break
	renamed wan eth
	check "attach again" "${weir[@]}" attach eth qdisc keep
done
ends TERM || not_ok "the agent ends"
check "detach" "${weir[@]}" detach all
finish
