#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# cgroup.sh: real processes in cgroups v2 of their own: `per cgroup` gives each its rate, whatever
# its number of flows; `match cgroup` takes the cgroup and those below it, and nobody else. A path
# that does not exist is refused.
#
#     producer (weir on eth, egress; processes in a, b and a/below) ---- consumer
. "$(dirname "$0")/lib.sh"

need ip jq
root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
if [ -z "$root" ]; then
	root=$tmp/cgroup
	mkdir "$root"
	mount -t cgroup2 cgroup2 "$root" || skip_all "no cgroup v2"
	mounted=$root
fi
mine=w$$-cgroup

clean()
{
	find "$root/$mine" -depth -type d -exec rmdir {} + 2> /dev/null
	[ -z "${mounted-}" ] || umount "$mounted"
	cleanup
}
trap clean EXIT

mkdir -p "$root/$mine"/{a/below,b} || skip_all "cannot make a cgroup"
netns producer consumer
link "$producer" eth "$consumer" eth 1
weir=("$WEIR" -n "$producer")

# inside CGROUP FILE WORD...: traffic run by a process in that cgroup, in the background
inside()
{
	local at=$root/$mine/$1 file=$2
	shift 2

	sh -c 'echo $$ > "$0/cgroup.procs" && exec "$@"' "$at" "$TRAFFIC" run after 1s "$@" > "$file" &
	pids+=($!) started+=($!)
}

ended()
{
	wait "${started[@]}"
	started=()
}
started=()

udp=(udp from "$producer" to "$consumer" addr 10.88.1.2 size 1000 stop 4s)

# sum of the flows' rates
total()
{
	jq -s '[.[] | select(.type == "flow") | .late_bps] | add | round' "$1"
}

# packets that a file's flows have sent
sent()
{
	jq -s '[.[] | select(.type == "flow") | .sent] | add' "$1"
}

check "attach" "${weir[@]}" attach eth egress qdisc keep

# --- the key: three flows of one, one of another
check "per cgroup" "${weir[@]}" class set each flow-rate 10mbit per cgroup action police
check "match" "${weir[@]}" match add each proto udp dport 7000-7099
inside a "$tmp/a" "${udp[@]}" port 7000 n 3 rate 8mbit name a
inside b "$tmp/b" "${udp[@]}" port 7010 rate 24mbit name b
ended
is_rate "a's three flows share" "$(total "$tmp/a")" 10000000 2 "$tmp/a" 4
is_rate "b's one flow has" "$(total "$tmp/b")" 10000000 2 "$tmp/b" 4
# the other way about: without the key each flow has the rate
check "per flow" "${weir[@]}" class set each per flow
inside a "$tmp/a" "${udp[@]}" port 7000 n 3 rate 8mbit name a
ended
is_rate "per flow: a's three flows have all they ask for" "$(total "$tmp/a")" 24000000 2 "$tmp/a" 4

# --- the match: the cgroup, and one below it
check "class of a" "${weir[@]}" class set only flow-rate 5mbit action police
check "match a" "${weir[@]}" match add only cgroup "$mine/a" pref 1
inside a "$tmp/a" "${udp[@]}" port 7000 rate 20mbit name a
inside a/below "$tmp/below" "${udp[@]}" port 7001 rate 20mbit name below
inside b "$tmp/b" "${udp[@]}" port 7010 rate 8mbit name b
ended
is_rate "matched: a" "$(total "$tmp/a")" 5000000 2 "$tmp/a" 4
is_rate "matched: the one below a" "$(total "$tmp/below")" 5000000 2 "$tmp/below" 4
is_rate "not matched: b" "$(total "$tmp/b")" 8000000 2 "$tmp/b" 4
is_equal "the class saw both, and them alone" "$(class "$producer" only packets)" \
	$(($(sent "$tmp/a") + $(sent "$tmp/below")))

if "${weir[@]}" match add only cgroup "$mine/none" > "$tmp/out" 2>&1; then
	not_ok "a cgroup that is not there is refused"
else
	is_equal "a cgroup that is not there is refused: $(cat "$tmp/out")" \
		"$(grep -c "$mine/none" "$tmp/out")" 1
fi
# --- a container's own, as the kubelet and a runtime name it
printf -v id 'e3b0c442%.0s' 1 2 3 4 5 6 7 8
pod=kubepods-burstable-pod0d3c8f51_6c7e_4c3a_9f0b_8f1b2c3d4e5f.slice/cri-containerd-$id.scope
pod=b/kubepods.slice/kubepods-burstable.slice/$pod
mkdir -p "$root/$mine/$pod"
check "match a container" "${weir[@]}" match add only cgroup "$mine/$pod" pref 2
inside "$pod" "$tmp/pod" "${udp[@]}" port 7020 rate 20mbit name pod
inside b "$tmp/b" "${udp[@]}" port 7010 rate 8mbit name b
ended
is_rate "a container" "$(total "$tmp/pod")" 5000000 2 "$tmp/pod" 4
is_rate "not the pod's others" "$(total "$tmp/b")" 8000000 2 "$tmp/b" 4
words="psi cpu cgroup $mine/$pod"
# shellcheck disable=SC2086 # words
check "its pressure" "${weir[@]}" class set each control $words target 50%
is_equal "is kept whole" "$("${weir[@]}" show config | grep -cF "control \"$words\"")" 1

# --- one that is made anew, as by a service that is restarted, is another of that name: an agent
# that runs finds it
"${weir[@]}" run > "$tmp/agent" 2>&1 & pids+=($!)
check "an agent" wait_until 10 grep -q runs "$tmp/agent"
check "a is made anew" eval 'rmdir "$root/$mine/a/below" "$root/$mine/a" && mkdir -p "$root/$mine/a/below"'
check "made anew: found" wait_until 10 grep -q 'resolved anew' "$tmp/agent"
inside a "$tmp/a" "${udp[@]}" port 7000 rate 20mbit name a
ended
is_rate "made anew: a" "$(total "$tmp/a")" 5000000 2 "$tmp/a" 4
check "detach" "${weir[@]}" detach all
finish
