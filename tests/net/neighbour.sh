#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# neighbour.sh: a good neighbour: filters, qdiscs and pins of others work on beside weir and are as
# they were after detach; so is the pace of the sockets.
#
#     producer (weir and another's filter on eth, egress) ---- consumer
. "$(dirname "$0")/lib.sh"

need ip tc jq
netns producer consumer
link "$producer" eth "$consumer" eth 1
link "$producer" spare "$consumer" spare 2
weir=("$WEIR" -n "$producer")

qdiscs()
{
	tc -n "$producer" qdisc show dev eth | sed 's/direct_packets_stat [0-9]*//'	# a counter
}

filters()
{
	tc -n "$producer" filter show dev eth egress
}

# packets that the other's filter has mirrored
mirrored()
{
	tc -n "$producer" -s filter show dev eth egress |
		awk '/Sent/ { n = $4 } END { print n + 0 }'
}

# --- root qdiscs: none of its own, a classless and a classful one
for qdisc in "" "pfifo limit 77" "tbf rate 500mbit burst 64kb limit 300kb" "htb default 1"; do
	# shellcheck disable=SC2086 # words
	if [ -n "$qdisc" ] && ! tc -n "$producer" qdisc add dev eth root handle 7: $qdisc; then
		skip "root qdisc '$qdisc'" "this kernel has no such qdisc"
		continue
	fi
	before=$(qdiscs)
	check "root qdisc '${qdisc:-default}': attach" "${weir[@]}" attach eth egress
	check "root qdisc '${qdisc:-default}': class" "${weir[@]}" class set default flow-rate 10mbit
	check "root qdisc '${qdisc:-default}': detach" "${weir[@]}" detach eth
	is_equal "root qdisc '${qdisc:-default}': as before" "$(qdiscs)" "$before"
	"${weir[@]}" detach all > /dev/null 2>&1
	[ -z "$qdisc" ] || tc -n "$producer" qdisc del dev eth root
done

# --- another's filter on clsact, there before weir
tc -n "$producer" qdisc add dev eth clsact
if tc -n "$producer" filter add dev eth egress pref 9 protocol ip u32 match u32 0 0 \
	action mirred egress mirror dev spare 2> "$tmp/tc"; then
	filters_before=$(filters) qdiscs_before=$(qdiscs)
	mkdir -p "/sys/fs/bpf/w$$-other"
	check "attach beside another's filter" "${weir[@]}" attach eth egress
	check "class" "${weir[@]}" class set probe flow-rate 1gbit action police
	check "match" "${weir[@]}" match add probe proto udp dport 9000
	traffic "$tmp/out" udp name udp from "$producer" to "$consumer" addr 10.88.1.2 port 9000 \
		size 200 rate 2mbit packets 500 stop 5s
	is_equal "weir saw every packet" "$(class "$producer" probe packets)" 500
	is_equal "and so did the other's filter" "$(mirrored)" 500
	check "detach all" "${weir[@]}" detach all
	is_equal "the other's filter is as before" "$(filters)" "$filters_before"
	is_equal "the qdiscs are as before" "$(qdiscs)" "$qdiscs_before"
	check "the other's pins are there" rmdir "/sys/fs/bpf/w$$-other"
else
	skip "another's filter" "no u32 or mirred here: $(head -n 1 "$tmp/tc")"
fi
tc -n "$producer" qdisc del dev eth clsact

# --- a filter of another that ends its chain (a match without an action does): behind weir it hides
# nothing. Weir takes the first free place: one at the very first is before it, and attach says so.
for pref in 9 1; do
	tc -n "$producer" qdisc add dev eth clsact
	tc -n "$producer" filter add dev eth egress pref $pref protocol all bpf \
		bytecode '1,6 0 0 4294967295,'
	before=$(filters)
	check "pref $pref: attach" sh -c \
		"'$WEIR' -n '$producer' attach eth egress via clsact 2> '$tmp/said'"
	check "pref $pref: class" "${weir[@]}" class set probe flow-rate 1gbit action police
	check "pref $pref: match" "${weir[@]}" match add probe proto udp dport 9000
	traffic "$tmp/out" udp name udp from "$producer" to "$consumer" addr 10.88.1.2 port 9000 \
		size 200 rate 2mbit packets 500 stop 5s
	is_equal "pref $pref: weir saw" "$(class "$producer" probe packets)" $((pref == 1 ? 0 : 500))
	is_equal "pref $pref: and said so at attach" "$(grep -c 'other filters come first' "$tmp/said")" \
		$((pref == 1))
	check "pref $pref: detach" "${weir[@]}" detach all
	is_equal "pref $pref: the other's filter is as before" "$(filters)" "$before"
	tc -n "$producer" qdisc del dev eth clsact
done

