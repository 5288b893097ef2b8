#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# aimd.sh: `law aimd` on traffic. A signal that is pushed and stands still shows the law itself:
# above its target the rate is cut to a part, again and again; below, it grows by so much a second,
# however high it is; and it stays where it is while nobody wants more. Then the loop is closed over
# a consumer's backlog: cuts come above the target alone, raises below it.
#
#     producers (weir, eth egress) ---- consumer (weir, eth ingress)
. "$(dirname "$0")/lib.sh"

need ip jq python3
netns producers consumer
link "$producers" eth "$consumer" eth 1
cc=cubic
can_cc $cc || cc=reno

control()
{
	"$WEIR" -n "$producers" -j show signals | jq -r ".[] | select(.class == \"app\") | .$1"
}

is_reason() { [ "$(control reason)" = "$1" ]; }
is_at() { [ "$(control rate_bps)" = "$1" ]; }
is_rate_above() { [ "$(control rate_bps)" -gt "$1" ]; }

until_ok()
{
	local what=$1
	shift

	if wait_until 15 "$@"; then ok "$what"; else
		not_ok "$what" "$("$WEIR" -n "$producers" show signals; tail -n 4 "$tmp/told.$producers")"
	fi
}

# push MS: from now on
push()
{
	echo "queue $1ms ttl 10s" > "$tmp/push.new"
	mv "$tmp/push.new" "$tmp/push"
}

# --- the law: a signal that stands at twice its target
check "attach" "$WEIR" -n "$producers" attach eth egress qdisc keep
# of so long a target the delay is taken for 100 ms: it grows slowly enough to be looked at
check "class" "$WEIR" -n "$producers" class set app rate 40mbit min 4mbit max 60mbit \
	control queue target 100ms law aimd
check "match" "$WEIR" -n "$producers" match add app proto tcp dport 7001
told "$producers"
push 200
python3 - "/run/weir/$producers.sock" "$tmp/push" 2> /dev/null <<- 'END' &
	import socket, sys, time
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	while True:
	    s.sendto(open(sys.argv[2], "rb").read().strip(), sys.argv[1])
	    time.sleep(0.01)
END
pids+=($!)
"$TRAFFIC" run tcp from "$producers" to "$consumer" addr 10.88.1.2 port 7001 cc $cc n 4 stop 390s \
	> "$tmp/out" &
load=$!
pids+=($load)
until_ok "above its target: down to its minimum" is_at 4000000
until_ok "and says so" grep -q '"reason":"minimum"' "$tmp/told.$producers"
is_equal "each cut is to 1 - 0.4 (200 - 100) / 100 of the rate before" \
	"$(lines "$producers" 'map(select(.reason == "behind") | .rate_bps / .old_bps * 100 | round) | unique')" \
	"[60]"
is_least "cuts" "$(lines "$producers" 'map(select(.reason == "behind")) | length')" 3
is_equal "at twice the target" "$(lines "$producers" 'map(.value / .target) | unique')" "[2]"
carried "$consumer" eth 300000		# what was sent faster is over
is_carried "on the wire at its minimum" "$consumer" eth 500000 3400000 4600000

# --- at a tenth of it: by 1/64 of the best rate each loop delay
# what a line raises is a tenth of the rate: at twice the rate it takes twice as long
raises='map(select(.reason == "below" and .rate_bps > .old_bps))'
slope="[.[1:], .[:-1]] | transpose | map((.[0].rate_bps - .[1].rate_bps) * 1e9 /
	(.[0].at_ns - .[1].at_ns)) | sort | .[length / 2 | floor]"
# an agent without a CPU raises nothing meanwhile: from the minimum once more, three times in all.
# By then its best rate is another, and so is what it adds
for i in 1 2 3; do
	[ $i = 1 ] || { push 200; until_ok "down again" is_at 4000000; }
	begun=$(lines "$producers" length)
	push 10
	until_ok "below its target: the rate grows" is_rate_above 12000000
	low=$(lines "$producers" ".[$begun:] | $raises | map(select(.rate_bps < 8e6)) | $slope")
	: "${added:=$low}"
	high=$(lines "$producers" ".[$begun:] | $raises | map(select(.rate_bps >= 8e6)) | $slope")
	! awk -v a="$low" -v b="$high" 'BEGIN { exit !(b >= 0.3 * a && b <= 1.4 * a) }' || break
done
compare "below 8 mbit by so many bit/s in a second" "v >= t / 3 && v <= t * 3" "${added%.*}" 3500000 \
	"3.5 mbit, a third to three times"
compare "beyond that by as many, times" "v >= 0.3 && v <= t" \
	"$(awk -v a="$low" -v b="$high" 'BEGIN { printf "%.2f", b / a }')" 1.4 \
	"0.3 to 1.4; 1.7 if it were by a part"
# while the traffic has no CPU nobody wants more; the next line has what was raised before
is_equal "what raises" \
	"$(lines "$producers" 'map(select(.rate_bps > .old_bps) | .reason) | unique - ["unused"]')" '["below"]'
is_carried "on the wire, more" "$consumer" eth 1000000 8000000 70000000
kill $load
wait $load 2> /dev/null
until_ok "nobody wants more: held" is_reason unused
note "$(lines "$producers" 'map([.reason, .old_bps, .rate_bps, .left_out])')"

# --- the loop closed: the producers' rate follows the consumer of 20 mbit
check "consumer: attach" "$WEIR" -n "$consumer" attach eth ingress
check "consumer: class" "$WEIR" -n "$consumer" class set sink
check "consumer: match" "$WEIR" -n "$consumer" match add sink proto tcp dport 7000
agent "$consumer" listen 0.0.0.0:9090
check "class" "$WEIR" -n "$producers" class set sink rate 100mbit \
	control http://10.88.1.2:9090/sink target 10ms law aimd
check "match" "$WEIR" -n "$producers" match add sink proto tcp dport 7000
# cut, raised, and cut again by what the raises have done
cycled()
{
	lines "$producers" 'map(select(.class == "sink"))
		| map(.reason == "behind" and .rate_bps < .old_bps and .value > .target) as $cuts
		| map(.reason == "below" and .rate_bps > .old_bps and .value < .target) as $raises
		| ($raises | index(true)) as $at
		| ($cuts | index(true)) < $at and
			($cuts[$at:] | index(true) != null)' | grep -q true
}
load "$tmp/load" at 0s speed 20mbit stop 8s after 2s &
pids+=($!)
until_ok "a backlog cuts the rate, it grows without one, and is cut again" cycled
note "$(lines "$producers" 'map(select(.class == "sink") | [.reason, .rate_bps, .value])')"
finish
