#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# show.sh: `weir show flows` chooses by the keys of a match, sorts, limits and looks again; words
# that are wrong get a word.
. "$(dirname "$0")/bed.sh"

need ip jq setpriv unshare
bed

# until_equal WHAT WANTED COMMAND...: once it prints that; a sender without a CPU is not held back
until_equal()
{
	local what=$1 want=$2 got=
	shift 2

	prints() { got=$("$@" 2>&1); [ "$got" = "$want" ]; }
	wait_until 5 prints "$@" || :
	is_equal "$what" "$got" "$want"
}

flows() { "$WEIR" -n "$producer" -j show flows "$@"; }
# chosen WHAT EXPECTED JQ WORD...
chosen()
{
	local what=$1 want=$2 query=$3
	shift 3

	is_equal "$what" "$(flows "$@" | jq -c "$query")" "$want"
}

chosen "dport" '[3,[5001]]' '[length, (map(.dport) | unique)]' dport 5001
chosen "a range of ports" '[6,[5001,5002]]' '[length, (map(.dport) | unique)]' dport 5001-5100
chosen "a list of ports" '[5001,6000]' 'map(.dport) | unique' dport 5001,6000
chosen "proto" '["udp"]' 'map(.proto) | unique' proto udp dport 6000
chosen "dst, IPv6" '[6]' 'map(.family) | unique' dst fd88:1::/64 proto tcp
chosen "src and class" '["bulk"]' 'map(.class) | unique' src 10.88.1.1 class bulk
chosen "dev and hook" '["egress"]' 'map(.hook) | unique' dev eth hook egress
chosen "none" '[]' . dport 9
chosen "limit" 2 length limit 2
for field in rate bytes packets marked dropped delayed; do
	key=$field
	[ $field != rate ] || key=rate_bps
	chosen "sort $field: largest first" true "map(.$key) | . == (sort | reverse)" sort $field
done
chosen "sort age: latest first" true 'map(.last_seen_ns) | . == (sort | reverse)' sort age
chosen "all of it at once" '[1,6000]' '[length, .[0].dport]' proto udp dport 6000-7000 sort dropped limit 1
"$WEIR" -n "$producer" show flows dport 443 sort marked limit 20 > "$tmp/out"
is_equal "the issue's own line" $? 0

is_equal "a word that is near to none" "$("$WEIR" -n "$producer" show flows foo 1 2>&1)" "weir: show\
 flows: unknown word 'foo'; want class, dev, hook, src, dst, proto, sport, dport, sort or limit"

reason_bytes() { "$WEIR" -n "$producer" show reasons | sed -n 's/^drop-rate *yes *[0-9]* *\([0-9.]* [kMG]*B\) .*/\1/p'; }
is_equal "reasons: bytes for people" "$(reason_bytes | wc -l)" 1

