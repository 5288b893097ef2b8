#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# json.sh: what -j prints, and the agent serves, is what user/weir.schema.json says, to the last
# field: one that is not in the schema fails, and so does one that the manual does not name.
. "$(dirname "$0")/bed.sh"

need ip jq curl python3
python3 -c 'import jsonschema' 2> /dev/null || skip_all "no python3-jsonschema here (tools/deps --install all)"
schema=$top/tests/see/schema.py
checked=" "

# valid WHAT NAME FILE [lines]
valid()
{
	checked+="$2 "
	check "$1" "$schema" "$2" "$3" ${4:+lines}
}

# shows PART WHAT WORD...: weir -j show PART WORD... as it is now
shows()
{
	local part=$1 what=$2
	shift 2

	"$WEIR" -n "$producer" -j show $part "$@" > "$tmp/json" 2>&1
	valid "show $part: $what" "show${part:+-$part}" "$tmp/json"
}

# holds WHAT JQ: the last output has what the schema is to be held against
holds() { check "$1" jq -e "$2" "$tmp/json"; }

check "the manual names the fields of the schema" "$schema" manual "$top/user/man/weir.8"
bed
"$WEIR" -n "$producer" attach eth ingress
ip -n "$producer" link add lost type veth peer name lost-peer
"$WEIR" -n "$producer" attach lost egress
ip -n "$producer" link del lost
"$WEIR" -n "$producer" match add bulk dev eth hook egress src 10.88.1.0/24,fd88:1::/64 dst 10.88.1.2 \
	proto tcp sport 1-1000 dport 9 dscp ef mark 1/3 pref 7
"$WEIR" -n "$producer" class set bulk control queue target 5ms min 10mbit max 100mbit
"$WEIR" -n "$producer" -j monitor > "$tmp/monitor" 2>&1 &
pids+=($!)

shows "" "the summary"
shows devices "a hook, and one that is gone"
holds "one is gone" 'any(.state == "gone")'
shows classes "a controller, but no agent"
shows tables "a table with room"
holds "there is room" '.[0] | .table == "flows" and .state == "room" and .used == .made and .evicted == 0'
shows matches "every key"
holds "every key is given" 'map(select(.pref == 7))[0] | del(.cgroup) | all(. != null)'
holds "a code point is a number" 'map(select(.pref == 7))[0].dscp == "46"'
shows flows "IPv4 and IPv6, TCP and UDP"
holds "both families" 'map(.family) | unique == [4, 6]'
shows signals "no agent"
holds "nobody has heard" '.[0].value == null'
shows config "the policy"
shows reasons "all"
"$WEIR" -j check > "$tmp/json" 2>&1
valid "check" check "$tmp/json"
"$WEIR" -j version > "$tmp/json" 2>&1
valid "version" version "$tmp/json"

# --- the agent
"$WEIR" -j -n "$producer" run listen $LISTEN > "$tmp/run" 2> "$tmp/agent" &
pids+=($!)
served() { get "$1" > "$tmp/json"; }
check "the agent serves" wait_until 10 served /healthz
behind() { "$WEIR" -n "$producer" signal queue 50ms ttl 60s drain 30mbit && grep -q '"behind"' "$tmp/run"; }
check "the agent steps" wait_until 10 behind
"$WEIR" -n "$producer" class set odd control psi cpu cgroup $'no/\xe9' target 10%
odd() { grep -q '"class":"odd".*"signal":"psi cpu cgroup no/\\\\xe9"' "$tmp/run"; }
check "a step of a class whose cgroup is no UTF-8" wait_until 10 odd
"$WEIR" -n "$producer" class del odd
valid "run, a line for each step" run "$tmp/run" lines
shows signals "an agent"
holds "it was heard" '.[0].value == 50000000 and .[0].reason != null'
shows classes "an agent"
# rates need a second look
moving() { served /api/v1/live && jq -e '.classes | any(.p50_ns != null)' "$tmp/json"; }
check "rates are there" wait_until 10 moving
valid "/api/v1/live" api-live "$tmp/json"
holds "a step, and a controller" '(.decisions | length > 0) and (.classes | any(.control.running))'
check "signals" served /api/v1/signals
valid "/api/v1/signals" api-signals "$tmp/json"
check "one signal" served /api/v1/signals/queue
valid "/api/v1/signals/queue" signal "$tmp/json"
for part in classes flows devices; do
	check "$part" served /api/v1/$part
	valid "/api/v1/$part" show-$part "$tmp/json"
done

