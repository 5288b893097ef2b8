#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# reload.sh: 1,000 times `weir apply` under UDP: two policies in turn, which differ in the class
# that the traffic belongs to. No packet is lost, none is without a policy, each is counted once,
# and a class that stays keeps its counters. Then a policy of 1,024 classes and rules.
#
#     producer (weir on eth, egress) ---- consumer
. "$(dirname "$0")/lib.sh"

RELOADS=${WEIR_TEST_RELOADS:-1000} RATE=60mbit	# of 106 bytes: 2 x 70,000 packets/s
need ip jq
netns producer consumer
link "$producer" eth "$consumer" eth 1
weir=("$WEIR" -n "$producer")
check "attach" "${weir[@]}" attach eth egress qdisc keep

for name in a b; do
	cat > "$tmp/$name.conf" <<-END
		class set stays flow-rate 400gbit
		class set $name flow-rate 400gbit
		match add stays proto udp dport 7000
		match add $name proto udp dport 7001
	END
done
check "the first policy" "${weir[@]}" apply "$tmp/a.conf"

# packets FILTER: numbers of `show classes`
packets()
{
	"${weir[@]}" -j show classes | jq "$1"
}

# total NAME FIELD: over all rounds of traffic
total()
{
	jq -s --arg n "$1" "[.[] | select(.type == \"flow\" and .name == \$n).$2] | add" "$tmp"/out.*
}

done=0 failed=0 back=0 before=0 round=0 start=$SECONDS
while [ $done -lt "$RELOADS" ]; do
	round=$((round + 1)) flows=()
	for name in "stays 7000" "moves 7001"; do
		flows+=(udp name "${name% *}" from "$producer" to "$consumer" addr 10.88.1.2
			port "${name#* }" size 64 rate "$RATE" stop 10s)
	done
	"$TRAFFIC" run "${flows[@]}" > "$tmp/out.$round" &
	traffic=$!
	pids+=($traffic)
	while kill -0 $traffic 2> /dev/null; do
		name=a
		[ $((done % 2)) = 1 ] || name=b
		"${weir[@]}" apply "$tmp/$name.conf" > "$tmp/apply" 2>&1 || failed=$((failed + 1))
		done=$((done + 1))
		[ $((done % 100)) = 0 ] || continue
		now=$(packets '.[] | select(.class == "stays").packets')
		[ "$now" -ge "$before" ] || back=$((back + 1))
		before=$now
	done
	wait $traffic || not_ok "traffic" "$(cat "$tmp/out.$round")"
done
note "$done reloads in $((SECONDS - start)) s, beside $(total stays sent) and $(total moves sent) packets"
is_equal "reloads that failed" "$failed" 0
is_equal "times that the counters of a class that stays went back" "$back" 0
# what arrived and found the receiver's socket full is not lost on the way
full=$(ip netns exec "$consumer" awk '/^Udp:/ && $6 ~ /[0-9]/ { print $6 }' /proc/net/snmp)
is_equal "packets received, $full of them too many for the receiver = sent" \
	"$(($(total stays received) + $(total moves received) + full))" \
	"$(($(total stays sent) + $(total moves sent)))"
is_equal "packets without a policy" \
	"$(packets '[.[] | .reasons["no-policy"].packets] | add')" 0
is_equal "packets dropped" "$(packets '[.[].dropped] | add')" 0
is_equal "a class that stays counts every packet of its own" \
	"$(packets '.[] | select(.class == "stays").packets')" "$(total stays sent)"

# --- as large as it gets: 1,024 classes, "default" among them, and 1,024 rules
{
	for ((i = 1; i < 1024; i++)); do
		echo "class set c$i flow-rate ${i}mbit"
	done
	for ((i = 1; i < 1025; i++)); do
		echo "match add c$((i < 1024 ? i : 1)) proto udp dport $((20000 + i))"
	done
} > "$tmp/large.conf"
check "1,024 classes and rules" "${weir[@]}" apply "$tmp/large.conf"
is_equal "classes" "$(packets length)" 1024
is_equal "rules" "$("${weir[@]}" -j show matches | jq length)" 1024
"${weir[@]}" show config > "$tmp/again.conf"
check "what is shown can be applied" "${weir[@]}" apply "$tmp/again.conf"
is_equal "and is the same" "$("${weir[@]}" show config | md5sum)" "$(md5sum < "$tmp/again.conf")"
traffic "$tmp/out" udp name last from "$producer" to "$consumer" addr 10.88.1.2 port 21023 size 100 \
	rate 1mbit packets 50 stop 5s
is_equal "the last class has its packets" "$(class "$producer" c1023 packets)" 50
echo "class set one-more rate 1mbit" | cat "$tmp/large.conf" - > "$tmp/more.conf"
if "${weir[@]}" apply "$tmp/more.conf" 2> "$tmp/err"; then
	not_ok "one class more is refused"
else
	ok "one class more is refused: $(head -n 1 "$tmp/err")"
fi
is_equal "and nothing has changed" "$(packets length)" 1024
finish