# --- what limits each class now, at one look
# limited EXPECTED: of bulk, media, rpc and the default class
limited()
{
	[ "$("$WEIR" -n "$producer" -j show classes | jq -r '[.[] | {(.class): .limited_by}] | add |
		"\(.bulk) \(.media) \(.rpc) \(.default)"')" = "$1" ]
}
check "two share their rates, one is below its own" \
	wait_until 10 limited "class-rate class-rate free unlimited"
classes() { "$WEIR" -n "$producer" -j show classes | jq "map(select(.class == \"$1\"))[0].$2"; }
until_equal "and it says so" "\"its buckets share the class's rate\"" classes bulk limited_text
offers() { offered=$(classes media offered_bps) && [ "$offered" -gt 32000000 ]; }
wait_until 5 offers || :
is_within "offered, beyond the rate" "$offered" 40000000 20
"$WEIR" -n "$producer" class set door conn-rate 5/s
is_equal "what a class does that has no rate" "$(classes door limited_text)" \
	'"no rate is set; new connections beyond conn-rate are dropped"'
"$WEIR" -n "$producer" class set door per src/24
is_equal "what a bucket holds, with its length" "$(classes door per)" '"src/24"'
is_equal "the rate in force" "$(classes media limit_bps)" 20000000
is_equal "one class" "$("$WEIR" -n "$producer" show classes media | awk '{ print $1 }' | xargs)" \
	"CLASS media media:"
why() { "$WEIR" -n "$producer" show classes media | tail -n 1; }
until_equal "and why" "media: its buckets share the class's rate; rate in force: 20 Mbit/s" why
is_equal "one, JSON" "$("$WEIR" -n "$producer" -j show classes rpc | jq -c 'map(.class)')" '["rpc"]'
is_equal "none of that name" "$("$WEIR" -n "$producer" show classes x 2>&1; echo $?)" \
	"weir: show classes: no class 'x'
1"
"$WEIR" -n "$producer" class set bulk rate 400mbit
check "its caps, once they are less" wait_until 10 limited "flow-rate class-rate free unlimited"
"$WEIR" -n "$producer" class set bulk rate none flow-rate none
check "nothing" wait_until 10 limited "unlimited class-rate free unlimited"
"$WEIR" -n "$producer" class set bulk rate 100mbit flow-rate 40mbit
check "its rate again" wait_until 10 limited "class-rate class-rate free unlimited"

"$WEIR" -n "$producer" -j show flows dport 5001 limit 1 watch 100ms > "$tmp/watch" &
pids+=($!)
watch_pid=$!
again() { [ "$(jq -s length "$tmp/watch")" -ge 5 ]; }
check "watch looks again" wait_until 10 again
kill -INT $watch_pid
wait $watch_pid
is_equal "and ends with" $? 0
is_equal "each look is an array" "$(jq -c 'type' "$tmp/watch" | sort -u)" '"array"'
"$WEIR" -n "$producer" show watch 1 > "$tmp/summary" &
pids+=($!)
watch_pid=$!
there() { grep -q '^bulk ' "$tmp/summary"; }
check "a summary can be watched" wait_until 10 there
kill -TERM $watch_pid
wait $watch_pid

# on a terminal a look is as long as the screen, and over the one before
if command -v tmux > /dev/null; then
	in_tmux() { tmux -S "$tmp/tmux" "$@"; }
	in_tmux -f /dev/null new-session -d -x 80 -y 10 "$WEIR -n $producer show flows watch 200ms"
	top_line() { in_tmux capture-pane -p | grep -n '^DEV .*CLASS' | grep -q '^1:'; }
	check "the heading is the first line" wait_until 10 top_line
	is_equal "nothing has scrolled away" "$(in_tmux display -p '#{history_size}')" 0
	in_tmux kill-server
else
	skip "watch on a terminal" "no tmux here"
fi

# says WHAT WORDS...: refused with status 2
says()
{
	local want=$1
	shift

	is_equal "$*" "$("$WEIR" -n "$producer" "$@" 2>&1; echo $?)" "weir: $want
2"
}
says "show flows: dport 'x': want a number or a range LO-HI, 0 to 65535" show flows dport x
says "show flows: sort 'size': want rate, bytes, packets, marked, dropped, delayed or age" show flows sort size
says "show flows: limit '0': want a whole number from 1 to 4294967295" show flows limit 0
says "show: watch '0': want seconds, 1 to 3600, or a time such as 500ms" show flows watch 0
says "show classes: nothing may follow 'bulk', not 'media'" show classes bulk media
is_equal "help behind a part" "$("$WEIR" show flows help)" "$("$WEIR" show help)"
says "show: watch: a value is missing; want seconds, or a time such as 500ms" show flows watch
for words in "flows watch 1 watch 2" "flows watch 1 sort rate" "watch 1 devices" "devices watch 1 watch 2"; do
	# shellcheck disable=SC2086 # one word each
	says "show: watch: want it once, behind all else" show $words
done
"$WEIR" -n "$producer" class set watch
is_equal "flows of a class called watch" "$(flows class watch; echo $?)" "[]
0"
"$WEIR" -n "$producer" class del watch
says "show flows: dscp 'ef': not kept with a flow; want dev, hook, src, dst, proto, sport, dport or class" show flows dscp ef

# --- without a rate a class under control has its maximum, and nothing where it has none
of() { "$WEIR" -n "$producer" -j show classes "$1" | jq -c "map([.limit_bps, .level_bps, .limited_by, .state])[0]"; }
"$WEIR" -n "$producer" class set media rate none control queue target 10ms max 20mbit
is_it() { [ "$(of media)" = "$1" ]; }
check "its maximum is what holds it back" wait_until 10 is_it '[20000000,20000000,"class-rate","configured"]'
is_equal "says show signals" "$("$WEIR" -n "$producer" -j show signals | jq -c 'map([.rate_bps, .state])[0]')" \
	'[20000000,"no-agent"]'
"$WEIR" -n "$producer" class set media max none
check "no rate, and no share of it" wait_until 10 is_it '[0,0,"unlimited","unlimited"]'
"$WEIR" -n "$producer" class set media rate 20mbit control none

# --- a device that is moved to another namespace takes the program along: it is not here any more
netns here there other
link "$here" eth "$there" eth 2
states() { "$WEIR" -n "$here" -j show devices | jq -c '[.[] | .dev + " " + .state]'; }
"$WEIR" -n "$here" attach eth
is_equal "a device" "$(states)" '["eth attached","eth attached"]'
number=$(ip -n "$here" -j link show eth | jq '.[0].ifindex')
ip -n "$here" link set eth netns "$other"
is_equal "it keeps its number" "$(ip -n "$other" -j link show eth | jq '.[0].ifindex')" "$number"
is_equal "in another namespace" "$(states)" '["eth gone","eth gone"]'
ip -n "$here" link add second index "$number" type veth peer name second-peer
is_equal "one that has its number is not it" "$(states)" '["eth gone","eth gone"]'
check "and can be attached" "$WEIR" -n "$here" attach second
is_equal "then it is" "$(states)" '["second attached","second attached"]'

# --- a killed agent's rate runs out, and from that look on it is not the agent's
"$WEIR" -n "$here" class set app rate 50mbit control queue target 5ms min 2mbit max 60mbit
"$WEIR" -n "$here" run 2> "$tmp/agent" &
pid=$!
pids+=($pid)
app() { "$WEIR" -n "$here" -j show classes app | jq -r '.[0] | "\(.limit_bps < 50000000) \(.state)"'; }
behind() { "$WEIR" -n "$here" signal queue 80ms drain 8mbit && [ "$(app)" = "true agent" ]; }
check "an agent's rate" wait_until 10 behind
kill -9 "$pid"
wait "$pid" 2> /dev/null
looks=()
over() { looks+=("$(app)") && [ "${looks[-1]}" = "false configured" ]; }
wait_until 5 over && ok "killed: its rate runs out" || not_ok "killed: its rate runs out" "${looks[-1]}"
# the first look may come when it has
is_equal "until then it is the agent's" \
	"$(printf '%s\n' "${looks[@]}" "true agent" | sort -u | paste -sd,)" "false configured,true agent"

# --- check says what is missing where the rest says only that it cannot
checks() { "$@" -n "$here" -j check | jq -r '.[] | select(.check == "tcx" or .check == "clsact") | .check'; }
is_equal "check: without a bpffs" \
	"$(checks without_bpffs "$WEIR" | paste -sd,)" tcx,clsact
is_equal "check: without privileges" \
	"$(checks setpriv --reuid 65534 --clear-groups --bounding-set -all "$WEIR" | paste -sd,)" tcx,clsact
# --- replay: a class that one policy alone has: its dashes stand where the numbers do
printf '\324\303\262\241\2\0\4\0\0\0\0\0\0\0\0\0\377\377\0\0\1\0\0\0' > "$tmp/pcap"
echo 'class set a' > "$tmp/a"
echo 'class set b' > "$tmp/b"
"$WEIR" replay "$tmp/pcap" conf "$tmp/a" diff "$tmp/b" > "$tmp/diff"
is_equal "replay diff: cells end below their headings" "$(sed -n '/^CLASS /,/^$/p' "$tmp/diff" |
	cut -c 1-29 | xargs -d '\n' printf '%s|')" \
	"CLASS    PACKETS-A  PACKETS-B|default          0          0|a                0          -|b                -          0||"
finish
