#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# update.sh: the programs of one build take the place of another's while traffic is limited, again
# and again: no packet is missed, the rates hold, the level's timer and the sockets go on, an agent
# sees nothing amiss, and nothing of the old programs is left. A command that is killed in between
# is completed by the next; what cannot be swapped is refused, and nothing is changed.
#
#     here (weir on eth, egress) ---- there (then on peer, ingress)
. "$(dirname "$0")/die.sh"

SECONDS_RUN=${WEIR_TEST_SECONDS:-5}
need ip tc jq bpftool
other=$tmp/other shape=$tmp/shape
# a word of the object's debugging text: nothing that it does; and the name of a map's member
sed 's/off > 0x7fff/off > 0x7FFF/' "$WEIR" > "$other"
sed 's/tc_priority/tc_prioritx/g' "$WEIR" > "$shape"
chmod +x "$other" "$shape"
cmp -s "$WEIR" "$other" && { not_ok "another build" "the word is not in the object"; finish; }

has() { "$WEIR" -j check | jq -e --arg n "$1" '.[] | select(.check == $n) | .available' > "$tmp/has"; }
weir() { "$WEIR" -n "$here" "$@"; }

# programs NETNS: ids of those that are pinned
programs()
{
	local pin

	for pin in "/sys/fs/bpf/weir/v1/$1"/weir_*; do
		bpftool -j prog show pinned "$pin" | jq .id
	done | sort -n | paste -sd' '
}

# are_gone ID...: nothing has them any more, be it a hook, a filter, a link or the level's timer
are_gone()
{
	local id

	for id; do
		! bpftool prog show id "$id" > "$tmp/prog" 2>&1 || return 1
	done
}

# what the hooks have become, each different answer once
states() { weir -j show devices 2> "$tmp/log" | jq -rs '.[] | map(.state + " " + .program) | unique | .[]'; }
level_is() { [ "$(class "$here" share level_bps)" -ge "$1" ] && [ "$(class "$here" share level_bps)" -le "$2" ]; }
mended() { grep -cv 'the agent runs\|of another build' "$tmp/agent.$1"; }

# by_turns NETNS DEV FILE PID...: until the traffic is through
by_turns()
{
	local builds=("$WEIR" "$other")

	updates=0
	while kill -0 "$4" 2> "$tmp/gone"; do
		"${builds[updates % 2]}" -n "$1" attach "$2" "$3" > "$tmp/log" 2>&1 ||
			{ not_ok "update $updates" "$(cat "$tmp/log")"; break; }
		updates=$((updates + 1))
	done
	wait "$4"
	note "$updates updates"
	is_least "updates" "$updates" 1
}

# behind weir: what fq has dropped, and what no socket has taken, since it has no room or is closed
lost_behind()
{
	local none

	none=$(ip netns exec "$there" cat /proc/net/snmp | awk '/^Udp: [0-9]/ { print $3 + $4 }')
	echo $((none + $(tc -n "$there" -s -j qdisc show | jq '[.[] | select(.kind == "fq") | .drops] | add // 0')))
}

# adds_up WHAT NETNS CLASS NAME BPS LOST
adds_up()
{
	local sent received

	sent=$(flow "$tmp/out" "$4" sent) received=$(flow "$tmp/out" "$4" received)
	is_equal "$1: every packet is seen" "$(class "$2" "$3" packets)" "$sent"
	note "$1: received $received, lost behind weir $6"
	is_equal "$1: received + dropped = sent" \
		"$((received + $6 + $(class "$2" "$3" dropped)))" "$sent"
	is_rate "$1: the rate" "$(flow "$tmp/out" "$4" late_bps)" "$5" 1 "$tmp/out" "$SECONDS_RUN"
}

# sends and arrives VIA: what is offered during the updates is limited as ever
sends()
{
	local via=$1 ids tcp=(tcp from "$here" to "$there" addr 10.88.1.2)

	check "$via: the first build" "$other" -n "$here" attach eth egress via "$via"
	check "$via: policy" weir apply "$tmp/policy"
	agent "$here"
	ids=$(programs "$here")
	"$TRAFFIC" run after 1s udp from "$here" to "$there" addr 10.88.1.2 port 6000 size 512 \
		rate 60mbit stop "${SECONDS_RUN}s" name udp "${tcp[@]}" port 7000 cc reno n 2 \
		stop "${SECONDS_RUN}s" name tcp group all > "$tmp/out" &
	by_turns "$here" eth egress $!
	adds_up "$via" "$here" drop udp 12000000 0
	is_rate "$via: of sockets" "$(group "$tmp/out" all late_bps)" 20000000 2 "$tmp/out" \
		"$SECONDS_RUN"
	is_equal "$via: nothing of them is dropped" "$(class "$here" share dropped)" 0
	# shellcheck disable=SC2086
	check "$via: nothing of the first is left" wait_until 10 are_gone $ids

	"$TRAFFIC" run "${tcp[@]}" port 7000 stop 30s name a > "$tmp/one" &
	pids+=($!)
	check "$via: the level of one" wait_until 5 level_is 17000000 21000000
	weir attach eth egress > "$tmp/log" 2>&1 || "$other" -n "$here" attach eth egress 2> "$tmp/log"
	"$TRAFFIC" run "${tcp[@]}" port 7001 stop 30s name b > "$tmp/two" &
	pids+=($!)
	check "$via: that of two, after an update" wait_until 5 level_is 8000000 12000000
	last_ends
	last_ends
	is_equal "$via: the agent has nothing to mend" "$(mended "$here")" 0
	last_ends
	check "$via: detach" weir detach all
	is_equal "$via: all is as before" "$(outside)" "$before"
}

