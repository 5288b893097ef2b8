#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# agent.sh: the loop closed: a consumer of 50, 10 and 50 mbit again reads messages of eight
# producers (Reno, Cubic, BBR) that offer ten times as much. Without weir, then with it on the
# producers' side, following the consumer's backlog over HTTP. The bounds are twice as wide as the
# project's, which tests/vm/agent.sh has: others share this kernel's clock.
#
#     producers (weir, eth egress) ---- consumer (weir, eth ingress: serves its backlog)
. "$(dirname "$0")/lib.sh"

need ip jq
netns producers consumer
link "$producers" eth "$consumer" eth 1
factor=2

# is_too_slow FILE N MBIT: the consumer did not have its speed
is_too_slow()
{
	awk -v v="$(phase "$1" "$2" goodput_bps)" -v t="$3" 'BEGIN { exit v > t * 98e4 }'
}

# is_short FILE: a phase of 50 mbit lacks two hundredths
is_short()
{
	is_too_slow "$1" 1 50 || is_too_slow "$1" 3 50
}

# load_again FILE WORD...: others may have had the consumer's CPU just then: a second time tells
load_again()
{
	load "$@"
	! is_short "$1" || load "$@"
}

steps=(at 0s speed 50mbit at 3s speed 10mbit at 7s speed 50mbit stop 10s)
load "$tmp/without" "${steps[@]}"
for n in 1 2 3; do
	is_least "without weir, phase $n: queue, ms" "$(phase "$tmp/without" $n queue_ms)" 50
done

check "consumer: attach" "$WEIR" -n "$consumer" attach eth ingress
check "consumer: class" "$WEIR" -n "$consumer" class set sink
check "consumer: match" "$WEIR" -n "$consumer" match add sink proto tcp dport 7000
agent "$consumer" listen 0.0.0.0:9090
# no fq: TCP would hand it some four packets of each socket ahead, which no later rate calls back
check "producers: attach" "$WEIR" -n "$producers" attach eth egress qdisc keep
check "producers: class" "$WEIR" -n "$producers" class set sink \
	control http://10.88.1.2:9090/sink target 10ms
check "producers: match" "$WEIR" -n "$producers" match add sink proto tcp dport 7000
agent "$producers"

# a guest's clock leaps while code is read for the first time
load "$tmp/warm" addr fd88:1::2 at 0s speed 50mbit stop 2s
is_least "over IPv6: what the consumer takes is known, bit/s" \
	"$("$WEIR" -n "$producers" -j show signals | jq '.[0].drain_bps')" 1000000
load_again "$tmp/with" "${steps[@]}"
# some kernels let nobody iterate over sockets' storage: each socket is asked for there
is_most "the consumer's sockets are looked at every, ms" \
	"$("$WEIR" -n "$producers" -j show signals | jq '.[0].interval_ns / 1000000 | floor')" 25
for n in 1 2 3; do
	mbit=50 age=40 least=$((100 - factor))
	# at 10 mbit a socket's burst is 10 ms of it: 97.4 to 98.7 % seen
	[ $n != 2 ] || { mbit=10 age=60 least=95; }
	if is_too_slow "$tmp/without" $n $mbit; then
		skip "with, phase $n" "this machine is too busy: $mbit mbit are not reached without weir"
		continue
	fi
	is_within "with, phase $n: queue, ms" "$(phase "$tmp/with" $n queue_ms)" 10 $((20 * factor))
	is_least "with, phase $n: goodput of $mbit mbit" "$(phase "$tmp/with" $n goodput_bps)" \
		$((mbit * least * 10000))
	is_most "with, phase $n: age p99, ms" "$(phase "$tmp/with" $n age_p99_ms)" $((age * factor))
	note "phase $n: without $(jq -c "select(.n == $n) | [.queue_ms, .age_p50_ms, .age_p99_ms,
		.memory_bytes, .goodput_bps]" "$tmp/without"), with $(jq -c "select(.n == $n) |
		[.queue_ms, .age_p50_ms, .age_p99_ms, .memory_bytes, .goodput_bps, .settle_ms,
		.queue_low_ms, .queue_high_ms]" "$tmp/with")"
done
if is_short "$tmp/without"; then
	skip "standstill, 100 connections" "this machine is too busy"
	finish
fi
is_equal "dropped" "$(class "$producers" sink dropped)" 0

# a consumer that stops altogether and goes on
load_again "$tmp/stop" at 0s speed 50mbit at 2s speed 0 at 12s speed 50mbit stop 15s
note "stop: $(jq -c 'select(.n == 3)' "$tmp/stop")"
is_least "after a standstill of 10 s: goodput" "$(phase "$tmp/stop" 3 goodput_bps)" \
	$((50 * (100 - 5 * factor) * 10000))
is_within "after a standstill of 10 s: queue, ms" "$(phase "$tmp/stop" 3 queue_ms)" 10 $((30 * factor))

# a hundred connections: two packets of each are five times the target
load "$tmp/many" n 100 step 20ms at 0s speed 50mbit stop 6s after 3s
note "many: $(jq -c 'select(.n == 1)' "$tmp/many")"
is_least "100 connections: goodput" "$(phase "$tmp/many" 1 goodput_bps)" \
	$((50 * (100 - 12 * factor) * 10000))
is_most "100 connections: age p99, ms" "$(phase "$tmp/many" 1 age_p99_ms)" $((300 * factor))
finish