# --- events
told() { grep -q '"control"' "$tmp/monitor" && grep -q '"policy"' "$tmp/monitor" && grep -q '"lease-begin"' "$tmp/monitor" && grep -q '"detached"' "$tmp/monitor"; }
"$WEIR" -n "$producer" class set spare rate 1mbit
"$WEIR" -n "$producer" detach eth ingress
check "events came" wait_until 10 told
valid "monitor, an object a line" monitor "$tmp/monitor" lines

# --- replay
capture "$tmp/a.pcap" 400
printf '%s\n' "class set web rate 20mbit action police" "match add web proto udp dport 443" > "$tmp/a.conf"
printf '%s\n' "class set other flow-rate 40mbit" "match add other proto udp" > "$tmp/b.conf"
# replays WHAT WORD...
replays()
{
	local what=$1
	shift

	"$WEIR" -j replay "$tmp/a.pcap" conf "$tmp/a.conf" "$@" > "$tmp/json" 2>&1
	valid "replay: $what" replay "$tmp/json"
}
replays "one policy"
few='.classes | map([.class, .packets, .dropped, .b.packets, .b.delayed])'
classes() { "$WEIR" -j replay "$@" | jq -c "$few"; }
is_equal "replay: a policy from the standard input" \
	"$(classes "$tmp/a.pcap" conf - < "$tmp/a.conf" 2>&1)" "$(jq -c "$few" "$tmp/json")"
is_equal "replay: a second one from there" "$(classes - conf "$tmp/a.conf" diff "$tmp/b.conf" < "$tmp/a.pcap")" \
	"$(classes "$tmp/a.pcap" conf "$tmp/a.conf" diff - < "$tmp/b.conf" 2>&1)"
is_equal "replay: two from there" "$("$WEIR" replay - conf - < "$tmp/a.pcap" 2>&1; echo $?)" \
	"weir: replay: the standard input can be read once: want - for one file
2"
is_equal "replay: no such namespace" "$("$WEIR" -n no-such-one replay "$tmp/a.pcap" 2>&1; echo $?)" \
	"weir: -n no-such-one: no such network namespace (\`ip netns\` lists them)
1"
flow_line() { sed -n '/^flows$/,/^$/p' | sed -n 3p | xargs | cut -d ' ' -f 1-3; }
is_equal "replay: a flow's class in either policy" \
	"$("$WEIR" replay "$tmp/a.pcap" conf "$tmp/a.conf" diff "$tmp/b.conf" | flow_line)" "web other udp"
replays "behind a link" dev-rate 50mbit
holds "the link" '.link | length == 2'
replays "two policies" diff "$tmp/b.conf"
holds "a class of one of them" '.classes | any(.a == null) and any(.b == null)'
replays "two, behind a link" diff "$tmp/b.conf" dev-rate 50mbit
head -c 5000 "$tmp/a.pcap" > "$tmp/cut.pcap"
"$WEIR" -j replay "$tmp/cut.pcap" conf "$tmp/a.conf" > "$tmp/json" 2> /dev/null
valid "replay: one that is cut off" replay "$tmp/json"
holds "it is not complete" '.capture[0].complete | not'

# --- that the check can fail
# breaks WHAT NAME FILE JQ: changed so, it does not fit any more
refuses() { ! "$schema" "$1" "$2"; }
breaks()
{
	jq "$4" "$3" > "$tmp/broken" || { not_ok "$1: jq"; return; }
	check "$1 is refused" refuses "$2" "$tmp/broken"
}
breaks "a field more" replay "$tmp/json" '.capture[0].more = 1'
breaks "a field more in numbers" replay "$tmp/json" '.classes[0].more = 1'
breaks "a reason more" replay "$tmp/json" '.totals[0].reasons.more = 1'
breaks "a field less" replay "$tmp/json" 'del(.flows[0].tunnel)'
breaks "a negative count" replay "$tmp/json" '.totals[0].packets = -1'
breaks "text for a number" replay "$tmp/json" '.totals[0].packets = "1"'
sed 's/^\.Ic dev , ifindex , hook$/.Ic dev , hook/' "$top/user/man/weir.8" > "$tmp/weir.8"
check "a manual that leaves out a field is refused" refuses manual "$tmp/weir.8"

unchecked=$(jq -r '."$defs" | to_entries[] | select(.value.title) | .key' "$top/user/weir.schema.json" |
	while read -r name; do [[ $checked == *" $name "* ]] || echo "$name"; done | xargs)
is_equal "what no output was held against" "$unchecked" ""
finish
