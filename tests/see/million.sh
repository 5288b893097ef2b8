#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# million.sh: a table of a million flows: what is asked of it comes in bounded memory (64 MiB) and
# agrees with the class's counters. Times are printed; the bounds on them bear a busy machine.
. "$(dirname "$0")/../net/lib.sh"

FLOWS=1000000
KIB=65536
need ip jq time
fill=$top/build/tests/fill
[ -x "$fill" ] || skip_all "no build/tests/fill"
netns here there
link "$here" eth "$there" eth 1
"$WEIR" -n "$here" attach eth egress flows 1100000 || skip_all "no memory for the table"
# with a rate, a first packet is told from the others: as newcomer
"$WEIR" -n "$here" class set default rate 400gbit action police
is_equal "packets sent" "$("$fill" "/sys/fs/bpf/weir/v1/$here" $FLOWS)" $((2 * FLOWS))

# ask NAME SECONDS WORD...: output in $tmp/NAME; CPU seconds and memory are bounded
ask()
{
	local name=$1 limit=$2 wall user system kib
	shift 2

	env time -f "%e %U %S %M" -o "$tmp/time" "$WEIR" -n "$here" "$@" > "$tmp/$name"
	read -r wall user system kib < "$tmp/time"
	note "$*: $wall s, $user s user, $system s system, $kib KiB"
	is_most "$*: KiB" "$kib" $KIB
	check "$*: CPU s" awk "BEGIN { exit !($user + $system <= $limit) }"
}

ask first 1.5 show flows limit 20
ask marked 1.5 show flows dport 443 sort marked limit 20
ask json 1.5 -j show flows sort bytes limit 1000
ask port 1.5 -j show flows dport 443
ask classes 1.5 show classes
ask all 5 show flows
ask sorted 12 show flows sort age
ask all-json 5 -j show flows

# weir's own namespace sends a few packets (neighbour discovery) of its own
is_equal "limit 20" "$(wc -l < "$tmp/first")" 21
is_equal "limit 1000" "$(jq length "$tmp/json")" 1000
is_equal "a port in 64" "$(jq length "$tmp/port")" $((FLOWS / 64))
rows=$(($(wc -l < "$tmp/all") - 1))
is_least "all of them" "$rows" $FLOWS
is_equal "sorted, none twice" "$(tail -n +2 "$tmp/sorted" | awk '{ print $5, $6 }' | sort | uniq -d | wc -l)" 0
is_equal "sorted, none left out" "$(($(wc -l < "$tmp/sorted") - 1))" "$rows"

# A flow's first packet is charged to its class alone: packets = class - newcomers. A packet that
# the namespace itself sends between the two readings is in one of them only: read again then.
counters()
{
	"$WEIR" -n "$here" -j show classes |
		jq -c '.[0] | .reasons.newcomer as $first |
			[.packets - $first.packets, .bytes - $first.bytes]'
}

sums()
{
	"$WEIR" -n "$here" -j show flows | grep -o '"\(packets\|bytes\)": [0-9]*' |
		awk '{ sum[$1] += $2 } END { print "[" sum["\"packets\":"] "," sum["\"bytes\":"] "]" }'
}

sums_agree() { summed=$(sums) counted=$(counters); [ "$summed" = "$counted" ]; }
wait_until 30 sums_agree || :
is_equal "sums of flows are the class's counters" "$summed" "$counted"
finish
