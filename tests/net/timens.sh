#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# timens.sh: weir in a time namespace, as in a container that was restored on another machine. Its
# CLOCK_MONOTONIC is days off from that of the kernel's programs: leases are of those all the same,
# and so is what is shown.
. "$(dirname "$0")/life.sh"

need unshare
unshare -T --fork --monotonic 86400 true 2> /dev/null || skip_all "no time namespaces here"

check "attach" "${weir[@]}" attach eth egress qdisc keep
check "class" "${weir[@]}" class set app rate 100mbit control queue target 10ms min 1mbit max 200mbit
pushes 0.02 queue "drain 20mbit" "$host" &
pids+=($!)

# limit: the rate in force, as the kernel has it
limit() { class "$host" app limit_bps; }
is_leased() { [ "$(limit)" != 100000000 ]; }

for off in -1000 864000; do
	# more than the machine is up is refused
	under=(unshare -T --fork --kill-child --monotonic "$off")
	if ! "${under[@]}" true 2> /dev/null; then
		skip "an agent whose clock is $off s off" "the machine is not up for that long"
		continue
	fi
	start
	until_ok "an agent whose clock is $off s off sets the rate" is_leased
	ends KILL
	until_ok "and when it is gone, the configured one holds" is_state configured
done

"$TRAFFIC" run tcp from "$host" to "$peer" addr 10.88.1.2 stop 200ms > "$tmp/traffic"
age=$(unshare -T --fork --monotonic 864000 "${weir[@]}" show flows sort age limit 1 |
	grep -oE ' [0-9.]+ +(us|ms|s)  [a-z0-9-]+$')
compare "a flow's age is by the kernel's clock (of its last packet:$age)" "v > 0 && v < t" \
	"$(awk '{ print $1 * ($2 == "s" ? 1 : 1e-3) }' <<< "$age")" 600 "under 10 minutes"
finish
