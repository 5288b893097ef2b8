#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# retune.sh: a rate changed with traffic running, 200 -> 50 -> 200 mbit: reached within 200 ms,
# nothing lost. Both families and every congestion control at once, each flow with its own cap.
# One that is raised far, where what a bucket owes of the slow one is seconds. And one that is
# taken away, in each of the ways there are: the sockets are let go.
#
#     producer (weir on eth, egress) ---- consumer
. "$(dirname "$0")/lib.sh"

need ip jq
netns producer consumer
link "$producer" eth "$consumer" eth 1

check "attach" "$WEIR" -n "$producer" attach eth egress
check "class" "$WEIR" -n "$producer" class set web flow-rate 200mbit
check "match" "$WEIR" -n "$producer" match add web proto tcp dport 81-83

flows=() names=()
for cc in reno cubic bbr; do
	can_cc "$cc" || continue
	names+=("$cc")
	flows+=(tcp from "$producer" to "$consumer" addr 10.88.1.2 port $((80 + ${#names[@]}))
		cc "$cc" stop 6s name "$cc")
done
traffic "$tmp/out" series on step 10ms \
	at 2s exec "$WEIR -n $producer class set web flow-rate 50mbit" \
	at 4s exec "$WEIR -n $producer class set web flow-rate 200mbit" "${flows[@]}"

# mean_bps NAME FROM_NS TO_NS: over whole steps
mean_bps()
{
	jq -r --arg n "$1" --argjson a "$2" --argjson b "$3" \
		'select(.type == "series" and .name == $n)
		| .step_ns as $s | .wire_bytes[($a / $s | ceil):($b / $s | floor)]
		| add * 8e9 / $s / length | round' "$tmp/out"
}

# settled_ms NAME AT_NS RATE: from when on every 50 ms hold the rate within 10 %
settled_ms()
{
	jq -r --arg n "$1" --argjson at "$2" --argjson rate "$3" \
		'select(.type == "series" and .name == $n)
		| .step_ns as $s | .wire_bytes[($at / $s | ceil):(($at + 1e9) / $s | floor)] as $b
		| [range(0; ($b | length) - 5)
			| select(($b[.:. + 5] | add * 8e9 / $s / 5 / $rate - 1 | fabs) > 0.1)]
		| ((max // -1) + 1) * $s / 1e6' "$tmp/out"
}

mapfile -t ends <<< "$(jq -r 'select(.type == "event") | .end_ns' "$tmp/out")"
mapfile -t statuses <<< "$(jq -r 'select(.type == "event") | .status' "$tmp/out")"
is_equal "both changes were accepted" "${statuses[*]}" "0 0"
[ ${#ends[@]} = 2 ] || finish
for name in "${names[@]}"; do
	is_rate "$name: at 200 mbit before" "$(mean_bps "$name" 1000000000 2000000000)" 200000000 2 "$tmp/out" 6
	is_rate "$name: 50 mbit, 200 ms after the change" \
		"$(mean_bps "$name" $((ends[0] + 200000000)) $((ends[0] + 1200000000)))" 50000000 2 "$tmp/out" 6
	is_rate "$name: 200 mbit, 200 ms after the change" \
		"$(mean_bps "$name" $((ends[1] + 200000000)) $((ends[1] + 1200000000)))" 200000000 2 "$tmp/out" 6
	note "$name: settled after $(settled_ms "$name" "${ends[0]}" 50000000) ms down," \
		"$(settled_ms "$name" "${ends[1]}" 200000000) ms up"
	is_lossless "$name" "$tmp/out" "$name"
done
is_equal "dropped" "$(class "$producer" web dropped)" 0

# offered at 5 mbit; at 16 kbit each packet is half a second of debt
check "class slow" "$WEIR" -n "$producer" class set slow flow-rate 16kbit action police
check "match slow" "$WEIR" -n "$producer" match add slow proto udp dport 84
traffic "$tmp/out" series on step 10ms \
	at 1s exec "$WEIR -n $producer class set slow flow-rate 100mbit" \
	udp from "$producer" to "$consumer" addr 10.88.1.2 port 84 size 1000 rate 5mbit stop 3s name slow
is_equal "accepted" "$(jq -r 'select(.type == "event") | .status' "$tmp/out")" 0
end=$(jq -r 'select(.type == "event") | .end_ns' "$tmp/out")
is_rate "raised from 16 kbit: all of it, 200 ms after the change" \
	"$(mean_bps slow $((end + 200000000)) $((end + 1200000000)))" 5000000 2 "$tmp/out" 3

flows=() port=90
for name in none observe unmatched; do
	check "class $name" "$WEIR" -n "$producer" class set "$name" flow-rate 20mbit
	check "match $name" "$WEIR" -n "$producer" match add "$name" proto tcp dport $port
	flows+=(tcp from "$producer" to "$consumer" addr 10.88.1.2 port $port stop 3500ms name "$name")
	port=$((port + 1))
done
traffic "$tmp/out" series on step 10ms \
	at 1s exec "$WEIR -n $producer class set none flow-rate none &&
		$WEIR -n $producer class set observe action observe &&
		$WEIR -n $producer match del unmatched" "${flows[@]}"
is_equal "all were accepted" "$(jq -r 'select(.type == "event") | .status' "$tmp/out")" 0
# three commands: on a busy machine they may take more than the second that there is
end=$(jq -r 'select(.type == "event") | .end_ns' "$tmp/out")
[ "$end" -gt 2000000000 ] || end=2000000000
for name in none observe unmatched; do
	is_most "$name: at 20 mbit before" "$(mean_bps "$name" 500000000 1000000000)" 25000000
	is_least "$name: let go" "$(mean_bps "$name" "$end" 3500000000)" 40000000
done
finish
