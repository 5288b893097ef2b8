#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# maps.sh: the maps are the database: `bpftool map dump pinned` shows every one with its fields'
# names and sensible values, with traffic behind it.
#
#     producer (weir on eth, both hooks) ---- consumer
. "$(dirname "$0")/lib.sh"

need ip jq bpftool
netns producer consumer
link "$producer" eth "$consumer" eth 1
check "attach" "$WEIR" -n "$producer" attach eth both
check "class" "$WEIR" -n "$producer" class set web rate 20mbit flow-rate 10mbit
check "match" "$WEIR" -n "$producer" match add web proto tcp dport 80
traffic "$tmp/out" tcp from "$producer" to "$consumer" addr 10.88.1.2 port 80 n 2 stop 1s name web \
	udp from "$producer" to "$consumer" addr fd88:1::2 port 90 size 100 rate 1mbit stop 1s name udp

dir=/sys/fs/bpf/weir/v1/$producer

# dump MAP: its entries as BTF tells them
dump()
{
	bpftool -j map dump pinned "$dir/$1" | jq -c 'map(.formatted)'
}

# shows WHAT MAP JQ: the filter yields true
shows()
{
	local got

	got=$(dump "$2" | jq -c "$3" 2>&1)
	if [ "$got" = true ]; then ok "$2: $1"; else not_ok "$2: $1" "$got: $(dump "$2" | head -c 900)"; fi
}

shows "a generation" control '.[0].value.generation > 0'
shows "classes and rules of the live bank" policy 'any(.[].value; .n_classes >= 2 and .n_rules == 1)'
shows "rates in bits per second" classes \
	'any(.[].value; .rate_bps == 20000000 and .flow_rate_bps == 10000000)'
shows "a rule's port" rules 'any(.[].value; .dport[0].lo == 80 and .dport[0].hi == 80)'
shows "flows with their keys and counters" flows \
	'[.[] | select(.key.proto == 6 and .key.hook == 0 and .value.bytes > 100000)] | length == 2'
shows "flows by their family" flows 'any(.[]; .key.family == 6 and .key.proto == 17)'
shows "the level" class_state 'any(.[].value; .level_bps > 0)'
shows "counters per CPU and reason" class_stats \
	'[.[].values[].value.packets[]] | add > 1000'
shows "both hooks of the device" devices '[.[].key.hook] | sort == [0, 1]'
shows "the device's name" devices 'all(.[].value; .name == "eth")'

# a bucket of a class that is gone is not the next one's: nor are its bytes
check "another class" "$WEIR" -n "$producer" class set other rate 20mbit flow-rate 10mbit per src
check "its match" "$WEIR" -n "$producer" match add other pref 1 proto udp dport 80
traffic "$tmp/out" udp from "$producer" to "$consumer" addr 10.88.1.2 port 80 size 100 rate 1mbit \
	stop 300ms name udp
slot=$(dump classes | jq 'first(.[] | select(.value.name == "other")).key % 1024')
shows "the source's" buckets "any(.[]; .key.class_slot == $slot and .value.bytes > 10000)"
check "its match goes" "$WEIR" -n "$producer" match del other
check "the class goes" "$WEIR" -n "$producer" class del other
check "another takes its slot" "$WEIR" -n "$producer" class set third flow-rate 10mbit per src
is_equal "the same one" "$(dump classes |
	jq 'last(.[] | select(.value.name == "third")).key % 1024')" "$slot"
shows "without what was the other's" buckets "all(.[]; .key.class_slot != $slot)"

for pin in "$dir"/*; do
	map=${pin##*/}
	info=$(bpftool -j map show pinned "$pin" 2> /dev/null) || continue
	is_least "$map: has BTF" "$(jq '.btf_id // 0' <<< "$info")" 1
done
finish
