#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# flood.sh: a million one-packet flows (forged SYNs, a scan by UDP) through the class of eight
# established flows: their entries stay, with every packet counted, their rates too, and the flood
# is held by the class. Then more real flows than the table holds: those without an entry share what
# one has and are counted as "no-flow" in `show classes`; those that have one lose nothing.
#
#     producer (weir on eth, egress) ---- consumer
. "$(dirname "$0")/lib.sh"

need ip jq
FLOOD=${WEIR_TEST_FLOOD:-1000000}
netns producer consumer
link "$producer" eth "$consumer" eth 1
weir=("$WEIR" -n "$producer")

# reason NAME FIELD: of class all
reason()
{
	"${weir[@]}" -j show classes |
		jq --arg r "$1" ".[] | select(.class == \"all\") | .reasons[\$r].$2"
}

# the flows with port 7000
entries()
{
	"${weir[@]}" -j show flows dport 7000
}

check "attach" "${weir[@]}" attach eth egress qdisc keep flows 65536
check "class" "${weir[@]}" class set all rate 40mbit action police
check "match" "${weir[@]}" match add all proto tcp,udp

# eight flows of 3 mbit: 24 of 40; the flood offers some 60 to 100 more
seconds=${WEIR_TEST_SECONDS:-45}
flood="ip netns exec $producer $TRAFFIC flood eth 02:00:00:00:01:02 10.88.1.2 $FLOOD 100000"
traffic "$tmp/out" after 1s at 3s exec "$flood" \
	udp from "$producer" to "$consumer" addr 10.88.1.2 port 7000 size 1000 n 8 rate 3mbit \
	stop ${seconds}s name old
event()
{
	jq "select(.type == \"event\") | .$1" "$tmp/out"
}

is_equal "the flood was sent" "$(event status)" 0
flood_s=$(awk -v a="$(event begin_ns)" -v b="$(event end_ns)" 'BEGIN { print (b - a) / 1e9 }')
note "the flood took $flood_s s"
is_most "it ended before the flows did" "$(event end_ns)" ${seconds}000000000
for i in 0 1 2 3 4 5 6 7; do
	is_rate "established $i" "$(flow "$tmp/out" old/$i late_bps)" 3000000 1 "$tmp/out" $seconds
done
sent=$(jq -s '[.[] | select(.type == "flow") | .sent + .enobufs] | add' "$tmp/out")
is_equal "eight entries, and no packet of theirs is missing in them" \
	"$(entries | jq -r '"\(length) \([.[].packets] | add)"')" "8 $((sent - 8))"
is_equal "every packet of the flood was counted" \
	"$(($(class "$producer" all packets) - sent))" "$FLOOD"
is_most "entries that the flood has made" \
	"$("${weir[@]}" -j show flows | jq length)" $((8 + FLOOD / 1000))
passed=$(awk -v t="$(reason newcomer bytes)" -v s="$flood_s" 'BEGIN { print t * 8 / s }')
is_most "the flood had, bit/s, of 40 mbit" "$passed" 17000000
is_least "and the rest of it was dropped, packets" "$(class "$producer" all dropped)" $((FLOOD / 4))
check "detach" "${weir[@]}" detach all

# --- more real flows than the table holds
check "a small table: attach" "${weir[@]}" attach eth egress qdisc keep flows 1024
check "a small table: class" "${weir[@]}" class set all rate 40mbit action police
check "a small table: match" "${weir[@]}" match add all proto udp dport 7000
traffic "$tmp/out" udp from "$producer" to "$consumer" addr 10.88.1.2 port 7000 size 100 n 4000 \
	rate 8kbit stop 3s name many
sent=$(jq -s '[.[] | select(.type == "flow") | .sent + .enobufs] | add' "$tmp/out")
is_equal "every packet is counted" "$(class "$producer" all packets)" "$sent"
received=$(jq -s '[.[] | select(.type == "flow") | .received] | add' "$tmp/out")
is_equal "passed and dropped are all" "$((received + $(class "$producer" all dropped)))" "$sent"
is_equal "who has an entry lost nothing" \
	"$("${weir[@]}" -j show flows | jq '[.[].dropped] | add')" 0
is_least "no room: said in show, packets" "$(reason no-flow packets)" 1000
is_most "entries" "$("${weir[@]}" -j show flows | jq length)" 1024
"${weir[@]}" -j show tables > "$tmp/tables"
table() { jq -c ".[0] | $1" "$tmp/tables"; }
is_equal "the table is full" "$(table '[.table, .state, .size]')" '["flows","full",1024]'
is_equal "what was made is there or was evicted" "$(table '.used + .evicted - .made')" 0
is_least "evicted" "$(table .evicted)" 1
is_most "there are" "$(table .used)" 1024
is_least "refused, packets" "$(table .refused)" 1000
check "detach" "${weir[@]}" detach all
finish