arrives()
{
	local via=$1 ids lost

	check "$via: ingress" "$other" -n "$there" attach peer ingress via "$via"
	! has fq || ! has ifb || is_equal "$via: ingress: queued in" \
		"$("$WEIR" -n "$there" -j show devices 2> "$tmp/log" | jq -r '.[0].ifb | length > 0')" true
	check "$via: policy" "$WEIR" -n "$there" apply "$tmp/policy"
	agent "$there"
	lost=$(lost_behind)
	ids=$(programs "$there")
	"$TRAFFIC" run after 2s udp from "$here" to "$there" addr 10.88.1.2 port 6001 size 1400 \
		rate 22mbit stop "${SECONDS_RUN}s" name udp > "$tmp/out" &
	by_turns "$there" peer ingress $!
	adds_up "$via: ingress" "$there" wait udp 20000000 $(($(lost_behind) - lost))
	# shellcheck disable=SC2086
	check "$via: ingress: nothing of the first is left" wait_until 10 are_gone $ids
	is_equal "$via: ingress: the agent has nothing to mend" "$(mended "$there")" 0
	last_ends
	check "$via: ingress: detach" "$WEIR" -n "$there" detach all
}

cat > "$tmp/policy" << 'END'
class set drop flow-rate 12mbit burst 100ms action police
class set share rate 20mbit
class set wait flow-rate 20mbit
match add drop proto udp dport 6000
match add wait proto udp dport 6001
match add share proto tcp dport 7000-7001
END
looks_at eth lo
before=$(outside)
vias=(clsact)
! has tcx || vias+=(tcx)
for via in "${vias[@]}"; do
	sends "$via"
	arrives "$via"
done

# --- killed behind each change that it makes

dies()
{
	local after=$1
	shift

	sh -c '"$@"; exit $?' sh env WEIR_DIE_AFTER="$after" LD_PRELOAD="$DIE" "$@" > "$tmp/out" 2>&1
	[ $? = 137 ]
}

check "attach" weir attach eth via "${vias[-1]}"
check "by the other means" weir attach lo via clsact
agent "$here"
ids=$(programs "$here") n=1 bad='' step=$([ -n "${WEIR_TEST_SHORT:-}" ] && echo 9 || echo 3)
while [ $n -lt 200 ] && dies $n "$other" -n "$here" attach eth; do
	[[ "$(states | sed 's/ .*//' | sort -u)" = attached ]] || bad+=" $n(state)"
	# the sign is made last: until then it is nobody's, before and after it is one's own
	weir attach eth > "$tmp/log" 2>&1 || grep -q 'attached already' "$tmp/log" ||
		bad+=" $n($(cat "$tmp/log"))"
	[[ "$(states)" = "attached own" ]] || bad+=" $n($(states))"
	n=$((n + step))
done
is_equal "killed behind every ${step}th of $n changes; not completed" "$bad" ""
is_least "changes" $n 40
check "this build's" weir attach eth
# shellcheck disable=SC2086
check "nothing of those before is left" wait_until 10 are_gone $ids
is_equal "the agent has nothing to mend" "$(mended "$here")" 0
last_ends

# --- refused

refused()
{
	local what=$1 words=$2 ids
	shift 2

	ids=$(programs "$here")
	"$@" > "$tmp/log" 2>&1
	is_equal "$what: exit" $? 1
	check "$what: said" grep -q "$words" "$tmp/log"
	is_equal "$what: programs" "$(programs "$here")" "$ids"
	is_equal "$what: hooks" "$(states)" "attached own"
}
refused "another shape" "map devices is of another shape" "$shape" -n "$here" attach eth
refused "another shape, another hook" "map devices is of another shape" "$shape" -n "$here" attach lo
refused "cannot be loaded" "cannot load the datapath" \
	env WEIR_FAIL_AT=5 LD_PRELOAD="$DIE" "$other" -n "$here" attach eth
refused "one's own" "egress: attached already" "$WEIR" -n "$here" attach eth
n=10
while [ $n -lt 50 ] && dies $n "$other" -n "$here" attach eth; do
	check "killed behind change $n: detach" weir detach all
	is_equal "all is as before" "$(outside)" "$before"
	weir attach eth via "${vias[-1]}"
	weir attach lo via clsact
	n=$((n + 10))
done
check "detach" weir detach all
finish
