#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# million.sh: a table of a million flows: what is asked of it comes in bounded memory (64 MiB) and
# agrees with the class's counters; so does `weir top`, second by second. Times are printed; the
# bounds on them bear a busy machine.
. "$(dirname "$0")/../net/lib.sh"

FLOWS=1000000
KIB=65536
need ip jq time tmux
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
ask tables 1.5 -j show tables
ask all 5 show flows
ask sorted 3 show flows sort age
ask all-json 5 -j show flows

# weir's own namespace sends a few packets (neighbour discovery) of its own
is_equal "limit 20" "$(wc -l < "$tmp/first")" 21
is_least "entries" "$(jq '.[0].used' "$tmp/tables")" $FLOWS
is_equal "none was evicted" "$(jq -c '.[0] | [.state, .evicted, .refused]' "$tmp/tables")" \
	'["filling",0,0]'
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

# --- top: CPU per refresh, told by the clock in its title
in_tmux() { tmux -S "$tmp/tmux" "$@"; }
shows() { in_tmux capture-pane -p | grep -qE -- "$1"; }
clock() { in_tmux capture-pane -p | grep -oE '[0-9]{2}:[0-9]{2}:[0-9]{2}$'; }
moved() { now=$(clock) && [ "$now" != "$was" ]; }
ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }

in_tmux -f /dev/null new-session -d -x 80 -y 24 \
	"env TERM=screen LC_ALL=C $WEIR -n $here top; echo left with \$?; exec cat"
pids+=("$(in_tmux display -p '#{pid}')")
check "top: all of them" wait_until 20 shows "^weir $here: 1 hook, 100[0-9]{4} flows"
pid=$(pgrep -f "^$WEIR -n $here top")
was=$(clock) began=$(ticks)
for i in {1..5}; do
	wait_until 20 moved || not_ok "top: the clock stands still"
	was=$now
done
cpu=$((($(ticks) - began) * 1000 / $(getconf CLK_TCK) / 5))
note "top: $cpu ms of CPU each refresh, $(awk '/VmHWM/ { print $2 }' "/proc/$pid/status") KiB"
is_most "top: CPU each refresh, ms" "$cpu" 1500
in_tmux send-keys -l /
in_tmux send-keys -l "dport 443"
in_tmux send-keys Enter
check "top: a filter" wait_until 20 shows '192\.0\.2\.1:443 '
in_tmux send-keys b G Enter
check "top: the last flow in full" wait_until 20 shows '^flow +udp 10\.'
is_most "top: KiB" "$(awk '/VmHWM/ { print $2 }' "/proc/$pid/status")" $KIB
in_tmux send-keys Q
check "top: leaves with 0" wait_until 20 shows "left with 0"
in_tmux kill-server
finish