# --- tcx programs of others, before and behind weir in the chain, whenever they come: they run on,
# and see every packet; behind weir those that weir lets pass
other() { "$OTHER" "$producer" eth "$1" > "$tmp/$2" 2>&1 & pids+=($!); others+=($!); }
seen()
{
	kill "${others[$1]}"
	# in a subshell nobody's child can be waited for
	wait_until 10 grep -q '^[0-9]' "$tmp/$2"
	tail -n 1 "$tmp/$2"
}
OTHER=$top/build/tests/other
[ -x "$OTHER" ] || { echo "Bail out! $OTHER is not built"; exit 1; }
if [ "$("$WEIR" -j check | jq '.[] | select(.check == "tcx") | .available')" = true ]; then
	others=()
	other after first
	check "tcx: another's is there first" wait_until 10 grep -q ready "$tmp/first"
	check "tcx: attach" "${weir[@]}" attach eth egress qdisc keep via tcx
	check "tcx: class" "${weir[@]}" class set probe flow-rate 1mbit burst 10kb action police
	check "tcx: match" "${weir[@]}" match add probe proto udp dport 9000
	other before head
	other after last
	check "tcx: one comes before weir" wait_until 10 grep -q ready "$tmp/head"
	check "tcx: one comes behind weir" wait_until 10 grep -q ready "$tmp/last"
	traffic "$tmp/out" udp name udp from "$producer" to "$consumer" addr 10.88.1.2 port 9000 \
		size 200 rate 4mbit packets 2000 stop 5s
	dropped=$(class "$producer" probe dropped)
	is_equal "tcx: weir saw" "$(class "$producer" probe packets)" 2000
	is_least "tcx: and dropped" "$dropped" 500
	# a stray packet of the kernel's own may come between
	is_within "tcx: the one that was there first saw" "$(seen 0 first)" 2000 0.5
	is_within "tcx: the one at the head saw" "$(seen 1 head)" 2000 0.5
	is_within "tcx: the one behind saw what passed" "$(seen 2 last)" $((2000 - dropped)) 1
	check "tcx: detach" "${weir[@]}" detach all
else
	skip "tcx programs of others" "this kernel has no tcx"
fi

# --- a program of another's on sock_ops, which writes TCP options: weir asks for the same callbacks
# where an agent moves a rate, and takes back what it has asked for, no more
root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
trap 'rmdir "$root/w$$-options" 2> /dev/null; cleanup' EXIT
if [ -n "$root" ] && mkdir "$root/w$$-options" && [ "$("$WEIR" -j check |
	jq '.[] | select(.check == "means-socket") | .available')" = true ]; then
	others=()
	"$OTHER" "$root/w$$-options" > "$tmp/options" 2>&1 & pids+=($!); others+=($!)
	check "sock_ops: another's is there" wait_until 10 grep -q ready "$tmp/options"
	check "sock_ops: attach" "${weir[@]}" attach eth egress qdisc keep
	check "sock_ops: class" "${weir[@]}" class set default flow-rate 10mbit
	# shellcheck disable=SC2016 # a script's own
	sh -c 'echo $$ > "$0/cgroup.procs" && exec "$@"' "$root/w$$-options" "$TRAFFIC" run \
		tcp name t from "$producer" to "$consumer" addr 10.88.1.2 cc reno stop 3s > "$tmp/out"
	is_rate "sock_ops: weir paces" "$(flow "$tmp/out" t late_bps)" 10000000 5 "$tmp/out" 3
	# once for each burst of a few packets, to the end
	is_least "sock_ops: the other is asked for its options" "$(seen 0 options)" 200
	check "sock_ops: detach" "${weir[@]}" detach all
else
	skip "another's sock_ops" "no cgroup v2, or sockets are not paced here"
fi

# --- sockets: one that was there before is paced too, and is given back its own pace
traffic "$tmp/out" series on step 100ms \
	at 500ms exec "${weir[*]} attach eth egress" \
	at 3s exec "${weir[*]} class set default flow-rate 10mbit" \
	at 7s exec "${weir[*]} detach all" \
	tcp name old from "$producer" to "$consumer" addr 10.88.1.2 cc reno stop 9s

# bps FROM_NS TO_NS
bps()
{
	jq -r --argjson a "$1" --argjson b "$2" 'select(.type == "series") | .step_ns as $s
		| .wire_bytes[($a / $s | ceil):($b / $s | floor)] | add * 8e9 / $s / length | round' "$tmp/out"
}

# peak_bps FROM_NS TO_NS: of the best 100 ms: who has no CPU for a while is not held by anybody
peak_bps()
{
	jq -r --argjson a "$1" --argjson b "$2" 'select(.type == "series") | .step_ns as $s
		| .wire_bytes[($a / $s | ceil):($b / $s | floor)] | max * 8e9 / $s | round' "$tmp/out"
}

mapfile -t ends <<< "$(jq -r 'select(.type == "event") | .end_ns' "$tmp/out")"
is_equal "attach, class, detach" "$(jq -s 'map(select(.type == "event").status)' -c "$tmp/out")" "[0,0,0]"
[ ${#ends[@]} = 3 ] || finish
is_least "a socket before attach" "$(peak_bps 0 500000000)" 200000000
is_rate "attached: it is held" "$(bps $((ends[1] + 300000000)) 7000000000)" 10000000 5 "$tmp/out" 9
is_least "detached: it is free again" "$(peak_bps $((ends[2] + 500000000)) 9000000000)" 200000000
finish
