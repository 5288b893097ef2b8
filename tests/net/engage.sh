#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# engage.sh: a class without a rate, under control: the first message above its target takes over
# at what passes now, however little has passed before; also of a class that was deleted and made
# anew between two looks of the agent, and where the message stood before the class followed it; an
# agent in the place of another begins from that one's rate. And what a class's senders have lost is
# its own, not of the class whose slot it has now; nor is what was heard of one signal another's.
#
#     host (weir on eth, egress) ---- peer (weir on eth, ingress: loses what is above 5 mbit)
. "$(dirname "$0")/lib.sh"

need ip jq
netns host peer
link "$host" eth "$peer" eth 1
weir=("$WEIR" -n "$host")
check "attach" "${weir[@]}" attach eth egress
check "class" "${weir[@]}" class set app control queue target 10ms
check "match" "${weir[@]}" match add app proto udp dport 7000
told "$host"
agent=$((${#pids[@]} - 1))
# sends PORT: 20 mbit, until last_ends: what is done meanwhile takes long on a busy machine
sends()
{
	"$TRAFFIC" run udp from "$host" to "$peer" addr 10.88.1.2 port "$1" size 1000 rate 20mbit \
		stop 390s name load > "$tmp/out" &
	pids+=($!)
}
sends 7000
passed() { [ "$(class "$host" app bytes)" -gt 4000000 ]; }
check "20 mbit pass for more than a second" wait_until 10 passed
engaged() { jq -se 'any(.event == "decision" and .rate_bps)' "$tmp/told.$host"; }
pushed() { "${weir[@]}" signal queue 12ms && engaged; }
check "a message above the target takes over" wait_until 5 pushed
is_within "at what passes" "$(jq -s 'map(select(.event == "decision" and .rate_bps))[0].rate_bps' \
	"$tmp/told.$host")" 20000000 40

# --- made anew: its counters are, too
last_ends
sends 7000
stops "${pids[agent]}"
"${weir[@]}" match del app
"${weir[@]}" class del app
check "class" "${weir[@]}" class set app control queue target 10ms
check "match" "${weir[@]}" match add app proto udp dport 7000
before=$(wc -l < "$tmp/told.$host")
kill -CONT "${pids[agent]}"
anew() { tail -n +$((before + 1)) "$tmp/told.$host" | jq -s 'map(select(.event == "decision"
	and .old_bps == null and .rate_bps))[0].rate_bps // empty'; }
passed() { [ "$(class "$host" app bytes)" -gt 2000000 ]; }
check "made anew: 20 mbit pass" wait_until 10 passed
pushed() { "${weir[@]}" signal queue 12ms && [ -n "$(anew)" ]; }
check "a message above the target takes over" wait_until 5 pushed
is_within "at what passes" "$(anew)" 20000000 40
last_ends

# --- a class that follows what was pushed before
check "class" "${weir[@]}" class set late fair off
check "match" "${weir[@]}" match add late proto udp dport 7003
sends 7003
late() { [ "$(class "$host" late bytes)" -gt 1000000 ]; }
check "20 mbit pass here, too" wait_until 10 late
check "a message above the target stands" wait_until 5 "${weir[@]}" signal stands 12ms ttl 100s
check "it is followed" "${weir[@]}" class set late control stands target 10ms min 100kbit
first() { jq -se 'map(select(.event == "decision" and .class == "late" and .rate_bps))[0].rate_bps' \
	"$tmp/told.$host"; }
check "and takes over" wait_until 5 first
is_within "at what passes" "$(first)" 20000000 40
last_ends

# --- an agent in the place of another goes on from what that one has set
check "class" "${weir[@]}" class set again rate 1gbit control again target 10ms
slowed() { jq -se 'any(.class == "again" and .rate_bps)' "$tmp/told.$host"; }
# that stands for two seconds: on a busy machine once more
for ((i = 0; i < 4; i++)); do
	check "a slow consumer" wait_until 5 "${weir[@]}" signal again 12ms drain 20mbit ttl 100s
	check "sets a rate" wait_until 5 slowed
	since=${EPOCHREALTIME/./}
	last_ends
	told "$host"
	check "the next agent hears it below its target" wait_until 5 \
		"${weir[@]}" signal again 8ms ttl 100s
	check "and decides" wait_until 5 slowed
	[ $((${EPOCHREALTIME/./} - since)) -gt 1800000 ] || break
done
is_within "near the rate of before" "$(jq -s 'map(select(.class == "again" and .rate_bps))[0].rate_bps' \
	"$tmp/told.$host")" 20000000 25

# --- a class that is deleted and set again between two looks of the agent is a new one
begun() { jq -se "map(select(.class == \"again\" and .old_bps == null and .rate_bps)) | length == $1" \
	"$tmp/told.$host"; }
check "a slow consumer" wait_until 5 "${weir[@]}" signal again 12ms drain 20mbit ttl 100s
check "its rate was set once" begun 1
"${weir[@]}" class del again
check "again" "${weir[@]}" class set again rate 1gbit control again target 10ms
check "its rate is set again" wait_until 5 begun 2

# --- another signal, which nobody sends
reason() { "${weir[@]}" -j show signals | jq -e '.[0] | .signal == "other" and .reason == "waiting"'; }
check "class" "${weir[@]}" class set app control other target 10ms
check "it waits for it" wait_until 5 reason

# --- the slot of a class that lost
check "peer: attach" "$WEIR" -n "$peer" attach eth ingress qdisc keep
check "peer: class" "$WEIR" -n "$peer" class set default rate 5mbit action police burst 5ms
check "class" "${weir[@]}" class set lossy control loss
check "match" "${weir[@]}" match add lossy proto tcp dport 7001
traffic "$tmp/lossy" tcp from "$host" to "$peer" addr 10.88.1.2 port 7001 stop 2s name lossy
heard() { jq -se "any(.event == \"decision\" and .class == \"$1\" and .value != null)" \
	"$tmp/told.$host"; }
check "its losses are heard" wait_until 5 heard lossy
"$WEIR" -n "$peer" detach all
"${weir[@]}" match del lossy
"${weir[@]}" class del lossy
check "another in its place" "${weir[@]}" class set clean rate 100mbit control loss
check "match" "${weir[@]}" match add clean proto tcp dport 7002
traffic "$tmp/clean" tcp from "$host" to "$peer" addr 10.88.1.2 port 7002 stop 2s name clean
check "which is heard" wait_until 5 heard clean
is_most "of what it has lost, in millionths, at most was heard" "$(jq -s 'map(select(
	.event == "decision" and .class == "clean").value // 0) | max' "$tmp/told.$host")" 10000000
# --- more changes than there are lines for: the last one, which stands, is told all the same
check "class" "${weir[@]}" class set often control often target 10ms
last_told() { jq -s 'map(select(.event == "decision" and .class == "often"))[-1].reason' \
	"$tmp/told.$host"; }
told_last() { [ "$(last_told)" = "\"$1\"" ]; }
for _ in {1..15}; do
	"${weir[@]}" class set often rate 5mbit > /dev/null
	"${weir[@]}" class set often rate auto > /dev/null
done
check "set by hand" "${weir[@]}" class set often rate 5mbit
check "the last of many changes is told" wait_until 10 told_last by-hand
finish
